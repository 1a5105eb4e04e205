"""How far a long fit is, as lines on stderr: fit for logs, too."""

import time
from collections.abc import Callable

import typer

__all__ = ["FrameLines"]

_INTERVAL_S = 2.0


class FrameLines:
    """Called with the number of frames done; says so every two seconds."""

    def __init__(
        self, n_frames: int | None, clock_s: Callable[[], float] = time.perf_counter
    ) -> None:
        """n_frames: how many there will be, None where nobody knows."""
        self._of = "" if n_frames is None else f" of {n_frames}"
        self._clock_s = clock_s
        self._told_s = clock_s()

    def __call__(self, n_done: int) -> None:
        now_s = self._clock_s()
        if now_s - self._told_s >= _INTERVAL_S:
            self._told_s = now_s
            typer.echo(f"frame {n_done}{self._of}", err=True)
