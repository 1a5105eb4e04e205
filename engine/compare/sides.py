"""A method at work on one side of a comparison: a frame in, its fit out, when it is ready."""

import time
from typing import Protocol

from engine.compare.side_fit import SideFit, Step
from engine.types import Frame
from engine.video_fit import Fitter

__all__ = ["LiveSide", "Report", "Side", "fit_frame"]

Report = Step | SideFit
"""How far a fit is, or the fit."""


class Side(Protocol):
    """Fits one frame at a time. Used by one thread."""

    method: str
    offline: bool

    @property
    def busy(self) -> bool:
        """Whether a frame was submitted whose fit was not taken yet."""
        ...

    def submit(self, frame: Frame) -> None:
        """Fit this frame next; only while not busy."""
        ...

    def take(self, timeout_s: float | None = None) -> list[Report]:
        """What happened since the last time; waits up to timeout_s (None: for ever) for something.

        Raises: EngineError: if the method cannot go on at all.
        """
        ...

    def close(self) -> None:
        """Stop at once and free everything. Safe to call twice."""
        ...


class LiveSide:
    """A method that is fast enough to run where it is asked."""

    offline = False

    def __init__(self, method: str, fitter: Fitter) -> None:
        """fitter: closed here."""
        self.method, self._fitter = method, fitter
        self._ready: SideFit | None = None
        self._warm = False

    @property
    def busy(self) -> bool:
        return self._ready is not None

    def submit(self, frame: Frame) -> None:
        if not self._warm:  # what is set up by a first frame is not a frame's time
            self._fitter.run_all(frame)
            self._fitter.reset()
            self._warm = True
        self._ready = fit_frame(self._fitter, frame)

    def take(self, timeout_s: float | None = None) -> list[Report]:
        ready, self._ready = self._ready, None
        return [] if ready is None else [ready]

    def close(self) -> None:
        self._fitter.close()


def fit_frame(fitter: Fitter, frame: Frame) -> SideFit:
    """The largest face of a frame, and how long it took."""
    start = time.perf_counter()
    fits = fitter.run_all(frame)
    return SideFit(fits[0] if fits else None, time.perf_counter() - start)
