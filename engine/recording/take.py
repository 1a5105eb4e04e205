"""A take in progress: shots go in from any thread, a thread of its own writes them."""

import json
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from engine.errors import EngineError, OutputError
from engine.files import replacing
from engine.recording.clock import TakeClock
from engine.recording.shot import Shot
from engine.recording.writers import Part, TakeWriter

__all__ = ["TAKE_SCHEMA", "Take", "TakeState"]

logger = logging.getLogger(__name__)

TAKE_SCHEMA: Final = "n2fnet.take/1"
_MOST_WAITING: Final = 24
"""Shots that may wait to be written: 66 MB of 720p, and most of a second."""
_MOST_BYTES: Final = 150_000_000
"""What their pictures may take: of larger ones fewer wait."""
_FEWEST_WAITING: Final = 3
_MOST_SPANS: Final = 1000  # of doubtful stretches that are listed
_WAIT_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class TakeState:
    """How a take stands; the last one says how it ended."""

    n_frames: int = 0
    n_dropped: int = 0  # came faster than they could be written
    seconds: float = 0.0  # by the take's clock, see TakeClock
    n_bytes: int = 0
    ended: bool = False
    problem: str = ""  # what stopped it, and what to do; what was recorded before is kept
    unwritable: bool = False  # another folder would help
    notice: str = ""  # what a person should know though it went on
    parts: tuple[Part, ...] = ()  # once it ended


class Take:
    """Starts at once. `submit` never waits unless told to; `stop` finishes the files."""

    def __init__(
        self,
        make_writer: Callable[[], TakeWriter],
        notes: Path | None = None,
        *,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        """Args:
        make_writer: called on the take's own thread.
        notes: where to tell of the take as JSON: files, drops, doubtful stretches.
        most_waiting: shots that may wait; further ones are dropped and counted.
        """
        self._make_writer, self._notes = make_writer, notes
        self._most_waiting = most_waiting
        self._queue: queue.Queue[Shot] = queue.Queue(most_waiting)
        self._changed = threading.Lock()
        self._state = TakeState()
        self._stopping = threading.Event()
        self._spans = {"low": _Spans(), "no_face": _Spans()}
        self._thread = threading.Thread(target=self._run, name="n2f-take", daemon=True)
        self._thread.start()

    @property
    def state(self) -> TakeState:
        with self._changed:
            return self._state

    def submit(self, shot: Shot, *, wait: bool = False) -> bool:
        """Record a shot.

        Args:
            wait: until there is room, so that nothing is dropped: for sources that can wait.
        Returns: False if it was dropped, or the take is over.
        """
        if shot.image is not None:
            fitting = max(_FEWEST_WAITING, _MOST_BYTES // shot.image.nbytes)
            self._queue.maxsize = min(self._most_waiting, fitting)
        while not self._stopping.is_set() and not self.state.ended:
            try:
                self._queue.put(shot, timeout=_WAIT_S if wait else None, block=wait)
            except queue.Full:
                if wait:
                    continue
                with self._changed:
                    self._state = replace(self._state, n_dropped=self._state.n_dropped + 1)
                return False
            return True
        return False

    def stop(self, timeout_s: float = 20.0) -> TakeState:
        """Write what waits, finish the files. Safe to call twice.

        Returns: the last state; `ended` is False if it is not done after timeout_s seconds.
        """
        self._stopping.set()
        self._thread.join(timeout_s)
        return self.state

    def _run(self) -> None:
        writer: TakeWriter | None = None
        trouble: Exception | None = None
        parts: list[Part] = []
        try:
            writer = self._make_writer()
            self._write_all(writer)
        except Exception as error:  # noqa: BLE001  (a thread's errors must reach the window)
            trouble = error
        if writer is not None:
            parts, closing = _closed(writer)
            trouble = trouble or closing
        self._end(writer, tuple(parts), trouble)

    def _write_all(self, writer: TakeWriter) -> None:
        clock = TakeClock()
        while not (self._stopping.is_set() and self._queue.empty()):
            try:
                shot = self._queue.get(timeout=_WAIT_S)
            except queue.Empty:
                continue
            writer.write(shot)
            now_s = clock.at(shot) / 1e9
            self._spans["low"].mark(now_s, shot.low)
            self._spans["no_face"].mark(now_s, not shot.faces)
            with self._changed:
                self._state = replace(
                    self._state,
                    n_frames=self._state.n_frames + 1,
                    seconds=now_s,
                    n_bytes=writer.n_bytes,
                    notice=writer.notice,
                )

    def _end(
        self, writer: TakeWriter | None, parts: tuple[Part, ...], trouble: Exception | None
    ) -> None:
        problem = _told(trouble) if trouble is not None else ""
        if problem and parts:
            kept = ", ".join(part.path.name for part in parts)
            problem = f"{problem} Kept: {kept} in {parts[0].path.parent}"
        try:
            if self._notes is not None and parts:
                self._tell(self._notes, parts, problem)
        except OutputError as error:
            trouble = trouble or error
            problem = problem or f"{error}."
        with self._changed:
            self._state = replace(
                self._state,
                ended=True,
                problem=problem,
                unwritable=isinstance(trouble, OutputError),
                notice=writer.notice if writer is not None else "",
                parts=parts,
                n_bytes=sum(part.n_bytes for part in parts),
            )

    def _tell(self, path: Path, parts: tuple[Part, ...], problem: str) -> None:
        state = self.state
        content = {
            "schema": TAKE_SCHEMA,
            "n_frames": state.n_frames,
            "n_dropped": state.n_dropped,
            "problem": problem,
            "parts": [
                {"file": part.path.name, "n_frames": part.n_frames,
                 "duration_s": round(part.duration_s, 6), **part.notes}
                for part in parts
            ],
            **{f"{name}_s": spans.listed for name, spans in self._spans.items()},
        }  # fmt: skip
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _closed(writer: TakeWriter) -> tuple[list[Part], Exception | None]:
    """What the writer finished, and what went wrong with it."""
    trouble: Exception | None = None
    for _ in range(2):  # what cannot be finished is given up, and the rest is known then
        try:
            return writer.close(), trouble
        except Exception as error:  # noqa: BLE001  (same)
            trouble = trouble or error
    return [], trouble


def _told(trouble: Exception) -> str:
    if isinstance(trouble, EngineError):
        return f"{trouble}."
    logger.error("the take broke off", exc_info=trouble)
    return f"The recording broke off ({type(trouble).__name__}: {trouble}); start it again."


class _Spans:
    """Stretches of time over which something holds."""

    def __init__(self) -> None:
        self.listed: list[list[float]] = []  # [from, to] seconds of the take
        self._open = False

    def mark(self, now_s: float, holds: bool) -> None:
        if holds and self._open:
            self.listed[-1][1] = round(now_s, 3)
        elif holds and len(self.listed) < _MOST_SPANS:
            self.listed.append([round(now_s, 3)] * 2)
        self._open = holds and bool(self.listed)
