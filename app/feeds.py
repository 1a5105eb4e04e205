"""Frames of a source at the pace they should be shown."""

import time
from collections.abc import Callable

from engine.io.source import Source
from engine.types import Frame

__all__ = ["Feed"]

_LATE_S = 0.1
"""A file this far behind goes on from where it is instead of rushing to catch up."""


class Feed:
    """Reads a source on the caller's thread.

    A live source drops what is too old by itself. A file is kept in step with its time stamps and
    nothing is dropped: where fitting is slow, the film is slow.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._start_s: float | None = None  # clock time of time stamp 0

    @property
    def is_live(self) -> bool:
        return self._source.is_live

    @property
    def dropped(self) -> int:
        """How many frames of a live source were skipped."""
        return self._source.n_dropped

    def next(self, interrupted: Callable[[float], bool]) -> Frame | None:
        """The next frame when it is due, None at the end or when interrupted.

        Args:
            interrupted: waits up to that many seconds; True as soon as the feed should give up.
        Raises: CaptureError: if the source fails.
        """
        frame = self._source.read()
        if frame is None or self.is_live:
            return frame
        now_s, stamp_s = time.perf_counter(), frame.t_ns / 1e9
        if self._start_s is None or now_s - self._start_s - stamp_s > _LATE_S:
            self._start_s = now_s - stamp_s
        wait_s = self._start_s + stamp_s - now_s
        return None if wait_s > 0 and interrupted(wait_s) else frame

    def skip_time(self) -> None:
        """Go on from here after a pause."""
        self._start_s = None

    def close(self) -> None:
        self._source.close()
