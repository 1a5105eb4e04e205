"""The inference thread: takes shots from a source's thread, fits heads, publishes views."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from app.looking_ahead import LookingAhead, TwoStages
from app.meter import Meter
from app.picture_watch import PictureWatch
from app.source_thread import Request, Shot, SourceThread
from app.steadier import Steadier
from app.view import State, Stats, View
from engine.errors import EngineError
from engine.io.source import Source
from engine.types import Reconstruction
from engine.video_fit import Fitter, cause_of

__all__ = ["LiveFitter", "Options", "Request", "Worker"]

logger = logging.getLogger(__name__)

_LOOK_S = 0.25
"""So often a silent source is looked after."""
_SILENT_S = 2.0
"""After so long without a picture a person is told."""
_CLOSING_S = 2.0
"""So long the next source waits for the one before it to let go of its device."""
_BROKEN_FITS = 3
"""So many frames of a live source in a row may break the fitter before it is given up."""


class LiveFitter(Fitter, Protocol):
    """A fitter that knows what it runs on."""

    @property
    def provider(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Options:
    """How sources are read and fits are made."""

    every_frame: bool = True  # of files: none is dropped, the film waits for slow fits
    turns: int = 0  # quarter turns against the clock of every picture
    pipelined: bool = False  # see the next frame while one is fitted: more frames, more lag
    steady: bool = True  # filter what trembles


class Worker:
    """Runs one source at a time through one fitter, both away from the caller's thread."""

    def __init__(
        self,
        make_fitter: Callable[[], LiveFitter],
        open_source: Callable[[str], Source],
        publish: Callable[[View], None],
        *,
        make_steadier: Callable[[], Steadier] | None = None,
        options: Options | None = None,
    ) -> None:
        """Args:
        make_fitter: called on the worker's thread for the first source, and again for the next
            one where it raised or the fitter broke.
        open_source: opens a source by its spec, on a thread of the source's own.
        publish: takes each view; called on the worker's thread, must not block.
        make_steadier: called on the worker's thread; None: nothing is filtered.
        """
        self._make_fitter, self._make_steadier = make_fitter, make_steadier
        self._open_source, self._publish = open_source, publish
        self._options = options or Options()
        self._changed = threading.Condition()
        self._request: Request | None = None
        self._shown: Request | None = None
        self._start_at: float | None = None
        self._stopped = self._paused = self._one_more = False
        self._renew = self._renew_steadier = False
        self._method: str | None = None  # asked for and not yet in use
        self._view = View(State.OPENING, "")
        self._feed: SourceThread | None = None
        self._left: list[SourceThread] = []  # that may still hold a device
        self._fitter: LiveFitter | None = None
        self._thread = threading.Thread(target=self._run, name="n2f-worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def open(self, request: Request, start_at: float | None = None) -> None:
        """Leave the present source for another one, or for a place 0..1 in a file."""
        with self._changed:
            self._request, self._start_at, self._paused = request, start_at, False
            self._leave_feed()

    def set_paused(self, paused: bool) -> None:
        with self._changed:
            self._paused = paused
            if self._feed is not None:
                self._feed.set_paused(paused)
            self._changed.notify_all()

    def seek(self, share: float) -> None:
        """Go to a place in a file, 0..1; one that ended starts again there."""
        with self._changed:
            feed, shown = self._feed, self._shown
            if feed is not None and not feed.ended:
                self._one_more = True  # in a pause too, the place is shown
                feed.seek(share)
                self._changed.notify_all()
                return
        if shown is not None:
            self.open(shown, share)

    def set_method(self, name: str) -> None:
        """Fit by another method from the next frame on."""
        with self._changed:
            self._method = name

    def renew_fitter(self) -> None:
        """Make the fitter anew before the next frame."""
        with self._changed:
            self._renew = True

    def renew_person(self) -> None:
        """Ask for another steadier before the next frame: another person is known now."""
        with self._changed:
            self._renew_steadier = True

    def set_options(self, options: Options) -> None:
        """From the next frame on; where the source must be read otherwise, it is opened anew."""
        with self._changed:
            before, self._options = self._options, options
            feed, shown = self._feed, self._shown
            if feed is not None:
                feed.turns = options.turns
            reopens = (before.every_frame, before.pipelined) != (
                options.every_frame,
                options.pipelined,
            )
        if reopens and feed is not None and not feed.ended and shown is not None:
            self.open(shown, self._view.position)

    def stop(self, timeout_s: float = 6.0) -> bool:
        """Close the source and the fitter and end all threads.

        Returns: False if one still runs after timeout_s seconds: longer than a camera may stall.
        """
        until_s = time.monotonic() + timeout_s
        with self._changed:
            self._stopped = True
            self._leave_feed()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        with self._changed:
            left = [*self._left, *([self._feed] if self._feed else [])]
        closed = [feed.join(max(0.0, until_s - time.monotonic())) for feed in left]
        return not self._thread.is_alive() and all(closed)

    def _leave_feed(self) -> None:
        if self._feed is not None:
            self._feed.close()
        self._changed.notify_all()

    @property
    def _unwanted(self) -> bool:
        """Whether the present source should be left."""
        return self._stopped or self._request is not None

    def _run(self) -> None:
        try:
            while (request := self._next_request()) is not None:
                self._tell(View(State.OPENING, request.title))
                try:
                    self._show(request)
                except EngineError as error:
                    self._tell_state(State.FAILED, str(error))
                except Exception as error:  # a thread's errors must reach the window
                    logger.exception("%s broke off", request.title)
                    self._tell_state(State.FAILED, _unexpected(request, error))
                    self._fitter = None  # in what state it is nobody knows: the next one is new
        finally:
            if self._fitter is not None:
                self._fitter.close()

    def _next_request(self) -> Request | None:
        """Wait for a source to show; None when stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._unwanted)
            if self._stopped:
                return None
            request, self._request = self._request, None
            self._shown = request
            return request

    def _show(self, request: Request) -> None:
        """One source from opening to its end or replacement."""
        feed = self._open_feed(request)
        try:
            # The networks load while the source opens.
            self._fitter = self._fitter or self._make_fitter()
            _Play(self, feed, self._fitter).run()
            if not self._unwanted:
                if feed.error is not None:
                    raise feed.error
                self._tell_state(State.ENDED)
        finally:
            feed.close()
            with self._changed:
                self._left.append(feed)
                self._feed = None

    def _open_feed(self, request: Request) -> SourceThread:
        for feed in self._left:
            feed.join(_CLOSING_S)  # it may hold the very device that is opened next
        with self._changed:
            self._left = [feed for feed in self._left if not feed.join(0.0)]
            start_at, self._start_at = self._start_at, None
            self._feed = feed = SourceThread(
                request,
                self._open_source,
                every_frame=self._options.every_frame,
                turns=self._options.turns,
                start_at=start_at,
            )
            if self._unwanted:
                feed.close()
            return feed

    def _changed_fitter(self, fitter: LiveFitter) -> LiveFitter:
        """The fitter as it was asked for since the last frame."""
        with self._changed:
            name, self._method = self._method, None
            renew, self._renew = self._renew, False
        if renew:
            fitter.close()
            self._fitter = None
            self._fitter = fitter = self._make_fitter()
        elif name is not None:
            fitter.use(name)
        return fitter

    def _pause_is_over(self, timeout_s: float | None) -> bool:
        """Wait for the end of a pause; False if it lasts, or the source should be left."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._unwanted or not self._paused or self._one_more, timeout_s
            )
            if self._unwanted:
                return False
            over = not self._paused or self._one_more
            self._one_more = False
            return over

    def _tell(self, view: View) -> None:
        self._view = view
        self._publish(view)

    def _tell_state(self, state: State, problem: str | None = None) -> None:
        """The last frame stays in sight, with its faces."""
        last = self._view
        if (last.state, last.problem) != (state, problem):
            self._tell(replace(last, state=state, problem=problem, notice=None))


class _Play:
    """One source through one fitter."""

    def __init__(self, worker: Worker, feed: SourceThread, fitter: LiveFitter) -> None:
        self._worker, self._feed, self._fitter = worker, feed, fitter
        self._meter, self._watch = Meter(), PictureWatch()
        make = worker._make_steadier
        self._steadier = make() if make is not None else None
        self._heard_s = time.monotonic()
        self._n_broken = 0

    def run(self) -> None:
        """To the source's end, or until it is not wanted any more."""
        worker, fitter = self._worker, self._fitter
        if not (worker._options.pipelined and isinstance(fitter, TwoStages)):
            self._run_plain()
            return
        while not (worker._unwanted or self._feed.ended):
            self._fitter = fitter = worker._changed_fitter(fitter)
            ahead = LookingAhead(self._feed, fitter, worker._pause_is_over)
            try:
                self._run_ahead(ahead, fitter)
            finally:
                ahead.stop()
            if ahead.error is not None:
                self._broken(ahead.error)

    def _run_plain(self) -> None:
        worker = self._worker
        while worker._pause_is_over(None):
            shot = self._feed.take(_LOOK_S)
            if shot is None:
                if self._feed.ended:
                    return
                self._tell_silence()
                continue
            try:
                self._fitter = worker._changed_fitter(self._fitter)
                if shot.starts:
                    self._fitter.reset()
                faces = self._fitter.run_all(shot.frame)
            except EngineError:
                raise
            except Exception as error:  # noqa: BLE001  (told, or raised again)
                self._broken(error)
                continue
            self._show(shot, faces)

    def _run_ahead(self, ahead: LookingAhead, fitter: TwoStages) -> None:
        """Until the source ends or the fitter must be changed, which both threads stop for."""
        worker = self._worker
        while not worker._unwanted:
            if worker._renew or worker._method is not None:
                return
            both = ahead.take(_LOOK_S)
            if both is None:
                if ahead.ended:
                    return
                if not worker._paused:
                    self._tell_silence()
                continue
            shot, seen = both
            if shot.starts:
                fitter.forget_people()
            self._show(shot, fitter.fit_seen(seen))

    def _broken(self, error: Exception) -> None:
        """A fitter that broke is made anew for a live source, which goes on meanwhile."""
        self._n_broken += 1
        if not self._feed.is_live or self._n_broken >= _BROKEN_FITS:
            raise error
        logger.warning("the fitter broke and is made anew", exc_info=error)
        self._worker._fitter = self._fitter = self._worker._make_fitter()

    def _show(self, shot: Shot, fits: list[Reconstruction]) -> None:
        self._heard_s, self._n_broken = time.monotonic(), 0
        worker, faces = self._worker, tuple(fits)
        if worker._renew_steadier and worker._make_steadier is not None:
            worker._renew_steadier = False
            self._steadier = worker._make_steadier()
        if self._steadier is not None:
            if shot.starts:
                self._steadier.reset()
            steadied = self._steadier.run(faces)
            faces = steadied if worker._options.steady else faces
        self._meter.add(faces[0].stage_ms if faces else {})
        worker._tell(
            View(
                State.PLAYING,
                self._feed.request.title,
                shot.frame,
                faces,
                notice=self._watch.look(shot.frame, is_live=shot.is_live),
                captured_ns=shot.captured_ns,
                position=shot.position,
                stats=self._stats(shot),
            )
        )

    def _stats(self, shot: Shot) -> Stats:
        stages = self._meter.stages()
        age_ms = (time.perf_counter_ns() - shot.captured_ns) / 1e6
        return Stats(
            fps=self._meter.fps,
            stage_ms={stage: p50 for stage, (p50, _) in stages.items()},
            stage_p95_ms={stage: p95 for stage, (_, p95) in stages.items()},
            age_ms=age_ms if shot.is_live else None,
            dropped=self._feed.n_dropped,
            source_fps=self._feed.fps,
            provider=self._fitter.provider,
            steadiness=self._steadier.steadiness() if self._steadier is not None else None,
        )

    def _tell_silence(self) -> None:
        """A source that says nothing: what is the matter, and that it is being looked after."""
        title, silent_s = self._feed.request.title, time.monotonic() - self._heard_s
        if (lost := self._feed.lost) is not None:
            self._worker._tell_state(State.WAITING, f"{lost}. It is opened again by itself")
        elif silent_s >= _SILENT_S:
            what = "given no picture" if self._feed.n_shots else "not answered"
            self._worker._tell_state(
                State.WAITING,
                f"{title} has {what} for {silent_s:.0f} s; check its cable, close other programs "
                "that use it, or choose another source",
            )


def _unexpected(request: Request, error: Exception) -> str:
    cause = cause_of(error)
    return f"{request.title} cannot be shown: {cause}; try again, or choose another source"
