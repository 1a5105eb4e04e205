"""A window and the worker that feeds it: application, mailbox, the poke between threads."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import moderngl

from app.camera_desk import camera_named, number_of
from app.commands import Commands
from app.mailbox import Mailbox
from app.main_window import MainWindow
from app.method_menu import Methods
from app.persons import Persons
from app.provider_desk import ProviderDesk
from app.qt import (
    QApplication,
    QObject,
    QSurfaceFormat,
    Qt,
    forget_cv2_plugins,
    pyqtSignal,
)
from app.recording import RecordingDesk
from app.settings import SettingsStore
from app.source_thread import Request
from app.theme import apply_theme
from app.view import State, View
from engine.errors import EngineError, cause_of
from engine.io.camera import CameraInfo
from engine.io.source import Source
from engine.render.renderer import MeshRenderer

if TYPE_CHECKING:
    from app.steadier import Steadier
    from app.worker import LiveFitter, Worker

__all__ = ["LiveSession", "Loaded", "make_application"]

logger = logging.getLogger(__name__)

_LOADING_S = 6.0
"""So long the end waits for what is being loaded."""


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
    application.setProperty("theme", "dark")
    apply_theme(application, "dark")
    return application


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a window can do once head model and networks are known."""

    make_renderer: Callable[[moderngl.Context], MeshRenderer]
    make_fitter: "Callable[[], LiveFitter]"
    open_source: Callable[[str], Source]
    no_normals: str = ""  # why there is no normal network; empty where there is one
    methods: Methods | None = None  # to choose from; None: no choice
    make_steadier: "Callable[[], Steadier] | None" = None
    told: tuple[str, ...] = ()  # what others stand in for: cause and fix, a text each


class LiveSession(QObject):
    """A window and the threads that feed it.

    Views go through a one-slot mailbox; a queued signal without data tells the window to look.
    It is sent only when the box was empty, so at most one is ever waiting.
    """

    _poked = pyqtSignal()
    _progressed = pyqtSignal(str)
    _loaded = pyqtSignal(object)
    _not_loaded = pyqtSignal(str)

    def __init__(
        self,
        make_renderer: Callable[[moderngl.Context], MeshRenderer] | None = None,
        make_fitter: "Callable[[], LiveFitter] | None" = None,
        open_named: Callable[[str], Source] | None = None,
        no_normals: str = "",
        methods: Methods | None = None,
        *,
        load: Callable[[Callable[[str], None]], Loaded] | None = None,
        store: SettingsStore | None = None,
        persons: Persons | None = None,
        providers: ProviderDesk | None = None,
        recording: RecordingDesk | None = None,
    ) -> None:
        """Args:
        make_renderer, make_fitter, open_named, no_normals, methods: as in `Loaded`, where all is
            known at once; the window then has them from the start.
        load: finds them out instead, on a thread of its own, while the window is open already;
            tells what it is at by the callable it is given.
        store, persons: what the window remembers; None: nothing.
        providers: what networks can run on; closed here.
        recording: gets every view; closed here.
        """
        super().__init__()
        self._views: Mailbox[View] = Mailbox()
        queued = Qt.ConnectionType.QueuedConnection
        self._poked.connect(self._look, queued)
        self._progressed.connect(lambda what: self.window.show_loading(what), queued)
        self._loaded.connect(self._take_loaded, queued)
        self._not_loaded.connect(self._tell_not_loaded, queued)
        self._load = load
        self._loader: threading.Thread | None = None
        self._first: Request | None = None
        self.worker: Worker | None = None
        self.on_view: Callable[[View], None] = lambda view: None
        self.stopped_clean = True
        commands = Commands(
            open=self._open,
            set_paused=lambda paused: self._tell(lambda w: w.set_paused(paused)),
            closed=self.stop,
            use_method=lambda name: self._tell(lambda w: w.set_method(name)),
            compare_with=lambda name: self._tell(lambda w: w.compare_with(name)),
            seek=lambda share: self._tell(lambda w: w.seek(share)),
            set_options=lambda options: self._tell(lambda w: w.set_options(options)),
            renew_fitter=lambda: self._tell(lambda w: w.renew_fitter()),
            renew_person=lambda: self._tell(lambda w: w.renew_person()),
        )
        self.recording = recording
        self.window = MainWindow(
            make_renderer, commands, no_normals, methods, store, persons, recording, providers
        )
        if make_renderer is not None and make_fitter is not None and open_named is not None:
            self._begin(Loaded(make_renderer, make_fitter, open_named))

    def start(self, request: Request) -> None:
        """Show the window and the first source."""
        self.window.show()
        self.window.open(request)

    def stop(self) -> None:
        """Source and worker first, then the mailbox; the window's GL goes with the window."""
        self.window.hide()  # at once, however long a camera takes
        loader, self._load = self._loader, None
        if loader is not None:
            loader.join(_LOADING_S)
            self.stopped_clean = not loader.is_alive()
        if self.worker is not None:
            self.stopped_clean = self.worker.stop() and self.stopped_clean
        self.stopped_clean = self.window.providers.close() and self.stopped_clean
        if self.recording is not None:
            self.stopped_clean = self.recording.close() and self.stopped_clean
        self._views.close()

    def cameras_changed(self, cameras: list[CameraInfo]) -> None:
        """Show the list, and the camera that is wanted where it has come back."""
        window, known = self.window, self.window.store.present
        window.source_button.refresh()
        camera = camera_named(known.source_title, cameras, number_of(known.source))
        if camera is None or not known.source.startswith("webcam:"):
            return
        if window.has_failed:
            window.open(Request(f"webcam:{camera.index}", camera.name))
        else:
            self._tell(lambda w: w.retry_now())

    def publish(self, view: View) -> None:
        """Show this view as soon as the window looks; from any thread."""
        if self.recording is not None:
            self.recording.on_view(view)
        if self._views.put(view):
            self._poked.emit()

    def _look(self) -> None:
        if (view := self._views.take()) is not None:
            self.window.show_view(view)
            self.on_view(view)

    def _open(self, request: Request) -> None:
        self._first = request  # for a worker that is still to come
        if self.worker is not None:
            self.worker.open(request)
        elif self._load is not None and self._loader is None:
            self.window.show_loading("Loading …")
            self._loader = threading.Thread(target=self._run_load, name="n2f-loader", daemon=True)
            self._loader.start()

    def _tell(self, act: "Callable[[Worker], None]") -> None:
        if self.worker is not None:
            act(self.worker)

    def _run_load(self) -> None:
        load = self._load
        try:
            if load is not None:
                self._loaded.emit(load(self._progressed.emit))
        except EngineError as error:
            self._not_loaded.emit(str(error))
        except Exception as error:  # a thread's errors must reach the window
            logger.exception("loading broke off")
            told = f"loading failed: {cause_of(error)}; try again, or run `n2f doctor`"
            self._not_loaded.emit(told)

    def _tell_not_loaded(self, problem: str) -> None:
        self._loader = None  # the next request loads again
        self.publish(View(State.FAILED, "", problem=problem))

    def _take_loaded(self, loaded: Loaded) -> None:
        if self._views.closed:
            return
        if loaded.methods is not None:
            self.window.equip(loaded.make_renderer, loaded.no_normals, loaded.methods)
        self.window.warn(loaded.told)
        self._begin(loaded)

    def _begin(self, loaded: Loaded) -> None:
        from app.worker import Worker

        self.worker = Worker(
            loaded.make_fitter,
            loaded.open_source,
            self.publish,
            make_steadier=loaded.make_steadier,
            options=self.window.options,
        )
        self.worker.compare_with(self.window.against)
        self.worker.start()
        if self._first is not None:
            self.worker.open(self._first)
