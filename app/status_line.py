"""The status line: what is shown, how fast it goes, and a progress line while something loads."""

from collections.abc import Callable

from app.elided_label import ElidedLabel
from app.qt import QLabel, QObject, QProgressBar, QStatusBar, QTimer
from app.telling import fallback_text, state_text, stats_text
from app.view import State, View

__all__ = ["Calm", "StatusLine"]

_WORDS_MS = 200


class StatusLine:
    """Fills a status bar."""

    def __init__(self, bar: QStatusBar) -> None:
        self._state, self._stats = ElidedLabel(), ElidedLabel()
        self.fallback = QLabel()
        self.fallback.setObjectName("fallback")
        self.fallback.hide()
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)  # how long it takes nobody knows
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(140)
        self.progress.hide()
        bar.setSizeGripEnabled(False)
        bar.addWidget(self._state)
        bar.addWidget(self.progress)
        bar.addPermanentWidget(self.fallback)
        bar.addPermanentWidget(self._stats)

    @property
    def text(self) -> str:
        """Both halves."""
        return f"{self._state.text()} | {self._stats.text()}"

    def show_state(self, text: str) -> None:
        """Say this on the left until the next view."""
        self._state.setText(text)

    def show_view(self, view: View) -> None:
        """Say what a view shows."""
        self._state.setText(state_text(view))
        self._stats.setText(stats_text(view))
        short, reason = fallback_text(view)
        self.fallback.setText(short)
        self.fallback.setToolTip(reason)
        self.fallback.setVisible(bool(short))


class Calm(QObject):
    """Passes views on so seldom that words about them can be read, the last one always.

    Each change of words makes Qt put the whole window together anew.
    """

    def __init__(self, parent: QObject, show: Callable[[View], None]) -> None:
        """show: takes the views that are passed on."""
        super().__init__(parent)
        self._show = show
        self._told_state = State.LOADING
        self._waiting: View | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._show_waiting)

    def show_view(self, view: View) -> None:
        """At once where something else happens than that it plays on."""
        if view.state is State.PLAYING is self._told_state and self._timer.isActive():
            self._waiting = view
            return
        self._told_state, self._waiting = view.state, None
        self._timer.start(_WORDS_MS)
        self._show(view)

    def _show_waiting(self) -> None:
        if self._waiting is not None:
            self.show_view(self._waiting)
