"""How a window's program ends: by Ctrl-C as by its button, and whatever a driver does."""

import logging
import os
import signal
import sys

from app.qt import QMainWindow, QTimer

__all__ = ["leave", "let_signals_close"]

logger = logging.getLogger(__name__)

_SIGNAL_CHECK_MS = 200
"""Qt's loop runs no Python by itself: so often Python gets to see Ctrl-C."""


def let_signals_close(window: QMainWindow) -> QTimer:
    """Ctrl-C and a polite kill close the window in the usual order."""
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # Python runs this anywhere, in the middle of painting too: only the timer may close.
        signal.signal(number, lambda number, _: asked.append(number))
    timer = QTimer()
    timer.timeout.connect(lambda: window.close() if asked else None)
    timer.start(_SIGNAL_CHECK_MS)
    return timer


def leave(code: int, *, clean: bool) -> int:
    """The exit code; where not all threads ended (clean is False), ends the process with it."""
    if not clean:
        # A driver hangs in a call that cannot be interrupted; a normal exit would wait or crash.
        logger.warning("the source does not close; leaving it to the operating system")
        sys.stderr.flush()
        os._exit(code)
    return code
