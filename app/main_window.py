"""The main window: picture, toolbar, status line, banner. It shows views and sends requests."""

from collections.abc import Callable
from dataclasses import dataclass

import moderngl

from app.banner import Banner
from app.method_menu import MethodButton, Methods
from app.network_menu import PREDICTIONS, NetworkButton
from app.overlay_widget import OverlayWidget
from app.qt import (
    QAction,
    QActionGroup,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeySequence,
    QLabel,
    QMainWindow,
    QResizeEvent,
    QSlider,
    Qt,
    QToolBar,
)
from app.source_menu import SourceButton, request_of, sample_request
from app.view import State, View
from app.window_picture import window_picture
from app.worker import Request
from engine.render.prediction import PredictionMode
from engine.render.renderer import MeshRenderer, RenderMode
from engine.types import U8

__all__ = ["Commands", "MainWindow"]

MODES = (
    (RenderMode.SHADED, "Shaded"),
    (RenderMode.WIREFRAME, "Wireframe"),
    (RenderMode.HEAD_NORMALS, "Normals, head"),
    (RenderMode.VIEW_NORMALS, "Normals, view"),
    (RenderMode.LANDMARKS, "Landmarks"),
    (RenderMode.TEXTURE, "Texture"),
)
"""In the order of their keys, 1 to 6."""
_OPACITY_STEP = 10  # percent
_NO_FACE_FRAMES = 10
"""So many frames without a face before it is said: shorter gaps would only flicker."""
_NO_FACE = "No face found. The whole head should be in view, with light on the face."


@dataclass(frozen=True, slots=True)
class Commands:
    """What the window asks for; it knows nothing of threads or sources."""

    open: Callable[[Request], None]
    set_paused: Callable[[bool], None]
    closed: Callable[[], None]
    use_method: Callable[[str], None] = lambda name: None


class MainWindow(QMainWindow):
    """Give it views with `show_view`; everything else goes out through `Commands`."""

    def __init__(
        self,
        make_renderer: Callable[[moderngl.Context], MeshRenderer],
        commands: Commands,
        no_normals: str = "",
        methods: Methods | None = None,
    ) -> None:
        """Args:
        no_normals: why there is no normal network; empty where there is one.
        methods: to choose from; None: there is no choice.
        """
        super().__init__()
        self._commands, self._no_normals, self._methods = commands, no_normals, methods
        self._request: Request | None = None
        self._frames_without_face = 0
        self.setWindowTitle("n2fnet")
        self.resize(1320, 830)
        self.setMinimumSize(560, 400)
        self.setAcceptDrops(True)
        self.canvas = OverlayWidget(make_renderer)
        self.setCentralWidget(self.canvas)
        self.banner = Banner(self.canvas)
        self.mode_actions: dict[RenderMode | PredictionMode, QAction] = {}
        self._add_toolbar()
        self._state_label, self._stats_label = QLabel(), QLabel()
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addWidget(self._state_label, 1)
        self.statusBar().addPermanentWidget(self._stats_label)

    @property
    def status_text(self) -> str:
        """Both halves of the status line."""
        return f"{self._state_label.text()} | {self._stats_label.text()}"

    @property
    def method(self) -> str:
        """How heads are fitted."""
        return self.method_button.chosen if self._methods is not None else "landmarks"

    def open(self, request: Request) -> None:
        """Show another source. A camera is mirrored at first, as people know themselves."""
        self._request = request
        self._frames_without_face = 0
        self.source_button.setText(request.title)
        self.mirror_action.setChecked(request.spec.startswith("webcam:"))
        self.pause_action.setChecked(False)
        self._state_label.setText(_state_text(View(State.OPENING, request.title)))
        self._commands.open(request)

    def show_view(self, view: View) -> None:
        """Put a view on the screen."""
        self.canvas.show_view(view)
        self._show_banner(view)
        self._state_label.setText(_state_text(view))
        self._stats_label.setText(_stats_text(view))

    def picture(self) -> U8:
        """(H, W, 3) RGB: the window as it is on the screen."""
        return window_picture(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.banner.place()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._commands.closed()
        super().closeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            self.open(request_of(paths[0]))

    def _show_banner(self, view: View) -> None:
        if view.state is State.FAILED:
            self._show_problem(view.problem or "The source failed.")
            return
        if view.state is State.PLAYING:
            self._frames_without_face = 0 if view.faces else self._frames_without_face + 1
        # The last picture of an ended source is judged at once: no other will follow.
        ended_without = view.state is State.ENDED and view.frame is not None and not view.faces
        if self._frames_without_face >= _NO_FACE_FRAMES or ended_without:
            self.banner.show_notice(_NO_FACE)
        else:
            self.banner.hide()

    def _show_problem(self, problem: str) -> None:
        request = self._request
        if request is not None and request != sample_request():
            self.banner.show_problem(problem, "Try again", lambda: self.open(request))
        else:
            self.banner.show_problem(problem, "Open file…", self.source_button.open_file)

    def _add_toolbar(self) -> None:
        bar = QToolBar()
        bar.setMovable(False)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.addToolBar(bar)
        self.source_button = SourceButton(self, self.open)
        bar.addWidget(self.source_button)
        bar.addSeparator()
        if self._methods is not None:
            self.method_button = MethodButton(self, self._methods, self._commands.use_method)
            bar.addWidget(self.method_button)
            self._add_shortcut("F", self.method_button.choose_next)
            bar.addSeparator()
        self._add_modes(bar)
        bar.addSeparator()
        self._add_opacity(bar)
        bar.addSeparator()
        self.mirror_action = self._toggle("Mirror", "M", self.canvas.set_mirrored)
        self.pause_action = self._toggle("Pause", "Space", self._commands.set_paused)
        bar.addActions([self.mirror_action, self.pause_action])
        self._add_shortcut("O", self.source_button.open_file)
        self._add_shortcut("Q", self.close)
        self._add_shortcut("Esc", self.close)

    def _add_modes(self, bar: QToolBar) -> None:
        group = QActionGroup(self)
        for key, (mode, title) in enumerate((*MODES, *PREDICTIONS), start=1):
            action = self._toggle(
                title, str(key), lambda on, mode=mode: on and self.canvas.set_mode(mode)
            )
            group.addAction(action)
            self.addAction(action)  # so that its key works from within a closed menu too
            self.mode_actions[mode] = action
        bar.addActions([self.mode_actions[mode] for mode, _ in MODES])
        maps = [self.mode_actions[mode] for mode, _ in PREDICTIONS]
        self.network_button = NetworkButton(self, maps, self._no_normals)
        bar.addWidget(self.network_button)
        self.mode_actions[self.canvas.mode].setChecked(True)

    def _add_opacity(self, bar: QToolBar) -> None:
        bar.addWidget(QLabel(" Opacity "))
        self.opacity_slider = slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(0, 100)
        slider.setFixedWidth(80)
        slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        slider.setToolTip("Opacity of the head ([ less, ] more)")
        slider.setValue(round(100 * self.canvas.opacity))
        slider.valueChanged.connect(lambda percent: self.canvas.set_opacity(percent / 100))
        bar.addWidget(slider)
        self._add_shortcut("[", lambda: slider.setValue(slider.value() - _OPACITY_STEP))
        self._add_shortcut("]", lambda: slider.setValue(slider.value() + _OPACITY_STEP))

    def _toggle(self, title: str, key: str, act: Callable[[bool], None]) -> QAction:
        action = QAction(title, self)
        action.setCheckable(True)
        action.setShortcut(QKeySequence(key))
        action.setToolTip(f"{title} ({key})")
        action.toggled.connect(act)
        return action

    def _add_shortcut(self, key: str, act: Callable[[], object]) -> None:
        action = QAction(self)
        action.setShortcut(QKeySequence(key))
        action.triggered.connect(lambda: act())
        self.addAction(action)


def _state_text(view: View) -> str:
    if view.state is State.OPENING:
        return f"Opening {view.source} …" if view.source else "Starting …"
    if view.state is State.FAILED:
        return f"{view.source}: failed" if view.source else "Failed"
    size = ""
    if view.frame is not None:
        height, width = view.frame.image.shape[:2]
        size = f"  ·  {width} x {height}"
    ended = "  ·  ended" if view.state is State.ENDED else ""
    return f"{view.source}{size}{ended}"


def _stats_text(view: View) -> str:
    if view.state is not State.PLAYING:
        return ""
    stats = view.stats
    parts = [f"{stats.fps:.0f} FPS"]
    parts += [f"{stage} {ms:.1f} ms" for stage, ms in stats.stage_ms.items()]
    if stats.age_ms is not None:
        parts.append(f"behind {stats.age_ms:.0f} ms")
        parts.append(f"dropped {stats.dropped}")
    return "  ·  ".join(parts)
