"""Head model, networks and what makes fitters of them, while the window is open already."""

from collections.abc import Callable

from app.camera_desk import chosen_format
from app.cli.choices import chosen_method
from app.live import LiveSettings
from app.method_menu import Methods
from app.session import LiveSession, Loaded
from app.source_menu import present_spec
from app.steadier import Steadier
from engine.followers import obstacles
from engine.head_choice import chosen_head_model
from engine.io.source import Source
from engine.methods import LIVE_METHODS
from engine.normal_choice import choose_normals
from engine.pipeline import Reconstructor
from engine.render.overlay import head_renderer
from engine.source_factory import open_source

__all__ = ["load_parts"]


def load_parts(settings: LiveSettings, session: LiveSession, tell: Callable[[str], None]) -> Loaded:
    """Head model and networks; on the loader's thread, which tells what it is at."""
    tell("Loading the head model …")
    model = chosen_head_model(settings.model)
    if (desk := session.recording) is not None:
        desk.equip(model)
        for target in settings.send:
            desk.send_to(target)
    tell("Loading the networks …")
    session.window.providers.prime()
    normals = choose_normals(settings.normals)
    stored = session.window.store.present
    names = dict.fromkeys((*LIVE_METHODS, *([settings.method] if settings.method else [])))
    reasons = obstacles(names, model, settings.n2fnet, normals)
    if settings.method is not None:
        method = chosen_method(settings.method, model, normals, settings.n2fnet)
    elif stored.method in reasons and not reasons[stored.method]:
        method = stored.method
    else:
        method = chosen_method(None, model, normals, settings.n2fnet)

    def make_fitter() -> Reconstructor:
        provider = session.window.providers.present
        return Reconstructor(
            model,
            method=session.window.method,
            n_faces=session.window.store.present.n_faces,
            by_turns=session.window.store.present.by_turns,
            normals=normals.load(provider, beside=int(session.window.options.pipelined)),
            provider=provider,
            weights=settings.n2fnet,
        )

    def open_named(spec: str) -> Source:
        stored = session.window.store.present
        return open_source(present_spec(spec, stored), model, chosen_format(stored))

    def make_steadier() -> Steadier:
        window = session.window
        return Steadier(model, window.persons.shape_of(window.store.present.person, model.model_id))

    return Loaded(
        lambda ctx: head_renderer(ctx, model, live=not settings.smooth_edges),
        make_fitter,
        open_named,
        no_normals=normals.reason,
        methods=Methods(
            method, {name: reasons.get(name, "") for name in dict.fromkeys((*reasons, method))}
        ),
        make_steadier=make_steadier,
    )
