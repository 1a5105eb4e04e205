"""A window and the worker that feeds it: application, mailbox, the poke between threads."""

from collections.abc import Callable

import moderngl

from app.mailbox import Mailbox
from app.main_window import Commands, MainWindow
from app.method_menu import Methods
from app.qt import (
    QApplication,
    QObject,
    QSurfaceFormat,
    Qt,
    forget_cv2_plugins,
    pyqtSignal,
)
from app.theme import apply_theme
from app.view import View
from app.worker import Request, Worker
from engine.io.source import Source
from engine.render.renderer import MeshRenderer
from engine.video_fit import Fitter

__all__ = ["LiveSession", "make_application"]


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
        make_renderer: Callable[[moderngl.Context], MeshRenderer],
        make_fitter: Callable[[], Fitter],
        open_named: Callable[[str], Source],
        no_normals: str = "",
        methods: Methods | None = None,
    ) -> None:
        """Args:
        no_normals: why there is no normal network; empty where there is one.
        methods: that the window lets people choose from; None: it shows no choice.
        """
        super().__init__()
        self._views: Mailbox[View] = Mailbox()
        self._poked.connect(self._look, Qt.ConnectionType.QueuedConnection)
        self.worker = Worker(make_fitter, open_named, self.publish)
        commands = Commands(
            self.worker.open, self.worker.set_paused, self.stop, self.worker.set_method
        )
        self.window = MainWindow(make_renderer, commands, no_normals, methods)
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

    def publish(self, view: View) -> None:
        """Show this view as soon as the window looks; from any thread."""
        if self._views.put(view):
            self._poked.emit()

    def _look(self) -> None:
        if (view := self._views.take()) is not None:
            self.window.show_view(view)
            self.on_view(view)
