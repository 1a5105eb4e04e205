"""The button that says how heads are fitted, and whose menu chooses another way, or two ways."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.elided_label import name_button
from app.menu_heading import add_heading
from app.qt import QAction, QActionGroup, QMenu, Qt, QToolButton, QWidget
from engine.methods import BEST_FIRST

__all__ = ["MethodButton", "Methods", "method_title"]

_TITLES = {
    "landmarks": "Landmarks",
    "landmarks-refined": "Landmarks, refined",
    "n2fnet": "N2FNet",
    "n2fnet-refined": "N2FNet, refined",
    "n2fnet-noseg": "N2FNet, no mask",
    "two-stage": "N2FNet, two-stage",
    "rgb": "RGB network",
}


_TIP = "How the head is fitted (F: the next way; B: another one against it)"
_TITLE_PX = 190


def method_title(name: str) -> str:
    """For people."""
    return _TITLES.get(name, name)


@dataclass(frozen=True, slots=True)
class Methods:
    """What there is to choose from."""

    chosen: str  # at first
    obstacles: Mapping[str, str]  # by name: why it cannot be used; empty where it can


class MethodButton(QToolButton):
    """Names the method in use; methods that cannot be used are grey, and say why."""

    def __init__(
        self,
        parent: QWidget,
        methods: Methods,
        use: Callable[[str], None],
        compare: Callable[[str], None] = lambda name: None,
    ) -> None:
        """Args:
        use: called with the name of the method that was chosen.
        compare: called with the name of a second one; empty: there is none any more.
        """
        super().__init__(parent)
        self._use, self._compare = use, compare
        self.chosen = methods.chosen
        self.against = ""
        """The second method; empty: none."""
        self.setObjectName("method")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self.actions_by_name = self._add_methods(methods, self._choose)
        add_heading(self._menu, "Against it, on the same frames")
        nothing = QAction("Nothing", self)
        self.rivals_by_name = self._add_methods(methods, self.compare_with, nothing)
        self.setMenu(self._menu)
        self._show()

    def choose_next(self) -> None:
        """The next method that can be used."""
        usable = self._usable
        if len(usable) > 1:
            self._choose(usable[(usable.index(self.chosen) + 1) % len(usable)])

    def use(self, name: str) -> None:
        """A method; where it is empty or cannot be used, the best that can."""
        wanted = (name, *BEST_FIRST)
        self._choose(next((n for n in wanted if n in self._usable), self.chosen))

    def toggle_comparison(self, last: str = "") -> None:
        """Compare with another method, or end it.

        Args:
            last: what it was compared with the last time.
        """
        others = [name for name in self._usable if name != self.chosen]
        if self.against:
            self.compare_with("")
        elif others:
            self.compare_with(last if last in others else others[0])

    def compare_with(self, name: str) -> None:
        """The second method; empty: none. One that cannot be used is left out."""
        if name and name not in self._usable:
            name = ""
        if name != self.against:
            self.against = name
            self._compare(name)
        self._show()

    @property
    def _usable(self) -> list[str]:
        return [name for name, action in self.actions_by_name.items() if action.isEnabled()]

    def _add_methods(
        self, methods: Methods, choose: Callable[[str], None], none: QAction | None = None
    ) -> dict[str, QAction]:
        group, actions = QActionGroup(self), {}
        if none is not None:
            actions[""] = none
        for name, obstacle in methods.obstacles.items():
            actions[name] = QAction(method_title(name), self)
            actions[name].setEnabled(not obstacle)
            actions[name].setToolTip(obstacle)
        for name, action in actions.items():
            action.setCheckable(True)
            action.triggered.connect(lambda _, name=name: choose(name))
            group.addAction(action)
            self._menu.addAction(action)
        return actions

    def _choose(self, name: str) -> None:
        if name != self.chosen:
            self.chosen = name
            self._use(name)
        self._show()

    def _show(self) -> None:
        self.actions_by_name[self.chosen].setChecked(True)
        self.rivals_by_name[self.against].setChecked(True)
        against = f" / {method_title(self.against)}" if self.against else ""
        name_button(self, method_title(self.chosen) + against, _TITLE_PX, _TIP)
