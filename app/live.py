"""Wiring of the window: head model, worker thread, mailbox, Qt. No torch on this path."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.display import check_display
from app.mailbox import Mailbox
from app.main_window import Commands, MainWindow
from app.qt import (
    QApplication,
    QObject,
    QSurfaceFormat,
    Qt,
    QTimer,
    forget_cv2_plugins,
    pyqtSignal,
)
from app.source_menu import camera_requests, first_request
from app.theme import apply_theme
from app.view import State, View
from app.worker import Fitter, Request, Worker
from engine.flame.model import HeadModel
from engine.head_choice import chosen_head_model
from engine.io.image import save_png
from engine.io.source import Source
from engine.pipeline import Reconstructor
from engine.source_factory import open_source

__all__ = ["LiveSession", "LiveSettings", "make_application", "run_window"]

logger = logging.getLogger(__name__)

_SIGNAL_CHECK_MS = 200
"""Qt's loop runs no Python by itself: so often Python gets to see Ctrl-C."""


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What the window starts with."""

    source: str | None = None  # as for --source; None: first camera, else the sample clip
    method: str = "landmarks"
    model: Path | None = None  # None: the bundled head model
    n_faces: int = 1
    screenshot: Path | None = None  # PNG to write before quitting by itself
    screenshot_after: int = 60  # fitted frames


def make_application() -> QApplication:
    """The Qt application, with the GL format that the renderer needs."""
    forget_cv2_plugins()
    gl = QSurfaceFormat()
    gl.setVersion(3, 3)
    gl.setProfile(QSurfaceFormat.OpenGLContextProfile.CoreProfile)
    gl.setDepthBufferSize(24)
    gl.setSamples(0)  # the renderer smooths edges in its own framebuffer
    gl.setSwapInterval(1)
    QSurfaceFormat.setDefaultFormat(gl)
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    application = QApplication(["n2fnet"])
    application.setApplicationName("n2fnet")
    apply_theme(application)
    return application


class LiveSession(QObject):
    """A window and the worker that feeds it.

    Views go through a one-slot mailbox; a queued signal without data tells the window to look.
    It is sent only when the box was empty, so at most one is ever waiting.
    """

    _poked = pyqtSignal()

    def __init__(
        self,
        model: HeadModel,
        make_fitter: Callable[[], Fitter],
        open_named: Callable[[str], Source],
    ) -> None:
        super().__init__()
        self._views: Mailbox[View] = Mailbox()
        self._poked.connect(self._look, Qt.ConnectionType.QueuedConnection)
        self.worker = Worker(make_fitter, open_named, self._publish)
        commands = Commands(self.worker.open, self.worker.set_paused, self.stop)
        self.window = MainWindow(model, commands)
        self.on_view: Callable[[View], None] = lambda view: None
        self.stopped_clean = True

    def start(self, request: Request) -> None:
        """Show the window and the first source."""
        self.worker.start()
        self.window.open(request)
        self.window.show()

    def stop(self) -> None:
        """Source and worker first, then the mailbox; the window's GL goes with the window."""
        self.window.hide()  # at once, however long a camera takes
        self.stopped_clean = self.worker.stop()
        self._views.close()

    def _publish(self, view: View) -> None:
        if self._views.put(view):
            self._poked.emit()

    def _look(self) -> None:
        if (view := self._views.take()) is not None:
            self.window.show_view(view)
            self.on_view(view)


def run_window(settings: LiveSettings) -> int:
    """Open the window and stay until it is closed.

    Returns: the exit code.
    Raises: EngineError: if there is no display, or the head model cannot be read.
    """
    check_display()
    model = chosen_head_model(settings.model)
    application = make_application()

    def make_fitter() -> Reconstructor:
        return Reconstructor(model, method=settings.method, n_faces=settings.n_faces)

    session = LiveSession(model, make_fitter, lambda spec: open_source(spec, model))
    if settings.screenshot is not None:
        session.on_view = _Photographer(session, settings.screenshot, settings.screenshot_after)
    timer = _let_signals_close(session.window)
    session.start(_request_of(settings.source))
    code = application.exec()
    timer.stop()
    return _leave(session, code)


def _request_of(spec: str | None) -> Request:
    if spec is None:
        return first_request()
    known = {request.spec: request for request in camera_requests()}
    return known.get(spec) or Request(spec, spec if ":" in spec else Path(spec).name)


def _let_signals_close(window: MainWindow) -> QTimer:
    """Ctrl-C and a polite kill close the window in the usual order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: window.close())
    timer = QTimer()
    timer.timeout.connect(lambda: None)
    timer.start(_SIGNAL_CHECK_MS)
    return timer


def _leave(session: LiveSession, code: int) -> int:
    if not session.stopped_clean:
        # A driver hangs in a call that cannot be interrupted; a normal exit would wait or crash.
        logger.warning("the source does not close; leaving it to the operating system")
        sys.stderr.flush()
        os._exit(code)
    return code


class _Photographer:
    """Saves the window after so many fitted frames, then closes it."""

    def __init__(self, session: LiveSession, path: Path, after: int) -> None:
        self._session, self._path, self._left = session, path, after

    def __call__(self, view: View) -> None:
        self._left -= view.state is State.PLAYING and bool(view.faces)
        if self._left > 0 and view.state in (State.OPENING, State.PLAYING):
            return
        self._session.on_view = lambda view: None
        save_png(self._path, self._session.window.picture())
        self._session.window.close()
