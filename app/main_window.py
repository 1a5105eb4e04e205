"""The main window: picture, toolbar, status line, banner. It shows views and sends requests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import moderngl

from app.banner import Banner
from app.dialogs import AboutDialog, DetailsDialog, ModelsDialog, ShortcutSheet
from app.face_tags import FaceTags, tag_places
from app.hud import Hud
from app.method_menu import MethodButton, Methods
from app.overlay_widget import OverlayWidget, letterbox, trust_fade
from app.persons import Persons
from app.qt import (
    QAction,
    QActionGroup,
    QApplication,
    QCloseEvent,
    QColor,
    QDragEnterEvent,
    QDropEvent,
    QKeySequence,
    QLabel,
    QMainWindow,
    QProgressBar,
    QResizeEvent,
    QSlider,
    Qt,
    QTimer,
    QToolBar,
    QVBoxLayout,
    QWidget,
)
from app.record_button import RecordButton
from app.recording import RecordingDesk, Told
from app.settings import SettingsStore
from app.source_menu import SourceButton, request_of, sample_request
from app.telling import BannerJudge, state_text, stats_text
from app.theme import apply_theme
from app.view import State, View
from app.view_menu import MODES, PREDICTIONS, ViewButton
from app.window_menu import MenuButton
from app.window_picture import window_picture
from app.worker import Options, Request
from engine.recording.shot import Content, Look
from engine.render.prediction import PredictionMode
from engine.render.renderer import MeshRenderer, RenderMode
from engine.types import U8

__all__ = ["Commands", "MainWindow"]

_OPACITY_STEP = 10  # percent
_SCRUB_STEPS = 1000
_SCRUB_KEY_SHARE = 0.05
_TURN_KEY_PX = 24
_SAVE_EVERY_MS = 2000
_WORDS_MS = 200
_NEWS_MS, _PROBLEM_MS = 8000, 30000


@dataclass(frozen=True, slots=True)
class Commands:
    """What the window asks for; it knows nothing of threads or sources."""

    open: Callable[[Request], None]
    set_paused: Callable[[bool], None]
    closed: Callable[[], None]
    use_method: Callable[[str], None] = lambda name: None
    seek: Callable[[float], None] = lambda share: None
    set_options: Callable[[Options], None] = lambda options: None
    renew_fitter: Callable[[], None] = lambda: None
    renew_person: Callable[[], None] = lambda: None
    providers: Callable[[], Mapping[str, str]] = field(default=lambda: {"cpu": "CPU"})


class MainWindow(QMainWindow):
    """Give it views with `show_view`; everything else goes out through `Commands`."""

    def __init__(
        self,
        make_renderer: Callable[[moderngl.Context], MeshRenderer] | None,
        commands: Commands,
        no_normals: str = "",
        methods: Methods | None = None,
        store: SettingsStore | None = None,
        persons: Persons | None = None,
        recording: RecordingDesk | None = None,
    ) -> None:
        """Args:
        make_renderer: None: the head model is not loaded yet, see `equip`.
        no_normals: why there is no normal network; empty where there is one.
        methods: to choose from; None: there is no choice, or it is not known yet.
        store: what the window remembers; None: nothing.
        persons: whose shapes are known; None: nobody's.
        recording: records and sends; None: the window offers neither.
        """
        super().__init__()
        self._recording = recording
        self.record_button: RecordButton | None = None
        self._commands, self._no_normals = commands, no_normals
        self.store = store or SettingsStore(None)
        self.persons = persons or Persons(None)
        self._request: Request | None = None
        self._judge = BannerJudge()
        self._view = View(State.LOADING, "")
        self._told_state, self._has_more_to_tell = State.LOADING, False
        self._telling = QTimer(self)
        self._telling.setSingleShot(True)
        self._telling.timeout.connect(self._tell_more)
        self._shortcuts: list[tuple[str, str]] = []
        self.setWindowTitle("n2fnet")
        self.resize(1320, 830)
        self.setMinimumSize(560, 400)
        self.setAcceptDrops(True)
        self.canvas = OverlayWidget(make_renderer)
        self.canvas.setAccessibleName("Picture with the fitted heads")
        self.banner = Banner(self.canvas, self._show_details)
        self.hud = Hud(self.canvas, self.canvas.shown_meter)
        self.tags = FaceTags(self.canvas)
        self.mode_actions: dict[RenderMode | PredictionMode, QAction] = {}
        self.method_button: MethodButton | None = None
        self._add_centre()
        self._add_toolbar()
        self._add_status()
        self._saving = QTimer(self)
        self._saving.timeout.connect(self.store.save)
        self._saving.start(_SAVE_EVERY_MS)
        if methods is not None:
            self.equip(make_renderer, no_normals, methods)
        self._apply_settings()

    @property
    def status_text(self) -> str:
        """Both halves of the status line."""
        return f"{self._state_label.text()} | {self._stats_label.text()}"

    @property
    def view(self) -> View:
        """What is shown."""
        return self._view

    @property
    def has_failed(self) -> bool:
        """Whether the source could not be shown."""
        return self._view.state is State.FAILED

    @property
    def method(self) -> str:
        """How heads are fitted."""
        return self.method_button.chosen if self.method_button is not None else "landmarks"

    @property
    def options(self) -> Options:
        """How sources are read and fits are made, as the settings say."""
        s = self.store.present
        return Options(s.every_frame, s.turns, s.pipelined, s.steady)

    def equip(
        self,
        make_renderer: Callable[[moderngl.Context], MeshRenderer] | None,
        no_normals: str,
        methods: Methods,
    ) -> None:
        """Head model and networks are loaded: offer what they can do."""
        self.view_button.set_missing(no_normals)
        self.method_button = MethodButton(self, methods, self._use_method)
        self._bar.insertWidget(self._before_modes, self.method_button)
        self._bar.insertSeparator(self._before_modes)
        self._add_shortcut("F", "Next way to fit", self.method_button.choose_next)
        if make_renderer is not None:
            self.canvas.set_renderer(make_renderer)

    def open(self, request: Request) -> None:
        """Show another source. A camera is mirrored at first, as people know themselves."""
        self._request = request
        self._judge.reset()
        self.canvas.shown_meter.restart()
        self.source_button.setText(request.title)
        is_camera = request.spec.startswith("webcam:")
        self.mirror_action.setChecked(is_camera and self.store.present.mirror_cameras)
        self.pause_action.setChecked(False)
        self._state_label.setText(state_text(View(State.OPENING, request.title)))
        self.store.change(source=request.spec, source_title=request.title)
        self._commands.open(request)

    def show_loading(self, what: str) -> None:
        """Say what is being loaded, behind a progress line."""
        self.progress.show()
        self._state_label.setText(what)

    def show_view(self, view: View) -> None:
        """Put a view on the screen."""
        self._view = view
        self.canvas.show_view(view)
        self.hud.show_view(view)
        self._show_tags(view)
        self._show_banner(view)
        self.progress.setVisible(view.state in (State.LOADING, State.OPENING))
        self._show_words(view)

    def picture(self) -> U8:
        """(H, W, 3) RGB: the window as it is on the screen."""
        return window_picture(self)

    def change_settings(self, **changes: object) -> None:
        """Change settings, and all that follows from them."""
        before = self.store.present
        self.store.change(**changes)
        self._apply_settings()
        now = self.store.present
        if (now.provider, now.n_faces) != (before.provider, before.n_faces):
            self._commands.renew_fitter()
        if now.person != before.person:
            self._commands.renew_person()

    def reset_settings(self) -> None:
        """Everything as on a fresh machine; the source stays."""
        self.store.reset()
        self._apply_settings()

    def use_profile(self, name: str) -> None:
        """Take a profile's settings; the source stays."""
        self.store.use_profile(name)
        self._apply_settings()

    def keep_person(self, name: str) -> None:
        """Keep the shape of the first face under a name.

        Raises: OutputError: if it cannot be written. ValueError: if there is no face, or the name
            is no file name.
        """
        if not self._view.faces:
            raise ValueError("no face is in view; look at the camera and try again")
        self.persons.keep(name, self._view.faces[0].params)
        self.change_settings(person=name)

    def show_shortcuts(self) -> None:
        """All keys."""
        ShortcutSheet(self, self._shortcuts).open()

    def show_models(self) -> None:
        """The files that came with the program."""
        ModelsDialog(self).open()

    def show_about(self) -> None:
        """Versions and licence."""
        AboutDialog(self, self.canvas.drawn_by, self._view.stats.provider).open()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.banner.place()
        self.hud.place()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._saving.stop()
        self.store.save()
        self._commands.closed()
        super().closeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            self.open(request_of(paths[0]))

    def _apply_settings(self) -> None:
        s = self.store.present
        application = QApplication.instance()
        if isinstance(application, QApplication) and application.property("theme") != s.theme:
            application.setProperty("theme", s.theme)
            apply_theme(application, s.theme)
        self.opacity_slider.setValue(s.opacity)
        self.canvas.set_backdrop(s.backdrop)
        self.canvas.set_fades_by_trust(s.fade_by_trust)
        self.hud_action.setChecked(s.hud)
        self.avatar_action.setChecked(s.avatar)
        self.steady_action.setChecked(s.steady)
        named = {str(mode): action for mode, action in self.mode_actions.items()}
        action = named.get(s.mode)
        if action is None or not action.isEnabled():
            action = self.mode_actions[RenderMode.SHADED]
        action.setChecked(True)
        self._commands.set_options(self.options)
        if self.record_button is not None:
            self.record_button.apply_settings()

    def _use_method(self, name: str) -> None:
        self.store.change(method=name)
        self._commands.use_method(name)

    def _show_banner(self, view: View) -> None:
        if view.state is State.FAILED:
            self._show_problem(view.problem or "The source failed.")
        elif view.state is State.WAITING:
            text = view.problem or "The source is silent."
            self.banner.show_waiting(text, "Choose another…", self.source_button.showMenu)
        elif notice := self._judge.notice(view):
            self.banner.show_notice(notice)
        else:
            self.banner.hide()

    def _show_problem(self, problem: str) -> None:
        request = self._request
        if request is not None and request != sample_request():
            self.banner.show_problem(problem, "Try again", lambda: self.open(request))
        else:
            self.banner.show_problem(problem, "Open file…", self.source_button.open_file)

    def _show_details(self, problem: str) -> None:
        source = self._request.spec if self._request is not None else "none"
        more = [f"source: {source}", f"method: {self.method}", f"settings: {self.store.present}"]
        DetailsDialog(self, problem, more).open()

    def _show_tags(self, view: View) -> None:
        if view.frame is None or self.canvas.in_avatar:
            self.tags.show_tags([])
            return
        height, width = view.frame.image.shape[:2]
        place = letterbox((self.canvas.width(), self.canvas.height()), (width, height))
        self.tags.show_tags(tag_places(view, place, self.canvas.mirrored))

    def _show_words(self, view: View) -> None:
        """The status line and the place in the film, so often that they can be read: each change
        makes Qt put the whole window together anew."""
        if view.state is State.PLAYING is self._told_state and self._telling.isActive():
            self._has_more_to_tell = True
            return
        self._told_state, self._has_more_to_tell = view.state, False
        self._telling.start(_WORDS_MS)
        self._state_label.setText(state_text(view))
        self._stats_label.setText(stats_text(view))
        self._show_position(view)

    def _tell_more(self) -> None:
        """The words of the last view that came too soon after another."""
        if self._has_more_to_tell:
            self._show_words(self._view)

    def _show_position(self, view: View) -> None:
        self.scrub.setVisible(view.position is not None)
        if view.position is not None and not self.scrub.isSliderDown():
            self.scrub.blockSignals(True)  # it follows the film here, and does not lead it
            self.scrub.setValue(round(view.position * _SCRUB_STEPS))
            self.scrub.blockSignals(False)

    def _seek(self, by_share: float) -> None:
        if self._view.position is not None:
            self._commands.seek(min(1.0, max(0.0, self._view.position + by_share)))

    def _arrow(self, across: int, down: int) -> None:
        """Arrow keys walk around the avatar, or through the film."""
        if self.canvas.in_avatar:
            self.canvas.turn_avatar(_TURN_KEY_PX * across, _TURN_KEY_PX * down)
        else:
            self._seek(_SCRUB_KEY_SHARE * across)

    def _add_centre(self) -> None:
        centre = QWidget()
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.canvas, 1)
        self.scrub = QSlider(Qt.Orientation.Horizontal)
        self.scrub.setRange(0, _SCRUB_STEPS)
        self.scrub.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.scrub.setToolTip("Place in the film (Left and Right go by a twentieth)")
        self.scrub.setAccessibleName("Place in the film")
        self.scrub.valueChanged.connect(lambda at: self._commands.seek(at / _SCRUB_STEPS))
        self.scrub.hide()
        layout.addWidget(self.scrub)
        self.setCentralWidget(centre)

    def _add_status(self) -> None:
        self._state_label, self._stats_label = QLabel(), QLabel()
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)  # how long it takes nobody knows
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(140)
        self.progress.hide()
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addWidget(self._state_label)
        self.statusBar().addWidget(self.progress)
        self.statusBar().addPermanentWidget(self._stats_label)

    def _add_toolbar(self) -> None:
        self._bar = bar = QToolBar()
        bar.setMovable(False)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.addToolBar(bar)
        self.source_button = SourceButton(self, self.open)
        bar.addWidget(self.source_button)
        bar.addSeparator()
        self._add_modes(bar)
        bar.addSeparator()
        self._add_opacity(bar)
        bar.addSeparator()
        self.avatar_action = self._toggle("Avatar", "A", self._set_avatar, "The head alone")
        self.mirror_action = self._toggle("Mirror", "M", self.canvas.set_mirrored)
        self.pause_action = self._toggle("Pause", "Space", self._commands.set_paused)
        self.steady_action = self._toggle("Steady", "T", self._set_steady, "Filtered, or raw")
        self.hud_action = self._toggle("Numbers", "H", self._set_hud, "Times, age, drops, memory")
        bar.addActions([self.avatar_action, self.mirror_action, self.pause_action])
        bar.addActions([self.steady_action, self.hud_action])
        providers = self._commands.providers
        self._add_recording(bar)
        self.menu_button = MenuButton(self, self, self.store, self.persons, providers)
        bar.addWidget(self.menu_button)
        for key, meaning, act in (
            ("C", "Choose a source", self.source_button.showMenu),
            ("O", "Open a file", self.source_button.open_file),
            ("N", "What is drawn", self.view_button.showMenu),
            ("V", "Turn the picture by a quarter", self._turn),
            ("F10", "Menu", self.menu_button.showMenu),
            ("Left", "Back in the film; turn the avatar", lambda: self._arrow(-1, 0)),
            ("Right", "On in the film; turn the avatar", lambda: self._arrow(1, 0)),
            ("Up", "Look at the avatar from below", lambda: self._arrow(0, -1)),
            ("Down", "Look at the avatar from above", lambda: self._arrow(0, 1)),
            ("?", "This sheet", self.show_shortcuts),
            ("Q", "Quit; Esc too", self.close),
            ("Esc", "", self.close),
        ):
            self._add_shortcut(key, meaning, act)

    def _add_recording(self, bar: QToolBar) -> None:
        if (desk := self._recording) is None:
            return
        if self.store.present.record_folder:
            desk.set_folder(self.store.present.record_folder)
        desk.look = self._look_of_films
        self.record_button = RecordButton(self, desk, self.store, self._tell, self._take_picture)
        self.record_button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        bar.addWidget(self.record_button)
        for key, meaning, act in self.record_button.shortcuts:
            self._add_shortcut(key, meaning, act)

    def _look_of_films(self) -> Look:
        """As heads are drawn here; asked on other threads, which only read."""
        canvas, colour = self.canvas, QColor(self.canvas.backdrop)
        rgb = (colour.red(), colour.green(), colour.blue()) if colour.isValid() else (44, 47, 54)
        fade = trust_fade if canvas.fades_by_trust else lambda quality: 1.0
        stand = canvas.avatar_stand
        return Look(canvas.mode, canvas.opacity, canvas.mirrored, rgb, stand, fade)

    def _take_picture(self) -> None:
        """What is seen: the avatar as it stands and clear around it, or the frame as it is."""
        if (desk := self._recording) is None:
            return
        frame = self._view.frame
        if not self.canvas.in_avatar or frame is None:
            desk.screenshot(Content.OVERLAY)
            return
        picture = self.canvas.avatar_picture(frame.image.shape[1::-1])
        if picture is not None:
            desk.save_picture(picture)

    def _tell(self, told: Told) -> None:
        """Show a message for a while; a problem for longer."""
        self.statusBar().showMessage(told.text, _PROBLEM_MS if told.is_problem else _NEWS_MS)

    def _add_modes(self, bar: QToolBar) -> None:
        group = QActionGroup(self)
        for i, (mode, title) in enumerate((*MODES, *PREDICTIONS), start=1):
            action = self._toggle(
                title, str(i % 10), lambda on, mode=mode: on and self._set_mode(mode)
            )
            group.addAction(action)
            self.addAction(action)  # so that its key works from within a closed menu too
            self.mode_actions[mode] = action
        self.view_button = ViewButton(self, list(self.mode_actions.values()), self._no_normals)
        self._before_modes = bar.addWidget(self.view_button)

    def _add_opacity(self, bar: QToolBar) -> None:
        bar.addWidget(QLabel(" Opacity "))
        self.opacity_slider = slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(0, 100)
        slider.setFixedWidth(70)
        slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        slider.setAccessibleName("Opacity of the head")
        slider.setToolTip("Opacity of the head ([ less, ] more)")
        slider.setValue(round(100 * self.canvas.opacity))
        slider.valueChanged.connect(self._set_opacity)
        bar.addWidget(slider)
        for key, meaning, step in (("[", "Less", -1), ("]", "More", 1)):
            self._add_shortcut(
                key,
                f"{meaning} opaque",
                lambda step=step: slider.setValue(slider.value() + step * _OPACITY_STEP),
            )

    def _set_mode(self, mode: RenderMode | PredictionMode) -> None:
        self.canvas.set_mode(mode)
        self.store.change(mode=str(mode))

    def _set_opacity(self, percent: int) -> None:
        self.canvas.set_opacity(percent / 100)
        self.store.change(opacity=percent)

    def _set_avatar(self, on: bool) -> None:
        self.canvas.set_avatar(on)
        self.store.change(avatar=on)

    def _set_steady(self, on: bool) -> None:
        self.store.change(steady=on)
        self._commands.set_options(self.options)

    def _set_hud(self, on: bool) -> None:
        self.hud.setVisible(on)
        self.hud.show_view(self._view)
        self.store.change(hud=on)

    def _turn(self) -> None:
        self.change_settings(turns=(self.store.present.turns + 1) % 4)

    def _toggle(
        self, title: str, key: str, act: Callable[[bool], object], more: str = ""
    ) -> QAction:
        action = QAction(title, self)
        action.setCheckable(True)
        action.setShortcut(QKeySequence(key))
        action.setToolTip(f"{more or title} ({key})")
        action.toggled.connect(act)
        self._shortcuts.append((key, f"{title}: {more.lower()}" if more else title))
        return action

    def _add_shortcut(self, key: str, meaning: str, act: Callable[[], object]) -> None:
        action = QAction(self)
        action.setShortcut(QKeySequence(key))
        action.triggered.connect(lambda: act())
        self.addAction(action)
        if meaning:
            self._shortcuts.append((key, meaning))
