"""The menu of everything that needs no button of its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from app.persons import Persons
from app.provider_desk import ProviderDesk
from app.qt import (
    QAction,
    QActionGroup,
    QColor,
    QColorDialog,
    QInputDialog,
    QMenu,
    QMessageBox,
    Qt,
    QToolButton,
    QWidget,
)
from app.settings import Settings, SettingsStore
from engine.errors import EngineError

__all__ = ["MenuButton", "MenuCommands"]

_TURNS = ("Upright", "Quarter turn left", "Upside down", "Quarter turn right")
_THEMES = {"dark": "Dark", "light": "Light"}
_BACKDROPS = {
    "#1f6f50": "Green",
    "#2b3038": "Grey",
    "#ffffff": "White",
    "transparent": "Transparent",
}


class MenuCommands(Protocol):
    """What the menu asks of its window."""

    def change_settings(self, **changes: object) -> None: ...
    def reset_settings(self) -> None: ...
    def use_profile(self, name: str) -> None: ...
    def keep_person(self, name: str) -> None: ...
    def forget_person(self, name: str) -> None: ...
    def show_shortcuts(self) -> None: ...
    def show_models(self) -> None: ...
    def show_about(self) -> None: ...


class MenuButton(QToolButton):
    """Opens the menu, which is filled from the settings in force each time."""

    def __init__(
        self,
        parent: QWidget,
        commands: MenuCommands,
        store: SettingsStore,
        persons: Persons,
        providers: ProviderDesk,
    ) -> None:
        """providers: what networks can run on here; asked when the menu is opened."""
        super().__init__(parent)
        self._commands, self._store, self._persons = commands, store, persons
        self._providers = providers
        self.setObjectName("menu")
        self.setText("Menu")
        self.setToolTip("View, sources, people, profiles, models and about (F10)")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self.fill)
        self.setMenu(menu)

    def fill(self) -> None:
        """Write the menu anew."""
        menu, now = self.menu(), self._store.present
        menu.clear()
        self._flag(menu, "Fade heads that are not to be trusted", "fade_by_trust", now)
        self._choice(menu.addMenu("Behind the avatar"), "backdrop", _BACKDROPS, now)
        menu.actions()[-1].menu().addAction("Another colour…", self._ask_colour)
        self._choice(menu.addMenu("Look"), "theme", _THEMES, now)
        menu.addSeparator()
        turns = dict(enumerate(_TURNS))
        self._choice(menu.addMenu("Turn the picture"), "turns", turns, now)
        self._flag(menu, "Mirror cameras at first", "mirror_cameras", now)
        self._flag(menu, "Fit every frame of a file (slow films)", "every_frame", now)
        self._flag(
            menu, "See the next frame while one is fitted (more frames, more lag)", "pipelined", now
        )
        self._add_providers(menu.addMenu("Networks run on"), now)
        menu.addSeparator()
        faces = {1: "One", 2: "Two", 3: "Three", 4: "Four"}
        self._choice(menu.addMenu("Faces to follow"), "n_faces", faces, now)
        self._flag(menu, "Fit the first in every frame, others as time allows", "by_turns", now)
        self._flag(menu, "Two methods next to each other, without a line", "beside", now)
        self._add_people(menu.addMenu("People"), now)
        self._add_profiles(menu.addMenu("Settings"))
        menu.addSeparator()
        menu.addAction("Models and licences…", self._commands.show_models)
        menu.addAction("Keyboard shortcuts…\t?", self._commands.show_shortcuts)
        menu.addAction("About…", self._commands.show_about)

    def _flag(self, menu: QMenu, title: str, name: str, now: Settings) -> None:
        action = QAction(title, menu)
        action.setCheckable(True)
        action.setChecked(getattr(now, name))
        action.toggled.connect(lambda on: self._commands.change_settings(**{name: on}))
        menu.addAction(action)

    def _choice(self, menu: QMenu, name: str, titles: Mapping[object, str], now: Settings) -> None:
        group = QActionGroup(menu)
        for value, title in titles.items():
            action = QAction(title, menu)
            action.setCheckable(True)
            action.setChecked(getattr(now, name) == value)
            action.triggered.connect(
                lambda _, value=value: self._commands.change_settings(**{name: value})
            )
            group.addAction(action)
            menu.addAction(action)

    def _ask_colour(self) -> None:
        colour = QColorDialog.getColor(QColor("#1f6f50"), self, "Behind the avatar")
        if colour.isValid():
            self._commands.change_settings(backdrop=colour.name())

    def _add_providers(self, menu: QMenu, now: Settings) -> None:
        menu.setToolTipsVisible(True)
        self._choice(menu, "provider", self._providers.titles(), now)
        menu.addSeparator()
        measure = menu.addAction("Measure them now", self._providers.measure)
        measure.setEnabled(not self._providers.is_measuring)
        measure.setToolTip("Runs the networks on each for a second, beside what is shown")

    def _add_people(self, menu: QMenu, now: Settings) -> None:
        people = {"": "Anybody: learned in two seconds"} | {n: n for n in self._persons.names()}
        self._choice(menu, "person", people, now)
        menu.addSeparator()
        menu.addAction("Keep this person's shape as…", self._ask_person)
        self._add_deletion(
            menu.addMenu("Forget a person"),
            self._persons.names(),
            "The shape of {} is deleted, and will have to be learned anew.",
            self._commands.forget_person,
        )

    def _add_profiles(self, menu: QMenu) -> None:
        for name in self._store.profiles():
            menu.addAction(f"Use “{name}”", lambda name=name: self._commands.use_profile(name))
        menu.addAction("Keep as a profile…", self._ask_profile)
        self._add_deletion(
            menu.addMenu("Delete a profile"),
            self._store.profiles(),
            "The profile {} is deleted.",
            self._store.delete_profile,
        )
        menu.addSeparator()
        menu.addAction("Reset everything", self._commands.reset_settings)

    def _add_deletion(
        self, menu: QMenu, names: Sequence[str], told: str, act: Callable[[str], None]
    ) -> None:
        """Offer names to delete; told: what then happens, with {} for the name."""
        menu.setEnabled(bool(names))
        title = menu.title()
        for name in names:
            text = told.format(f"“{name}”")
            menu.addAction(name, lambda n=name, t=text: self._delete(title, n, t, act))

    def _delete(self, title: str, name: str, told: str, act: Callable[[str], None]) -> None:
        buttons = QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.Cancel
        question = f"{told}\nGo on?"
        if QMessageBox.question(self, title, question, buttons) != QMessageBox.StandardButton.Yes:
            return
        try:
            act(name)
        except (EngineError, ValueError) as error:
            QMessageBox.warning(self, title, str(error))

    def _ask_person(self) -> None:
        self._ask("Keep this person's shape", "Name of the person:", self._commands.keep_person)

    def _ask_profile(self) -> None:
        self._ask("Keep these settings", "Name of the profile:", self._store.save_profile)

    def _ask(self, title: str, label: str, act: Callable[[str], None]) -> None:
        name, given = QInputDialog.getText(self, title, label)
        if not given:
            return
        try:
            act(name.strip())
        except (EngineError, ValueError) as error:
            QMessageBox.warning(self, title, str(error))
