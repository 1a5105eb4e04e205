"""Head model, networks and what makes fitters of them, while the window is open already."""

from collections.abc import Callable

from app.camera_desk import chosen_format
from app.cli.choices import chosen_method
from app.live import LiveSettings
from app.method_menu import Methods, method_title
from app.session import LiveSession, Loaded
from app.source_menu import present_spec
from app.steadier import Steadier
from engine.flame.model import HeadModel
from engine.followers import obstacles
from engine.head_choice import chosen_head_model
from engine.io.source import Source
from engine.methods import DEFAULT, LIVE_METHODS
from engine.normal_choice import NormalChoice, choose_normals
from engine.pipeline import Reconstructor
from engine.render.overlay import head_renderer
from engine.source_factory import open_source

__all__ = ["choose_methods", "lesser_parts", "load_parts"]


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
    normals = choose_normals(settings.normals, may_fall_back=True)
    methods = choose_methods(settings, session.window.store.present.method, model, normals)

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
        methods=methods,
        make_steadier=make_steadier,
        told=lesser_parts(settings, methods, normals),
    )


def choose_methods(
    settings: LiveSettings, stored: str, model: HeadModel, normals: NormalChoice
) -> Methods:
    """What the window can fit by, and what it begins with.

    Args:
        stored: the method of the last time; empty, or one that cannot be used: the best that can.
    Raises: EngineError: if a method that the settings ask for cannot be used.
    """
    names = dict.fromkeys((*LIVE_METHODS, *([settings.method] if settings.method else [])))
    reasons = obstacles(names, model, settings.n2fnet, normals)
    if settings.method is None and stored in reasons and not reasons[stored]:
        method = stored
    else:
        method = chosen_method(settings.method, model, normals, settings.n2fnet)
    return Methods(
        method, {name: reasons.get(name, "") for name in dict.fromkeys((*reasons, method))}
    )


def lesser_parts(
    settings: LiveSettings, methods: Methods, normals: NormalChoice
) -> tuple[str, ...]:
    """What a person should know of files that others stand in for: cause and fix, a text each."""
    told = []
    if normals.instead and normals.path is not None:
        told.append(f"Normals by {normals.path.name}, which is slower here: {normals.instead}")
    problem = methods.obstacles.get(DEFAULT, "")
    switched_off = settings.normals == "none"  # as was asked for
    if problem and settings.method is None and not switched_off:
        titles = method_title(methods.chosen), method_title(DEFAULT)
        told.append(
            f"Heads are fitted by “{titles[0]}”, as “{titles[1]}” cannot be used: {problem}"
        )
    return tuple(told)
