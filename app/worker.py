"""The inference thread: opens sources, fits heads to their frames, publishes views."""

import logging
import statistics
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

from app.feeds import Feed
from app.view import State, Stats, View
from engine.errors import EngineError
from engine.io.source import Source
from engine.types import Frame, Reconstruction
from engine.video_fit import Fitter, cause_of

__all__ = ["Request", "Worker"]

logger = logging.getLogger(__name__)

_STATS_FRAMES = 30


@dataclass(frozen=True, slots=True)
class Request:
    """A source to show."""

    spec: str  # as for `n2f live --source`
    title: str  # what a person calls it
    loop: bool = False  # start again at the end


class Worker:
    """Runs one source at a time through one fitter, both made and closed on its own thread."""

    def __init__(
        self,
        make_fitter: Callable[[], Fitter],
        open_source: Callable[[str], Source],
        publish: Callable[[View], None],
    ) -> None:
        """Args:
        make_fitter: called on the worker's thread for the first source, and again for the next
            one where it raised or the fitter broke.
        open_source: opens a source by its spec, on the worker's thread.
        publish: takes each view; called on the worker's thread, must not block.
        """
        self._make_fitter = make_fitter
        self._open_source = open_source
        self._publish = publish
        self._changed = threading.Condition()
        self._request: Request | None = None
        self._stopped = False
        self._paused = False
        self._method: str | None = None  # asked for and not yet in use
        self._view = View(State.OPENING, "")
        self._thread = threading.Thread(target=self._run, name="n2f-worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def open(self, request: Request) -> None:
        """Leave the present source for another one."""
        with self._changed:
            self._request, self._paused = request, False
            self._changed.notify_all()

    def set_paused(self, paused: bool) -> None:
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def set_method(self, name: str) -> None:
        """Fit by another method from the next frame on."""
        with self._changed:
            self._method = name

    def stop(self, timeout_s: float = 6.0) -> bool:
        """Close the source and the fitter and end the thread.

        Returns: False if it still runs after timeout_s seconds: longer than a camera may stall.
        """
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _interrupted(self, wait_s: float) -> bool:
        """Wait up to wait_s; True as soon as the present source is no longer wanted."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._stopped or self._request is not None, wait_s
            )

    def _run(self) -> None:
        fitter: Fitter | None = None
        try:
            while (request := self._next_request()) is not None:
                self._tell(View(State.OPENING, request.title))
                try:
                    fitter = fitter or self._make_fitter()
                    self._show(request, fitter)
                except EngineError as error:
                    self._tell_state(State.FAILED, str(error))
                except Exception as error:  # a thread's errors must reach the window
                    logger.exception("%s broke off", request.title)
                    self._tell_state(State.FAILED, _unexpected(request, error))
                    fitter = None  # in what state it is nobody knows: the next one is new
        finally:
            if fitter is not None:
                fitter.close()

    def _next_request(self) -> Request | None:
        """Wait for a source to show; None when stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._request is not None)
            request, self._request = self._request, None
            return None if self._stopped else request

    def _show(self, request: Request, fitter: Fitter) -> None:
        """One source from opening to its end or replacement."""
        shown = self._play(request, fitter)
        while request.loop and shown and not self._interrupted(0.0):
            shown = self._play(request, fitter)
        if not self._interrupted(0.0):
            self._tell_state(State.ENDED)

    def _play(self, request: Request, fitter: Fitter) -> bool:
        """The source once, to its end. Returns: whether it had a frame."""
        fitter.reset()
        shown = False
        feed = Feed(self._open_source(request.spec))
        meter = _Meter()
        try:
            while self._wait_while_paused(feed):
                frame = feed.next(self._interrupted)
                if frame is None:
                    break
                self._change_method(fitter)
                faces = tuple(fitter.run_all(frame))
                stats = meter.measure(frame, faces, feed)
                self._tell(View(State.PLAYING, request.title, frame, faces, stats=stats))
                shown = True
        finally:
            feed.close()
        return shown

    def _change_method(self, fitter: Fitter) -> None:
        with self._changed:
            name, self._method = self._method, None
        if name is not None:
            fitter.use(name)

    def _wait_while_paused(self, feed: Feed) -> bool:
        """False when the source should be left instead of going on."""
        with self._changed:
            if self._paused:
                feed.skip_time()
            self._changed.wait_for(lambda: self._stopped or self._request or not self._paused)
            return not self._stopped and self._request is None

    def _tell(self, view: View) -> None:
        self._view = view
        self._publish(view)

    def _tell_state(self, state: State, problem: str | None = None) -> None:
        """The last frame stays in sight, with its faces."""
        last = self._view
        self._tell(View(state, last.source, last.frame, last.faces, problem, last.stats))


def _unexpected(request: Request, error: Exception) -> str:
    cause = cause_of(error)
    return f"{request.title} cannot be shown: {cause}; try again, or choose another source"


class _Meter:
    """Frames a second and the median time of each stage, over the last frames."""

    def __init__(self) -> None:
        self._ends_s: deque[float] = deque(maxlen=_STATS_FRAMES)
        self._stages: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_STATS_FRAMES))

    def measure(self, frame: Frame, faces: tuple[Reconstruction, ...], feed: Feed) -> Stats:
        self._ends_s.append(time.perf_counter())
        if faces:
            for stage, ms in faces[0].stage_ms.items():
                self._stages[stage].append(ms)
        span_s = self._ends_s[-1] - self._ends_s[0]
        return Stats(
            fps=(len(self._ends_s) - 1) / span_s if span_s > 0 else 0.0,
            stage_ms={stage: statistics.median(ms) for stage, ms in self._stages.items()},
            age_ms=(time.perf_counter_ns() - frame.t_ns) / 1e6 if feed.is_live else None,
            dropped=feed.dropped,
        )
