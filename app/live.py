"""Wiring of the window: head model, worker thread, mailbox, Qt. No torch on this path."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from app.camera_watch import CameraWatch
from app.display import check_display
from app.leaving import leave, let_signals_close
from app.persons import Persons
from app.provider_desk import ProviderDesk
from app.recording import RecordingDesk
from app.session import LiveSession, Loaded, make_application
from app.settings import SettingsStore, user_settings_dir
from app.source_menu import first_request, remembered_request, request_of
from app.source_thread import Request
from app.view import State, View
from engine.errors import CaptureError, EngineError, OutputError
from engine.io.image import save_png
from engine.stages.onnx_session import available_providers
from engine.streaming.targets import SendTarget

__all__ = ["LiveSettings", "Photographer", "run_window", "session_overrides"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What the window starts with."""

    source: str | None = None  # as for --source; None: first camera, else the sample clip
    method: str | None = None  # None: the best that can be used
    model: Path | None = None  # None: the bundled head model
    n_faces: int | None = None  # 1..8; None: as set in the window
    n2fnet: Path | None = None  # None: the shipped network
    normals: str | None = None  # as for --normals; None: the shipped network, if there is one
    pipelined: bool = False  # see the next frame while one is fitted
    recall: bool = False  # where no source is given, begin with the last time's
    safe: bool = False  # defaults, whatever is stored; nothing is kept
    send: tuple[SendTarget, ...] = ()  # receivers from the start
    record_to: Path | None = None  # folder for takes; None: as set, or the user's videos
    private: bool = False  # parameters alone are recorded and sent, no pictures
    smooth_edges: bool = False  # also where the processor draws, which takes its time
    screenshot: Path | None = None  # PNG to write before quitting by itself
    screenshot_after: int = 60  # fitted frames


def run_window(settings: LiveSettings) -> int:
    """Open the window and stay until it is closed.

    Returns: the exit code.
    Raises: EngineError: if there is no display, or, where a screenshot is asked for, it cannot be
        written or what it should show fails.
    """
    check_display()
    application = make_application()
    _log_instead_of_abort()
    folder = user_settings_dir()
    store = SettingsStore(None if settings.screenshot else folder, safe=settings.safe)
    for line in store.told:
        logger.warning("%s", line)
    persons = Persons(None if settings.safe else folder / "persons")
    store.override(**session_overrides(settings))
    session = LiveSession(
        load=lambda tell: _load(settings, session, tell),
        store=store,
        persons=persons,
        providers=ProviderDesk(store, available_providers),
        recording=RecordingDesk(settings.record_to),
    )
    photographer = None
    if settings.screenshot is not None:
        photographer = Photographer(session, settings.screenshot, settings.screenshot_after)
        session.on_view = photographer
    timer = let_signals_close(session.window)
    watch = CameraWatch(session.cameras_changed)
    session.start(_first_request(settings, store))
    code = application.exec()
    timer.stop()
    watch.stop()
    if photographer is not None and photographer.problem is not None:
        raise photographer.problem
    return leave(code, clean=session.stopped_clean)


def session_overrides(settings: LiveSettings) -> dict[str, object]:
    """Settings of the window that are asked for this time alone, by their names in `Settings`."""
    asked: dict[str, object] = {}
    if settings.pipelined:
        asked["pipelined"] = True
    if settings.private:
        asked["private"] = True
    if settings.n_faces is not None:
        asked["n_faces"] = settings.n_faces
    return asked


def _load(settings: LiveSettings, session: LiveSession, tell: Callable[[str], None]) -> Loaded:
    """What fits heads is imported here, on the loader's thread, when the window is open already."""
    from app.loading import load_parts

    return load_parts(settings, session, tell)


def _first_request(settings: LiveSettings, store: SettingsStore) -> Request:
    """What was asked for, else what was shown last, else what there is."""
    if settings.source:
        return request_of(settings.source)
    last = store.present
    if settings.recall and last.source:
        request = remembered_request(last.source, last.source_title)
        if request is not None:
            return request
    return first_request()


def _log_instead_of_abort() -> None:
    """An error in a slot is logged: by default PyQt ends the program there."""

    def log(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        logger.error("an error in the window", exc_info=(kind, error, trace))

    sys.excepthook = log


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
