"""What is on the screen as a live source."""

import threading
import time

import numpy as np

from engine.errors import CaptureError
from engine.io.live import LiveReader, LiveSource
from engine.types import U8

__all__ = ["ScreenSource"]

_FPS = 30
_TIMEOUT_S = 5.0


class ScreenSource(LiveSource):
    """The first screen as a `Source`: always the newest picture, older ones are dropped."""

    name = "screen"

    def __init__(self) -> None:
        """Raises: CaptureError: if the desktop does not let its screen be read."""
        super().__init__(LiveReader(self.name, _ScreenDevice, timeout_s=_TIMEOUT_S))


class _ScreenDevice:
    def __init__(self) -> None:
        import mss

        try:
            self._grabber = mss.mss()
            self._place = self._grabber.monitors[1]
            self._grabber.grab(self._place)
        except (mss.ScreenShotError, IndexError, OSError) as error:
            raise CaptureError(
                f"the screen cannot be read ({error}); on Wayland log in to an X11 session, "
                "on macOS allow screen recording in the privacy settings"
            ) from error
        self._pause = threading.Event()  # never set: its wait is a sleep
        self._due_s = time.perf_counter()

    def read(self) -> U8:
        import mss

        self._due_s = max(self._due_s + 1.0 / _FPS, time.perf_counter() - 1.0 / _FPS)
        self._pause.wait(max(0.0, self._due_s - time.perf_counter()))
        try:
            shot = self._grabber.grab(self._place)
        except mss.ScreenShotError as error:
            raise CaptureError(f"the screen is gone ({error}); start it again") from error
        bgra = np.frombuffer(shot.raw, np.uint8).reshape(shot.height, shot.width, 4)
        return np.ascontiguousarray(bgra[..., 2::-1])

    def close(self) -> None:
        self._grabber.close()
