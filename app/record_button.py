"""The button that records, says how the take stands, and whose menu offers what can be kept."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app.qt import (
    QAction,
    QActionGroup,
    QDesktopServices,
    QFileDialog,
    QInputDialog,
    QMenu,
    QTimer,
    QToolButton,
    QUrl,
    QWidget,
)
from app.recording import RecordingDesk
from app.settings import SettingsStore
from app.told import Told, error_told
from engine.errors import OutputError
from engine.recording.files import make_folder
from engine.recording.shot import Content
from engine.streaming.sink import SinkState
from engine.streaming.targets import SendTarget, parse_target

if TYPE_CHECKING:
    from engine.recording.take import TakeState

__all__ = ["RecordButton", "take_text"]

CONTENTS = {
    Content.VIDEO: "Video",
    Content.OVERLAY: "Overlay",
    Content.AVATAR: "Head alone",
    Content.SIDE_BY_SIDE: "Video beside the head alone",
}
_SUFFIXES = {".mp4": "MP4", ".mkv": "Matroska (MKV)"}
_LOOK_EVERY_MS = 500


def take_text(state: "TakeState") -> str:
    """What the button says of a take: length, size, drops."""
    minutes, seconds = divmod(int(state.seconds), 60)
    parts = [f"{minutes}:{seconds:02d}"]
    if state.n_bytes:
        parts.append(f"{state.n_bytes / 1e6:.1f} MB")
    if state.n_dropped:
        parts.append(f"{state.n_dropped} dropped")
    return "● " + " · ".join(parts)


class RecordButton(QToolButton):
    """R, S and Shift+R do the same from the keyboard: see `shortcuts`."""

    def __init__(
        self,
        parent: QWidget,
        desk: RecordingDesk,
        store: SettingsStore,
        tell: Callable[[Told], None],
        take_picture: Callable[[], None],
        obstacle: Callable[[], str] = str,
    ) -> None:
        """Args:
        tell: shows a message in the window.
        take_picture: what S does.
        obstacle: why there is nothing to record now; empty where there is.
        """
        super().__init__(parent)
        self._desk, self._store, self._tell = desk, store, tell
        self._obstacle = obstacle
        self._refused: set[str] = set()
        self.setObjectName("record")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.setToolTip("Record, or stop (R); the arrow opens more")
        self.clicked.connect(self.toggle)
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self.fill)
        self.setMenu(menu)
        self.shortcuts = (
            ("R", "Record, or stop", self.toggle),
            ("S", "Screenshot", take_picture),
            ("Shift+R", "Save the last ten seconds", desk.save_replay),
        )
        self._take_picture = take_picture
        self.apply_settings()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        self._timer.start(_LOOK_EVERY_MS)
        self.look()

    def apply_settings(self) -> None:
        """Take over what the settings say."""
        s = self._store.present
        self._desk.set_settings(
            content=Content(s.record_content), suffix=s.record_suffix, private=s.private
        )
        self._desk.keep_replay(s.keep_replay)

    def toggle(self) -> None:
        """Start, or stop and finish the file."""
        if self._desk.take is None and (why_not := self._obstacle()):
            self._tell(Told(why_not, is_problem=True))
            return
        self._desk.toggle()
        self.look()

    def ask_folder(self) -> bool:
        """Let a person choose where takes go. Returns: whether one was chosen."""
        folder = QFileDialog.getExistingDirectory(self, "Takes go to", str(self._desk.folder))
        if folder:
            self._desk.set_folder(folder)
            self._store.change(record_folder=folder)
        return bool(folder)

    def look(self) -> None:
        """Show how the take and the receivers stand, and tell what there is to tell."""
        for told in self._desk.news():
            self._tell(told)
        state = self._desk.take
        self.setText(take_text(state) if state is not None else "Record")
        if self.property("recording") != (state is not None):
            self.setProperty("recording", state is not None)
            self.style().polish(self)  # the style sheet looks at it
        for sink in self._desk.sinks.values():
            self._tell_of(sink)

    def fill(self) -> None:
        """Write the menu anew."""
        menu, s = self.menu(), self._store.present
        menu.clear()
        menu.addAction("Stop\tR" if self._desk.take else "Record\tR", self.toggle)
        self._choice(menu.addMenu("Films show"), "record_content", CONTENTS)
        self._choice(menu.addMenu("Films are"), "record_suffix", _SUFFIXES)
        self._flag(menu, "Privacy: parameters alone, no pictures", "private", on=s.private)
        menu.addSeparator()
        pictures = menu.addMenu("Screenshot")
        pictures.addAction("As it is shown\tS", self._take_picture)
        for content, title in CONTENTS.items():
            more = ", transparent around it" if content is Content.AVATAR else ""
            pictures.addAction(f"{title}{more}", lambda c=content: self._desk.screenshot(c))
        self._flag(menu, "Keep the last ten seconds at hand", "keep_replay", on=s.keep_replay)
        menu.addAction("Save the last ten seconds\tShift+R", self._desk.save_replay)
        menu.addSeparator()
        menu.addAction("Open the folder", self._open_folder)
        menu.addAction("Another folder…", self.ask_folder)
        menu.addSeparator()
        self._add_sending(menu.addMenu("Send to"))

    def _choice(self, menu: QMenu, name: str, titles: dict[Any, str]) -> None:
        group = QActionGroup(menu)
        for value, title in titles.items():
            action = QAction(title, menu)
            action.setCheckable(True)
            action.setChecked(getattr(self._store.present, name) == str(value))
            action.triggered.connect(lambda _, value=value: self._set(**{name: str(value)}))
            group.addAction(action)
            menu.addAction(action)

    def _flag(self, menu: QMenu, title: str, name: str, *, on: bool) -> None:
        action = QAction(title, menu)
        action.setCheckable(True)
        action.setChecked(on)
        action.toggled.connect(lambda on: self._set(**{name: on}))
        menu.addAction(action)

    def _set(self, **changes: object) -> None:
        self._store.change(**changes)
        self.apply_settings()

    def _add_sending(self, menu: QMenu) -> None:
        for target, state in self._desk.sinks.items():
            told = state.problem or f"{state.n_sent} sent"
            action = menu.addAction(f"{target}: {told[:60]}", lambda t=target: self._stop(t))
            action.setCheckable(True)
            action.setChecked(True)
            action.setToolTip(f"{told}. Choose it to stop.")
            if target.kind != "camera":
                title = f"Move every channel of {target} in turn"
                menu.addAction(title, lambda t=target: self._desk.test_channels(t))
        for title, text in (
            ("Avatar programs here (VMC)", "vmc"),
            ("Unreal here (Live Link Face)", "livelink"),
            ("Virtual camera", "camera"),
        ):
            target = parse_target(text)
            if target not in self._desk.sinks:
                menu.addAction(title, lambda t=target: self._desk.send_to(t))
        menu.addAction("Another computer…", self._ask_target)

    def _stop(self, target: SendTarget) -> None:
        self._refused.discard(str(target))
        self._desk.stop_sending(target)

    def _tell_of(self, sink: SinkState) -> None:
        """Say a receiver's problem once, and again only after it went well."""
        if not sink.problem:
            self._refused.discard(sink.name)
        elif sink.name not in self._refused:
            self._refused.add(sink.name)
            self._tell(Told(f"{sink.name}: {sink.problem}", is_problem=True))

    def _ask_target(self) -> None:
        text, given = QInputDialog.getText(
            self, "Send to", "vmc:HOST:PORT, livelink:HOST:PORT or camera:"
        )
        if not given:
            return
        try:
            self._desk.send_to(parse_target(text))
        except ValueError as error:
            self._tell(Told(str(error), is_problem=True))

    def _open_folder(self) -> None:
        try:
            make_folder(self._desk.folder)
        except OutputError as error:
            self._tell(error_told(error))
            return
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._desk.folder)))
