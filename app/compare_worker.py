"""The thread of a comparison: reads frames, fits them by both sides, pins what comes out."""

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from multiprocessing import Pipe
from multiprocessing.connection import wait

from app.compare_board import LEFT, RIGHT, Board, Phase
from engine.compare.difference import MeshDifference
from engine.compare.offline_side import OfflineSide
from engine.compare.side_fit import SideFit
from engine.compare.sides import Side
from engine.errors import CaptureError, EngineError, cause_of
from engine.io.source import Source
from engine.types import Frame

__all__ = ["CompareWorker"]

logger = logging.getLogger(__name__)

MAX_BYTES = 1_000_000_000
"""Of frames kept in memory."""


class CompareWorker:
    """Live methods fit frames as they are read; offline ones the frame that is looked at first."""

    def __init__(
        self,
        open_source: Callable[[], Source],
        open_sides: Callable[[Source], tuple[Side, Side]],
        choose: Callable[[Source], Iterable[Frame]],
        difference: MeshDifference,
        board: Board,
    ) -> None:
        """Args:
        open_source, open_sides: called on the worker's thread, which closes what they give.
        choose: the frames of a source that are compared.
        """
        self._open_source, self._open_sides, self._choose = open_source, open_sides, choose
        self._difference, self._board = difference, board
        self._wanted = 0
        self._stopped = threading.Event()
        self._wake, self._bell = Pipe(duplex=False)
        self._thread = threading.Thread(target=self._run, name="n2f-compare", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def want(self, at: int) -> None:
        """Fit this frame before others."""
        self._wanted = at

    def stop(self, timeout_s: float = 10.0) -> bool:
        """End the thread, and the processes of offline methods with it.

        Returns: False if it still runs after timeout_s seconds.
        """
        self._stopped.set()
        self._bell.send_bytes(b"!")
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with ExitStack() as stack:
                source = self._open_source()
                stack.callback(source.close)
                sides = self._open_sides(source)
                for side in sides:
                    stack.callback(side.close)
                self._board.set_phase(Phase.WORKING)
                _Turns(self._board, sides, self._difference).run(
                    self._choose(source), lambda: self._wanted, self._stopped.is_set, self._rest
                )
        except EngineError as error:
            self._board.set_phase(Phase.FAILED, str(error))
        except Exception as error:  # a thread's errors must reach the window
            logger.exception("the comparison broke off")
            problem = f"the comparison broke off: {cause_of(error)}; open it again"
            self._board.set_phase(Phase.FAILED, problem)

    def _rest(self, sides: tuple[Side, ...]) -> None:
        """Until an offline side has something to say, or the thread should end."""
        pipes = [s.pipe for s in sides if isinstance(s, OfflineSide) and s.busy]
        wait([self._wake, *(pipe for pipe in pipes if pipe is not None)])


class _Turns:
    """Who does what next."""

    def __init__(self, board: Board, sides: tuple[Side, Side], difference: MeshDifference) -> None:
        self._board, self._sides, self._difference = board, sides, difference
        self._frames: list[Frame] = []
        self._bytes = 0
        self._pending: tuple[set[int], set[int]] = (set(), set())

    def run(
        self,
        frames: Iterable[Frame],
        wanted: Callable[[], int],
        stopped: Callable[[], bool],
        rest: Callable[[tuple[Side, ...]], None],
    ) -> None:
        """Until all is done or stopped."""
        left_to_read = iter(frames)
        reading = True
        while not stopped():
            if reading:
                frame = next(left_to_read, None)
                reading = frame is not None
                if frame is not None:
                    self._add(frame)
            # Live methods are timed, so nothing else computes before they are through.
            able = [side for side in (LEFT, RIGHT) if not (reading and self._sides[side].offline)]
            moved = [self._turn(side, wanted()) for side in able]
            if reading or any(moved):
                continue
            if not any(self._pending) and not any(side.busy for side in self._sides):
                self._finish()
                return
            rest(self._sides)

    def _finish(self) -> None:
        """Raises: CaptureError: if there was nothing to compare."""
        if not self._frames:
            raise CaptureError("the source has no frames; choose another input")
        self._board.set_phase(Phase.DONE)

    def _add(self, frame: Frame) -> None:
        self._bytes += frame.image.nbytes
        if self._bytes > MAX_BYTES:
            raise CaptureError(
                f"{len(self._frames) + 1} frames of this size take more than "
                f"{MAX_BYTES / 1e9:g} GB; compare fewer: --frames {max(len(self._frames), 1)}"
            )
        self._frames.append(frame)
        for pending in self._pending:
            pending.add(len(self._frames) - 1)
        self._board.add_frame(frame)

    def _turn(self, side: int, wanted: int) -> bool:
        """Give a side work and take what it has. Returns: whether anything happened."""
        worker, pending = self._sides[side], self._pending[side]
        begun = not worker.busy and bool(pending)
        if begun:
            at = self._next(side, wanted)
            pending.discard(at)
            self._board.begin(side, at)
            worker.submit(self._frames[at])
        reports = worker.take(0.0) if worker.busy else []
        for report in reports:
            if isinstance(report, SideFit):
                self._pin(side, report)
            else:
                self._board.add_step(side, report)
        return begun or bool(reports)

    def _next(self, side: int, wanted: int) -> int:
        """Live methods follow the film; offline ones go on from where people look."""
        pending = self._pending[side]
        if not self._sides[side].offline:
            return min(pending)
        return min(pending, key=lambda at: (at < wanted, at))

    def _pin(self, side: int, found: SideFit) -> None:
        at = self._board.at_work(side)
        if at is None:
            raise ValueError("a fit of no frame")
        fits = [self._board.fit(LEFT, at), self._board.fit(RIGHT, at)]
        fits[side] = found
        left, right = (fit.fit if fit is not None else None for fit in fits)
        both = None if left is None or right is None else self._difference(left, right)
        self._board.set_fit(side, at, found, both)
