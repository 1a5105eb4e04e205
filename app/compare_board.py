"""What a comparison has found so far: written by its worker thread, read by the window."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from engine.compare.difference import Difference
from engine.compare.side_fit import SideFit, Step
from engine.types import Frame

__all__ = ["LEFT", "RIGHT", "Board", "Phase", "Spot"]

LEFT, RIGHT = 0, 1


class Phase(Enum):
    """What the worker is doing."""

    OPENING = auto()
    WORKING = auto()
    DONE = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """All that is known of one frame at one moment."""

    frame: Frame
    fits: tuple[SideFit | None, SideFit | None]  # left and right; None: not yet
    difference: Difference | None
    steps: tuple[tuple[Step, ...], tuple[Step, ...]]  # of a side that is at work on it


class Board:
    """Pins frames and fits; `poke` is called when there is news and nobody was told yet."""

    def __init__(self, poke: Callable[[], None]) -> None:
        """poke: called on the writer's thread; must not block."""
        self._poke = poke
        self._lock = threading.Lock()
        self._told = False
        self._phase, self._problem = Phase.OPENING, ""
        self._frames: list[Frame] = []
        self._fits: tuple[dict[int, SideFit], dict[int, SideFit]] = ({}, {})
        self._differences: dict[int, Difference] = {}
        self._at_work: list[int | None] = [None, None]
        self._steps: tuple[list[Step], list[Step]] = ([], [])

    def set_phase(self, phase: Phase, problem: str = "") -> None:
        """problem: cause and fix, where it failed."""
        with self._lock:
            self._phase, self._problem = phase, problem
        self._tell()

    def add_frame(self, frame: Frame) -> None:
        with self._lock:
            self._frames.append(frame)
        self._tell()

    def begin(self, side: int, at: int) -> None:
        """A side starts on a frame."""
        with self._lock:
            self._at_work[side] = at
            self._steps[side].clear()
        self._tell()

    def add_step(self, side: int, step: Step) -> None:
        """It got further."""
        with self._lock:
            self._steps[side].append(step)
        self._tell()

    def set_fit(self, side: int, at: int, fit: SideFit, difference: Difference | None) -> None:
        """It is done; difference: to the other side, where both have a face by now."""
        with self._lock:
            self._fits[side][at] = fit
            if self._at_work[side] == at:
                self._at_work[side] = None
                self._steps[side].clear()
            if difference is not None:
                self._differences[at] = difference
        self._tell()

    def fit(self, side: int, at: int) -> SideFit | None:
        with self._lock:
            return self._fits[side].get(at)

    def look(self) -> tuple[Phase, str]:
        """Phase and problem; the next news is told again."""
        with self._lock:
            self._told = False
            return self._phase, self._problem

    @property
    def n_frames(self) -> int:
        """How many are there by now."""
        with self._lock:
            return len(self._frames)

    @property
    def n_compared(self) -> int:
        """Frames with a face on both sides."""
        with self._lock:
            return len(self._differences)

    def fits(self, side: int) -> dict[int, SideFit]:
        """All of a side, by frame."""
        with self._lock:
            return dict(self._fits[side])

    def at_work(self, side: int) -> int | None:
        """The frame that a side is at; None while it has nothing to do."""
        with self._lock:
            return self._at_work[side]

    def spot(self, at: int) -> Spot | None:
        """Frame 0..n-1; None where there is none yet."""
        with self._lock:
            if not 0 <= at < len(self._frames):
                return None
            left, right = (
                tuple(steps) if worked_at == at else ()
                for steps, worked_at in zip(self._steps, self._at_work, strict=True)
            )
            fits = (self._fits[LEFT].get(at), self._fits[RIGHT].get(at))
            return Spot(self._frames[at], fits, self._differences.get(at), (left, right))

    def _tell(self) -> None:
        with self._lock:
            told, self._told = self._told, True
        if not told:
            self._poke()
