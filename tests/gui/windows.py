"""What tests of windows share: opening, waiting for what is painted, closing with nothing left."""

import threading
from collections.abc import Iterable

from pytestqt.qtbot import QtBot

from app.compare_live import CompareSession
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
