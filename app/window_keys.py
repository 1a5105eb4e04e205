"""Makes a window's actions with their keys, and remembers what each key means."""

from collections.abc import Callable

from app.qt import QAction, QKeySequence, QMainWindow

__all__ = ["WindowKeys"]


class WindowKeys:
    """Of one window, which owns the actions."""

    def __init__(self, window: QMainWindow) -> None:
        self._window = window
        self.meanings: list[tuple[str, str]] = []
        """Key and meaning of each, in the order of the sheet."""

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
        self.meanings.append((key, f"{title}: {more.lower()}" if more else title))
        return action

    def add(self, key: str, meaning: str, act: Callable[[], object]) -> None:
        """A key without a button; one without a meaning is left out of the sheet."""
        action = QAction(self._window)
        action.setShortcut(QKeySequence(key))
        action.triggered.connect(lambda: act())
        self._window.addAction(action)
        if meaning:
            self.meanings.append((key, meaning))
