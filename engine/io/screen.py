"""What is on the screen as a live source."""

import threading
import time

import numpy as np

from engine.errors import CaptureError
from engine.io.live import LiveReader
from engine.types import U8, Frame

__all__ = ["ScreenSource"]

_FPS = 30
_TIMEOUT_S = 5.0


class ScreenSource:
    """The first screen as a `Source`: always the newest picture, older ones are dropped."""

    name = "screen"
    is_live = True
    n_frames: int | None = None

    def __init__(self) -> None:
        """Raises: CaptureError: if the desktop does not let its screen be read."""
        self._reader = LiveReader(self.name, _ScreenDevice, timeout_s=_TIMEOUT_S)
        self._reader.wait_open()

    @property
    def n_dropped(self) -> int:
        """Pictures that nobody read in time."""
        return self._reader.n_dropped

    @property
    def measured_fps(self) -> float | None:
        """Pictures a second that are taken; None before the second."""
        return self._reader.measured_fps

    def read(self) -> Frame | None:
        """The newest picture, t_ns on time.perf_counter_ns; None once closed.

        Raises: CaptureError: if the screen is not to be had any more.
        """
        return self._reader.read()

    def close(self) -> None:
        """Take no more pictures. Safe to call twice."""
        self._reader.close()


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
