"""The button that says how heads are fitted, and whose menu chooses another way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.qt import QAction, QActionGroup, QMenu, Qt, QToolButton, QWidget

__all__ = ["MethodButton", "Methods"]

_TITLES = {
    "landmarks": "Landmarks",
    "landmarks-refined": "Landmarks, refined",
    "n2fnet": "N2FNet",
    "n2fnet-refined": "N2FNet, refined",
    "n2fnet-noseg": "N2FNet, no mask",
    "rgb": "RGB network",
}


@dataclass(frozen=True, slots=True)
class Methods:
    """What there is to choose from."""

    chosen: str  # at first
    obstacles: Mapping[str, str]  # by name: why it cannot be used; empty where it can


class MethodButton(QToolButton):
    """Names the method in use; methods that cannot be used are grey, and say why."""

    def __init__(self, parent: QWidget, methods: Methods, use: Callable[[str], None]) -> None:
        """use: called with the name of the method that was chosen."""
        super().__init__(parent)
        self._use = use
        self.chosen = methods.chosen
        self.setObjectName("method")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.setToolTip("How the head is fitted (F: the next way)")
        menu, group = QMenu(self), QActionGroup(self)
        menu.setToolTipsVisible(True)
        self.actions_by_name: dict[str, QAction] = {}
        for name, obstacle in methods.obstacles.items():
            action = QAction(_TITLES.get(name, name), self)
            action.setCheckable(True)
            action.setEnabled(not obstacle)
            action.setToolTip(obstacle)
            action.triggered.connect(lambda _, name=name: self._choose(name))
            group.addAction(action)
            menu.addAction(action)
            self.actions_by_name[name] = action
        self.setMenu(menu)
        self._show()

    def choose_next(self) -> None:
        """The next method that can be used."""
        usable = [name for name, action in self.actions_by_name.items() if action.isEnabled()]
        if len(usable) > 1:
            self._choose(usable[(usable.index(self.chosen) + 1) % len(usable)])

    def _choose(self, name: str) -> None:
        if name != self.chosen:
            self.chosen = name
            self._use(name)
        self._show()

    def _show(self) -> None:
        self.actions_by_name[self.chosen].setChecked(True)
        self.setText(_TITLES.get(self.chosen, self.chosen))
