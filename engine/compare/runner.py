"""Two methods over the frames of a source, one frame after the other, without a window."""

from collections.abc import Callable, Iterable, Iterator

from engine.compare.difference import MeshDifference
from engine.compare.report import Compared
from engine.compare.side_fit import SideFit, Step
from engine.compare.sides import Side
from engine.types import Frame

__all__ = ["compare_frames"]


def compare_frames(
    frames: Iterable[Frame],
    sides: tuple[Side, Side],
    difference: MeshDifference,
    on_step: Callable[[Side, Step], None] = lambda side, step: None,
) -> Iterator[Compared]:
    """Fit each frame by both sides.

    Args:
        sides: left and right; the caller's, who closes them.
        on_step: told how far an offline side is with the frame.
    Raises: EngineError: if the source or a side fails altogether.
    """
    live_first = sorted(sides, key=lambda side: side.offline)
    for frame in frames:
        for side in live_first:  # it is timed before another process computes beside it
            side.submit(frame)
        left, right = (_wait(side, on_step) for side in sides)
        both = None
        if left.fit is not None and right.fit is not None:
            both = difference(left.fit, right.fit)
        yield Compared(frame, left, right, both)


def _wait(side: Side, on_step: Callable[[Side, Step], None]) -> SideFit:
    while True:
        for report in side.take():
            if isinstance(report, SideFit):
                return report
            on_step(side, report)
