"""Makes a window's actions with their keys, and remembers what each key means."""

from collections.abc import Callable

from app.qt import QAction, QKeySequence, QMainWindow

__all__ = ["WindowKeys"]


class WindowKeys:
    """Of one window, which owns the actions."""

    def __init__(self, window: QMainWindow) -> None:
        self._window = window
        self._keys: list[tuple[str, str]] = []
        self._gestures: list[tuple[str, str]] = []

    @property
    def meanings(self) -> list[tuple[str, str]]:
        """Key or gesture and meaning of each, in the order of the sheet: the mouse at the end."""
        return self._keys + self._gestures

    def toggle(
        self, title: str, key: str, act: Callable[[bool], object], more: str = ""
    ) -> QAction:
        """An action that is on or off; whoever shows it adds it to a bar or menu.

        Args:
            more: what it does, where the title does not say it.
        """
        action = QAction(title, self._window)
        action.setCheckable(True)
        action.setShortcut(QKeySequence(key))
        action.setToolTip(f"{more or title} ({key})")
        action.toggled.connect(act)
        self._keys.append((key, f"{title}: {more.lower()}" if more else title))
        return action

    def tell(self, gesture: str, meaning: str) -> None:
        """A line of the sheet about what the mouse does."""
        self._gestures.append((gesture, meaning))

    def add(self, key: str, meaning: str, act: Callable[[], object]) -> None:
        """A key without a button; one without a meaning is left out of the sheet."""
        action = QAction(self._window)
        action.setShortcut(QKeySequence(key))
        action.triggered.connect(lambda: act())
        self._window.addAction(action)
        if meaning:
            self._keys.append((key, meaning))
