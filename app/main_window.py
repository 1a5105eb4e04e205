"""The main window: picture, toolbar, status line, banner. It shows views and sends requests."""

from collections.abc import Sequence

from app.banner import Banner
from app.camera_desk import CameraDesk
from app.canvas import MakeRenderer
from app.commands import Commands
from app.dialogs import AboutDialog, DetailsDialog, ShortcutSheet
from app.film_bar import FilmBar
from app.hud import Hud
from app.method_menu import MethodButton, Methods
from app.models_dialog import ModelsDialog
from app.options import Options
from app.overlay_widget import OverlayWidget
from app.persons import Persons
from app.provider_desk import ProviderDesk
from app.qt import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QMainWindow,
    QResizeEvent,
    QVBoxLayout,
    QWidget,
)
from app.record_button import RecordButton
from app.record_control import recording_button
from app.recording import RecordingDesk
from app.settings import Settings, SettingsStore
from app.source_menu import SourceButton, request_of
from app.source_thread import Request
from app.stage import Stage
from app.status_line import Calm, StatusLine
from app.telling import gives_text, state_text
from app.told import Told
from app.view import State, View
from app.view_banner import ViewBanner
from app.window_bar import BarActs, EndBar, WindowBar
from app.window_keys import WindowKeys
from app.window_menu import MenuButton
from app.window_picture import window_picture
from app.window_settings import Follows, WindowSettings
from app.window_shortcuts import add_keys
from engine.render.prediction import PredictionMode
from engine.render.renderer import RenderMode
from engine.types import U8

__all__ = ["Commands", "MainWindow"]

_NEWS_MS = 8000


class MainWindow(QMainWindow):
    """Give it views with `show_view`; everything else goes out through `Commands`."""

    def __init__(
        self,
        make_renderer: MakeRenderer | None,
        commands: Commands,
        no_normals: str = "",
        methods: Methods | None = None,
        store: SettingsStore | None = None,
        persons: Persons | None = None,
        recording: RecordingDesk | None = None,
        providers: ProviderDesk | None = None,
    ) -> None:
        """Args:
        make_renderer: None: the head model is not loaded yet, see `equip`.
        no_normals: why there is no normal network; empty where there is one.
        methods: to choose from; None: there is no choice, or it is not known yet.
        store: what the window remembers; None: nothing.
        persons: whose shapes are known; None: nobody's.
        recording: records and sends; None: the window offers neither.
        providers: what networks can run on; None: the CPU alone.
        """
        super().__init__()
        self._recording, self._commands = recording, commands
        self.record_button: RecordButton | None = None
        self.method_button: MethodButton | None = None
        self._request: Request | None = None
        self._view = View(State.LOADING, "")
        self.setWindowTitle("n2fnet")
        self.resize(1320, 830)
        self.setMinimumSize(560, 400)
        self.setAcceptDrops(True)
        follows = Follows(
            self._apply, self._apply_rest, commands.renew_fitter, commands.renew_person
        )
        self._settings = WindowSettings(
            self, store or SettingsStore(None), persons or Persons(None), follows
        )
        self._keys = WindowKeys(self)
        self.cameras = CameraDesk(self.store)
        self.providers = providers or ProviderDesk(self.store)
        self.providers.told.connect(self._tell_text)
        self.providers.chosen.connect(commands.renew_fitter)
        self._add_picture(make_renderer)
        self._add_bar(no_normals)
        self._status = StatusLine(self.statusBar())
        self.progress = self._status.progress
        if self.store.told:
            self.warn(["\n".join(self.store.told)])
        self._calm = Calm(self, self._show_words)
        if methods is not None:
            self.equip(make_renderer, no_normals, methods)
        self._settings.apply()

    @property
    def store(self) -> SettingsStore:
        """What the window remembers."""
        return self._settings.store

    @property
    def persons(self) -> Persons:
        """Whose shapes are known."""
        return self._settings.persons

    @property
    def status_text(self) -> str:
        """Both halves of the status line."""
        return self._status.text

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
    def against(self) -> str:
        """A second method that is shown against it; empty: none."""
        return self.method_button.against if self.method_button is not None else ""

    @property
    def options(self) -> Options:
        """How sources are read and fits are made, as the settings say."""
        return self._settings.options

    def equip(self, make_renderer: MakeRenderer | None, no_normals: str, methods: Methods) -> None:
        """Head model and networks are loaded: offer what they can do."""
        self.view_button.set_missing(no_normals)
        self.method_button = MethodButton(self, methods, self._use_method, self._compare_with)
        self._bar.add_method(self.method_button)
        self._keys.add("F", "Next way to fit", self.method_button.choose_next)
        self._keys.add("B", "Another way to fit against it, or not", self._toggle_comparison)
        self.method_button.compare_with(self.store.present.against)
        if make_renderer is not None:
            self.stage.set_renderer(make_renderer)
        self.providers.apply()

    def warn(self, texts: Sequence[str]) -> None:
        """Say in the banner what is not as it should be; texts: cause and fix, each."""
        self._view_banner.warn(texts)

    def open(self, request: Request) -> None:
        """Show another source. A camera is mirrored at first, as people know themselves."""
        self._request = request
        self._view_banner.reset(request)
        self.canvas.shown_meter.restart()
        self.source_button.show_request(request)
        is_camera = request.spec.startswith("webcam:")
        self.mirror_action.setChecked(is_camera and self.store.present.mirror_cameras)
        self.pause_action.setChecked(False)
        self._status.show_state(state_text(View(State.OPENING, request.title)))
        self.store.change(source=request.spec, source_title=request.title)
        self._commands.open(request)

    def show_loading(self, what: str) -> None:
        """Say what is being loaded, behind a progress line."""
        self.progress.show()
        self._status.show_state(what)

    def show_view(self, view: View) -> None:
        """Put a view on the screen."""
        self._view = view
        self.stage.show_view(view)
        self.hud.show_view(view)
        self._view_banner.show_view(view)
        self.progress.setVisible(view.state in (State.LOADING, State.OPENING))
        self._calm.show_view(view)

    def picture(self) -> U8:
        """(H, W, 3) RGB: the window as it is on the screen."""
        return window_picture(self)

    def change_settings(self, **changes: object) -> None:
        """Change settings, and all that follows from them."""
        self._settings.change(**changes)

    def reset_settings(self) -> None:
        """Everything as on a fresh machine; the source stays."""
        self._settings.reset()

    def use_profile(self, name: str) -> None:
        """Take a profile's settings; the source stays."""
        self._settings.use_profile(name)

    def keep_person(self, name: str) -> None:
        """As `WindowSettings.keep_person`, of what is shown."""
        self._settings.keep_person(name, self._view)

    def forget_person(self, name: str) -> None:
        """As `WindowSettings.forget_person`."""
        self._settings.forget_person(name)

    def show_shortcuts(self) -> None:
        """All keys."""
        ShortcutSheet(self, self._keys.meanings).open()

    def show_models(self) -> None:
        """The files that came with the program."""
        ModelsDialog(self).open()

    def show_about(self) -> None:
        """Versions and licence."""
        AboutDialog(self, self.canvas.drawn_by, self._view.stats.provider).open()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.hud.place()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._settings.close()
        self._commands.closed()
        super().closeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            self.open(request_of(paths[0]))

    def _apply(self, s: Settings) -> None:
        self._bar.opacity_slider.setValue(s.opacity)
        self.canvas.set_backdrop(s.backdrop)
        self.canvas.set_fades_by_trust(s.fade_by_trust)
        self.stage.wipe.set_beside(s.beside)
        self.hud_action.setChecked(s.hud)
        self.avatar_action.setChecked(s.avatar)
        self.steady_action.setChecked(s.steady)
        self._bar.check_mode(s.mode)
        if self.method_button is not None:
            self.method_button.compare_with(s.against)
        self.providers.apply()
        self._commands.set_options(self.options)
        if self.record_button is not None:
            self.record_button.apply_settings()

    def _apply_rest(self, s: Settings) -> None:
        """Method and folder, which one chooses where they are shown; the source stays."""
        if self.method_button is not None:
            self.method_button.use(s.method)
            self.store.change(method=s.method)  # which may leave it open
        if self._recording is not None:
            self._recording.set_stored_folder(s.record_folder)

    def _use_method(self, name: str) -> None:
        self.store.change(method=name)
        self._commands.use_method(name)

    def _compare_with(self, name: str) -> None:
        self.store.change(against=name, last_against=name or self.store.present.against)
        self._commands.compare_with(name)

    def _toggle_comparison(self) -> None:
        if self.method_button is not None:
            self.method_button.toggle_comparison(self.store.present.last_against)

    def _show_details(self, problem: str) -> None:
        source = self._request.spec if self._request is not None else "none"
        more = [f"source: {source}", f"method: {self.method}", f"settings: {self.store.present}"]
        DetailsDialog(self, problem, more).open()

    def _show_words(self, view: View) -> None:
        self._status.show_view(view)
        self.stage.show_words(view)
        self.scrub.show_view(view)

    def _add_picture(self, make_renderer: MakeRenderer | None) -> None:
        self.canvas = OverlayWidget(make_renderer)
        self.canvas.setAccessibleName("Picture with the fitted heads")
        self.stage = Stage(self.canvas)
        self.banner = Banner(self.stage, self._show_details)
        self.hud = Hud(self.stage, self.canvas.shown_meter)
        self.tags = self.stage.tags
        self.scrub = FilmBar(self._commands.seek)
        centre = QWidget()
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.stage, 1)
        layout.addWidget(self.scrub)
        self.setCentralWidget(centre)

    def _add_bar(self, no_normals: str) -> None:
        acts = BarActs(
            self._set_mode,
            self._set_opacity,
            self._set_avatar,
            self.stage.set_mirrored,
            self._commands.set_paused,
            self._set_steady,
            self._set_hud,
        )
        self.source_button = SourceButton(
            self, self.open, self.cameras, lambda: gives_text(self._view)
        )
        self._view_banner = ViewBanner(
            self.banner, self.source_button, self.open, self._choose_folder
        )
        self._bar = bar = WindowBar(
            self, self._keys, self.canvas.opacity, acts, self.source_button, no_normals
        )
        self.addToolBar(bar)
        self._end_bar = EndBar(self)
        self.addToolBar(self._end_bar)
        self.view_button = bar.view_button
        self.mode_actions, self.pause_action = bar.mode_actions, bar.pause_action
        self.avatar_action, self.mirror_action = bar.avatar_action, bar.mirror_action
        self.steady_action, self.hud_action = bar.steady_action, bar.hud_action
        self._add_recording()
        self.menu_button = MenuButton(self, self, self.store, self.persons, self.providers)
        self._end_bar.add_button(self.menu_button)
        add_keys(self._keys, self)

    def _add_recording(self) -> None:
        if self._recording is None:
            return
        self.record_button = recording_button(self, self._recording, self.canvas, self._tell)
        self._end_bar.add_button(self.record_button)
        for key, meaning, act in self.record_button.shortcuts:
            self._keys.add(key, meaning, act)

    def _tell_text(self, text: str) -> None:
        self._tell(Told(text))

    def _tell(self, told: Told) -> None:
        """Show a message for a while, a problem until it was read."""
        if told.is_problem:
            self._view_banner.tell(told)
        else:
            self.statusBar().showMessage(told.text, _NEWS_MS)

    def _choose_folder(self) -> bool:
        return self.record_button is not None and self.record_button.ask_folder()

    def _set_mode(self, mode: RenderMode | PredictionMode) -> None:
        self.stage.set_mode(mode)
        self.store.change(mode=str(mode))

    def _set_opacity(self, percent: int) -> None:
        self.stage.set_opacity(percent / 100)
        self.store.change(opacity=percent)

    def _set_avatar(self, on: bool) -> None:
        self.stage.set_avatar(on)
        self.store.change(avatar=on)

    def _set_steady(self, on: bool) -> None:
        self.store.change(steady=on)
        self._commands.set_options(self.options)

    def _set_hud(self, on: bool) -> None:
        self.hud.setVisible(on)
        self.hud.show_view(self._view)
        self.store.change(hud=on)
