"""What tests of windows share: opening, waiting for what is painted, closing with nothing left."""

import threading
import time
from collections.abc import Iterable

from pytestqt.qtbot import QtBot

from app.compare_live import CompareSession
from app.qt import Qt, QTimer
from app.session import LiveSession

WAIT_MS = 10_000


def activate(qtbot: QtBot, session: LiveSession | CompareSession, wait_ms: int = WAIT_MS) -> None:
    """Wait until the window takes keys, which go to the active window only."""
    qtbot.addWidget(session.window)
    with qtbot.waitActive(session.window, timeout=wait_ms):
        session.window.activateWindow()


def close_all(sessions: Iterable[LiveSession | CompareSession]) -> None:
    """After a test: no thread may stay."""
    for session in sessions:
        session.window.close()
        assert session.stopped_clean
    assert not [t for t in threading.enumerate() if t.name.startswith("n2f")]


def wait_painted(qtbot: QtBot, session: LiveSession) -> None:
    before = session.window.canvas.n_painted
    session.window.canvas.update()
    qtbot.waitUntil(lambda: session.window.canvas.n_painted > before, timeout=WAIT_MS)


def wait_ended(qtbot: QtBot, session: LiveSession) -> None:
    qtbot.waitUntil(lambda: "ended" in session.window.status_text, timeout=WAIT_MS)
    wait_painted(qtbot, session)


class LoopProbe:
    """Measures the longest time that the event loop did not come round."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(2)
        self.restart()

    def restart(self) -> None:
        self._last_s, self.longest_ms = time.perf_counter(), 0.0

    def stop(self) -> None:
        self._timer.stop()

    def _tick(self) -> None:
        now_s = time.perf_counter()
        self.longest_ms = max(self.longest_ms, 1e3 * (now_s - self._last_s))
        self._last_s = now_s
