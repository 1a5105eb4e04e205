"""One source read on a thread of its own: it paces files, drops for live ones, opens lost ones."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from app.mailbox import Mailbox
from engine.errors import CaptureError, EngineError, cause_of
from engine.io.camera_format import CameraFormat
from engine.io.source import Source
from engine.types import Frame

__all__ = ["Request", "Seekable", "Shot", "SourceThread", "turned"]

logger = logging.getLogger(__name__)

_LATE_S = 0.1
"""A file this far behind goes on from where it is instead of rushing to catch up."""
_RETRY_S = (0.5, 1.0, 2.0, 5.0)
"""Waits before a lost source is opened again; the last one from then on."""
_RATE_FRAMES = 30


@dataclass(frozen=True, slots=True)
class Request:
    """A source to show."""

    spec: str  # as for `n2f live --source`
    title: str  # what a person calls it
    loop: bool = False  # start again at the end


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A frame, and what its fitter must know of where it stands."""

    frame: Frame
    captured_ns: int  # time.perf_counter_ns at which it was to be had
    stretch: int  # counts openings and seeks: frames of one follow each other
    place: int  # how often a person had gone elsewhere in the file before
    is_live: bool
    position: float | None = None  # 0..1 within a file that can be scrubbed
    starts: bool = False  # what was known of people and places does not hold any more
    turns: int = 0  # quarter turns against the clock that the picture was turned by


def turned(frame: Frame, quarters: int) -> Frame:
    """A frame whose picture is turned against the clock by so many right angles."""
    if not quarters % 4:
        return frame
    image = np.ascontiguousarray(np.rot90(frame.image, quarters))
    image.setflags(write=False)
    return replace(frame, image=image)


@runtime_checkable
class Seekable(Protocol):
    """A source that can go to a place within itself."""

    duration_ns: int
    """Time stamp of its end."""

    def seek(self, t_ns: int) -> None:
        """Go on with the first frame at or after a time stamp."""
        ...


class SourceThread:
    """Opens, reads and closes one source on a thread of its own; hands out shots by mailbox."""

    def __init__(
        self,
        request: Request,
        open_source: Callable[[str], Source],
        *,
        every_frame: bool = True,
        turns: int = 0,
        start_at: float | None = None,
        retry_s: tuple[float, ...] = _RETRY_S,
    ) -> None:
        """Start opening.

        Args:
            open_source: opens a source by its spec, on this object's thread.
            every_frame: of files: none is dropped and the film waits; False: it keeps its pace.
            turns: quarter turns against the clock that every picture is turned by.
            start_at: place in a file to begin with, 0..1; None: its start.
            retry_s: waits before a live source that was lost is opened again; empty: never.
        """
        self.request, self._open_source = request, open_source
        self._every_frame, self.turns, self._retry_s = every_frame, turns, retry_s
        self._shots: Mailbox[Shot] = Mailbox()
        self._changed = threading.Condition()
        self._closing = self._paused = self._again = False
        self._seek_to = start_at
        self._place = 0  # counts `seek`
        self._was_live = False
        self._stretch = 0  # counts openings and seeks
        self._stretch_taken = 0
        self._start_s: float | None = None  # clock time of time stamp 0
        self._arrivals_s: deque[float] = deque(maxlen=_RATE_FRAMES)
        self._dropped_before = 0  # by sources that were closed since
        self._source: Source | None = None
        self.n_shots = 0
        self.error: Exception | None = None
        """Why it ended; None for its own end. Known once `ended`."""
        self.lost: str | None = None
        """Why it is being opened again; None while all is well."""
        # A daemon, as a hung driver must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="n2f-source", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """No shot will follow those that wait."""
        return self._shots.closed

    @property
    def place(self) -> int:
        """How often a person has gone elsewhere in the file: see `Shot.place`."""
        return self._place

    @property
    def is_live(self) -> bool:
        """Known once it was opened."""
        return self._was_live

    @property
    def n_dropped(self) -> int:
        """Frames that nobody took in time, here or in the source itself."""
        source = self._source
        return self._shots.dropped + self._dropped_before + (source.n_dropped if source else 0)

    @property
    def fps(self) -> float | None:
        """Pictures a second that the source delivers; None before the second."""
        source, times = self._source, tuple(self._arrivals_s)
        if (own := getattr(source, "measured_fps", None)) is not None:
            return float(own)  # its own thread also counts what is dropped before it is read
        span = times[-1] - times[0] if len(times) > 1 else 0.0
        return (len(times) - 1) / span if span > 0 else None

    @property
    def taken_format(self) -> CameraFormat | None:
        """What a camera took of what it was asked for; None for other sources."""
        taken = getattr(self._source, "taken_format", None)
        return taken if isinstance(taken, CameraFormat) else None

    def retry_now(self) -> None:
        """A source that was lost may be there again: do not wait to open it."""
        with self._changed:
            self._again = True
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Shot | None:
        """The next shot; None after timeout_s, or at once when it ended or was closed."""
        while (shot := self._shots.take(timeout_s)) is not None and shot.place != self._place:
            pass  # of the place that was left
        if shot is not None and self._waits(shot):
            # It waited here for its reader, and nobody for it.
            shot = replace(shot, captured_ns=time.perf_counter_ns())
        if shot is None or shot.stretch == self._stretch_taken:
            return shot
        # Said here, as the first of a stretch may have been dropped.
        self._stretch_taken = shot.stretch
        return replace(shot, starts=True)

    def set_paused(self, paused: bool) -> None:
        with self._changed:
            self._paused = paused
            self._start_s = None
            self._changed.notify_all()

    def seek(self, share: float) -> None:
        """Go to a place in a file, 0..1; of other sources it changes nothing."""
        with self._changed:
            self._seek_to = share
            self._place += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Ask for the end without waiting: a hung driver answers when it will."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._shots.close()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread. Returns: False if it still runs."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        n_failed = 0
        try:
            while not self._closing:
                before = self.n_shots
                try:
                    if not self._play():
                        return
                    n_failed = 0
                except Exception as error:  # noqa: BLE001  (a thread's errors must reach its reader)
                    n_failed = 1 if self.n_shots > before else n_failed + 1
                    if not self._may_retry():
                        self.error = error
                        return
                    self._wait_to_retry(error, n_failed)
        finally:
            self._shots.close()

    def _play(self) -> bool:
        """The source once, from opening to its end. Returns: whether to start again."""
        source = self._open_source(self.request.spec)
        self._source, self._start_s, self._was_live = source, None, source.is_live
        before = self.n_shots
        try:
            self._stretch += 1
            while self._may_go_on():
                place = self._sought(source)
                frame = source.read()
                if frame is None:
                    break
                self._hand_on(source, frame, place)
        finally:
            self._dropped_before += source.n_dropped
            self._source = None
            source.close()
        return self.request.loop and self.n_shots > before and not self._closing

    def _hand_on(self, source: Source, frame: Frame, place: int) -> None:
        """Give a frame to whoever takes it, when it is due."""
        if frame.image.size == 0:
            raise CaptureError(f"{self.request.title} gives empty pictures; plug it in again")
        due = None if source.is_live else self._due_ns(frame)
        if self._closing or (self._paused and source.is_live) or self._place != place:
            return
        captured = frame.t_ns if source.is_live else due or time.perf_counter_ns()
        position = None
        if isinstance(source, Seekable) and source.duration_ns > 0:
            position = min(1.0, frame.t_ns / source.duration_ns)
        self._arrivals_s.append(time.perf_counter())
        self.n_shots += 1
        self.lost = None
        turns = self.turns
        shot = Shot(
            turned(frame, turns),
            captured,
            self._stretch,
            place,
            source.is_live,
            position,
            turns=turns,
        )
        if self._waits(shot):
            self._shots.hand_over(shot)
        else:
            self._shots.put(shot)

    def _waits(self, shot: Shot) -> bool:
        """Whether the source waits for its reader."""
        return self._every_frame and not shot.is_live

    def _due_ns(self, frame: Frame) -> int:
        """Wait until a file's frame is due. Returns: that time on the clock."""
        now_s, stamp_s = time.perf_counter(), frame.t_ns / 1e9
        if self._start_s is None or now_s - self._start_s - stamp_s > _LATE_S:
            self._start_s = now_s - stamp_s
        due_s = self._start_s + stamp_s
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or self._seek_to is not None,
                max(0.0, due_s - time.perf_counter()),
            )
        return round(due_s * 1e9)

    def _may_go_on(self) -> bool:
        """Wait while a file is paused; False when closing. A live source is drained meanwhile."""
        source = self._source
        with self._changed:
            if source is not None and not source.is_live:
                self._changed.wait_for(
                    lambda: self._closing or not self._paused or self._seek_to is not None
                )
            return not self._closing

    def _sought(self, source: Source) -> int:
        """Go where a person wants to. Returns: the place's number."""
        with self._changed:
            place = self._place
            share, self._seek_to = self._seek_to, None
        if share is None or not isinstance(source, Seekable):
            return place
        source.seek(round(share * source.duration_ns))
        self._start_s = None
        self._stretch += 1
        return place

    def _may_retry(self) -> bool:
        """A live source that worked before is worth waiting for."""
        return bool(self._retry_s) and self.n_shots > 0 and self._was_live and not self._closing

    def _wait_to_retry(self, error: Exception, n_failed: int) -> None:
        told = str(error) if isinstance(error, EngineError) else cause_of(error)
        self.lost = told
        wait_s = self._retry_s[min(n_failed, len(self._retry_s)) - 1]
        logger.info("%s was lost (%s); opening it again in %g s", self.request.title, told, wait_s)
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._again, wait_s)
            self._again = False
