"""Wiring of the window: head model, worker thread, mailbox, Qt. No torch on this path."""

from dataclasses import dataclass
from pathlib import Path

from app.cli.choices import chosen_method
from app.display import check_display
from app.leaving import leave, let_signals_close
from app.method_menu import Methods
from app.session import LiveSession, make_application
from app.source_menu import first_request, request_of
from app.view import State, View
from engine.errors import CaptureError, EngineError, OutputError
from engine.head_choice import chosen_head_model
from engine.io.image import save_png
from engine.methods import LIVE_METHODS, obstacles
from engine.normal_choice import choose_normals
from engine.pipeline import Reconstructor
from engine.render.overlay import head_renderer
from engine.source_factory import open_source

__all__ = ["LiveSettings", "Photographer", "run_window"]


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What the window starts with."""

    source: str | None = None  # as for --source; None: first camera, else the sample clip
    method: str | None = None  # None: the best that can be used
    model: Path | None = None  # None: the bundled head model
    n_faces: int = 1
    n2fnet: Path | None = None  # None: the shipped network
    normals: str | None = None  # as for --normals; None: the shipped network, if there is one
    screenshot: Path | None = None  # PNG to write before quitting by itself
    screenshot_after: int = 60  # fitted frames


def run_window(settings: LiveSettings) -> int:
    """Open the window and stay until it is closed.

    Returns: the exit code.
    Raises: EngineError: if there is no display, the head model or the normal network cannot be
        read, or, where a screenshot is asked for, it cannot be written or the source fails.
    """
    check_display()
    model = chosen_head_model(settings.model)
    normals = choose_normals(settings.normals)
    method = chosen_method(settings.method, model, normals, settings.n2fnet)
    no_normals = "" if normals.path else normals.reason
    names = dict.fromkeys((*LIVE_METHODS, method))
    reasons = obstacles(names, model, settings.n2fnet, no_normals)
    application = make_application()

    def make_fitter() -> Reconstructor:
        return Reconstructor(
            model,
            method=session.window.method,
            n_faces=settings.n_faces,
            normals=normals.load(),
            weights=settings.n2fnet,
        )

    session = LiveSession(
        lambda ctx: head_renderer(ctx, model),
        make_fitter,
        lambda spec: open_source(spec, model),
        no_normals=normals.reason,
        methods=Methods(method, reasons),
    )
    photographer = None
    if settings.screenshot is not None:
        photographer = Photographer(session, settings.screenshot, settings.screenshot_after)
        session.on_view = photographer
    timer = let_signals_close(session.window)
    session.start(request_of(settings.source) if settings.source else first_request())
    code = application.exec()
    timer.stop()
    if photographer is not None and photographer.problem is not None:
        raise photographer.problem
    return leave(code, clean=session.stopped_clean)


class Photographer:
    """Saves the window after so many fitted frames, then closes it."""

    problem: EngineError | None = None
    """Why there is no picture, or none of a face: what the source failed of. Kept, as an exception
    inside Qt's loop would end the program."""

    def __init__(self, session: LiveSession, path: Path, after: int) -> None:
        self._session, self._path, self._left = session, path, after

    def __call__(self, view: View) -> None:
        self._left -= view.state is State.PLAYING and bool(view.faces)
        if self._left > 0 and view.state in (State.OPENING, State.PLAYING):
            return
        self._session.on_view = lambda view: None
        if view.state is State.FAILED:
            self.problem = CaptureError(view.problem)
        try:
            save_png(self._path, self._session.window.picture())
        except OutputError as error:
            self.problem = error
        self._session.window.close()
