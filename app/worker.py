"""The inference thread: takes shots from a source's thread, fits heads, publishes views."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from app.options import Options
from app.play import Compares, LiveFitter, Play
from app.source_thread import Request, SourceThread
from app.steadier import Steadier
from app.view import State, View
from engine.errors import EngineError, cause_of
from engine.io.source import Source

__all__ = ["LiveFitter", "Worker"]

logger = logging.getLogger(__name__)

_CLOSING_S = 2.0
"""So long the next source waits for the one before it to let go of its device."""


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
        self.options = options or Options()
        self._changed = threading.Condition()
        self._request: Request | None = None
        self._shown: Request | None = None
        self._start_at: float | None = None
        self._stopped = self.paused = self._one_more = self._reopens = False
        self._again = False  # a change is to be seen, on the last frame if no other comes
        self._renew = self._renew_steadier = False
        self._method: str | None = None  # asked for and not yet in use
        self._against = ""  # a second method
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
            self._request, self._start_at = request, start_at
            self.paused = self._reopens = False
            self._leave_feed()

    def set_paused(self, paused: bool) -> None:
        with self._changed:
            self.paused = paused
            if self._feed is not None:
                self._feed.set_paused(paused)
            self._changed.notify_all()
            feed, shown = self._feed, self._shown
            reopens = self._reopens and not paused and feed is not None and not feed.ended
        if reopens and shown is not None:
            self.open(shown, self._view.position)

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

    def retry_now(self) -> None:
        """The source may be there again, if it was lost: do not wait to open it."""
        with self._changed:
            if self._feed is not None:
                self._feed.retry_now()

    def set_method(self, name: str) -> None:
        """Fit by another method from the next frame on; where none comes, the last one anew."""
        with self._changed:
            self._method = name
            self._see_change()

    def compare_with(self, name: str) -> None:
        """Fit each frame by a second method too, as for `set_method`; empty: no more."""
        with self._changed:
            self._against = name
            self._see_change()

    def renew_fitter(self) -> None:
        """Make the fitter anew, as for `set_method`."""
        with self._changed:
            self._renew = True
            self._see_change()

    def renew_person(self) -> None:
        """Ask for another steadier, as for `set_method`: another person is known now."""
        with self._changed:
            self._renew_steadier = True
            self._see_change()

    def set_options(self, options: Options) -> None:
        """As for `set_method`. Where the source must be read otherwise, it is opened anew: after
        a pause, if there is one."""
        with self._changed:
            before, self.options = self.options, options
            feed, shown = self._feed, self._shown
            if feed is not None:
                feed.turns = options.turns
            reopens = (before.every_frame, before.pipelined) != (
                options.every_frame,
                options.pipelined,
            )
            if (before.turns, before.steady) != (options.turns, options.steady):
                self._see_change()
            waits = reopens and self.paused
            self._reopens = self._reopens or waits
        if reopens and not waits and feed is not None and not feed.ended and shown is not None:
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

    def _see_change(self) -> None:
        self._again = True
        self._changed.notify_all()

    def _leave_feed(self) -> None:
        if self._feed is not None:
            self._feed.close()
        self._changed.notify_all()

    @property
    def wants_change(self) -> bool:
        """Whether the fitter is to be another one from the next frame on."""
        fitter = self._fitter
        compares = isinstance(fitter, Compares) and fitter.rival != self._against
        return self._renew or self._method is not None or compares

    def new_fitter(self) -> LiveFitter:
        """In place of the present one, which broke."""
        self._fitter = self._make_fitter()
        return self._fitter

    def new_steadier(self) -> Steadier | None:
        """For another source or person; None: nothing is filtered."""
        self._renew_steadier = False
        return self._make_steadier() if self._make_steadier is not None else None

    @property
    def wants_steadier(self) -> bool:
        """Whether another person is known since the last one."""
        return self._renew_steadier and self._make_steadier is not None

    @property
    def unwanted(self) -> bool:
        """Whether the present source should be left."""
        return self._stopped or self._request is not None

    def _run(self) -> None:
        try:
            while (request := self._next_request()) is not None:
                self.tell(View(State.OPENING, request.title))
                try:
                    self._show(request)
                except EngineError as error:
                    self.tell_state(State.FAILED, str(error))
                except Exception as error:  # a thread's errors must reach the window
                    logger.exception("%s broke off", request.title)
                    self.tell_state(State.FAILED, _unexpected(request, error))
                    self._fitter = None  # in what state it is nobody knows: the next one is new
        finally:
            if self._fitter is not None:
                self._fitter.close()

    def _next_request(self) -> Request | None:
        """Wait for a source to show; None when stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self.unwanted)
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
            play = Play(self, feed, self._fitter)
            play.run()
            if not self.unwanted:
                if feed.error is not None:
                    raise feed.error
                self.tell_state(State.ENDED)
                play.follow_changes()
        finally:
            feed.close()
            with self._changed:
                self._left.append(feed)
                self._feed = None

    def _open_feed(self, request: Request) -> SourceThread:
        for feed in self._left[-1:]:  # those before it were waited for already
            feed.join(_CLOSING_S)  # it may hold the very device that is opened next
        with self._changed:
            self._left = [feed for feed in self._left if not feed.join(0.0)]
            start_at, self._start_at = self._start_at, None
            self._feed = feed = SourceThread(
                request,
                self._open_source,
                every_frame=self.options.every_frame,
                turns=self.options.turns,
                start_at=start_at,
            )
            if self.unwanted:
                feed.close()
            return feed

    def changed_fitter(self, fitter: LiveFitter) -> LiveFitter:
        """The fitter as it was asked for since the last frame."""
        with self._changed:
            name, self._method = self._method, None
            renew, self._renew = self._renew, False
            self._again = False
        if renew:
            fitter.close()
            self._fitter = None
            self._fitter = fitter = self._make_fitter()
        elif name is not None:
            fitter.use(name)
        if isinstance(fitter, Compares) and fitter.rival != self._against:
            fitter.compare_with(self._against)
        return fitter

    def pause_is_over(self, timeout_s: float | None) -> bool:
        """Wait for the end of a pause; False if it lasts, or the source should be left."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.unwanted or not self.paused or self._one_more, timeout_s
            )
            if self.unwanted:
                return False
            return not self.paused or self._one_more

    def wait_in_pause(self) -> bool:
        """Wait for the end of a pause. Returns: False where there is something else to do first:
        to leave the source, or to show a change on the last frame."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.unwanted or not self.paused or self._one_more or self._again
            )
            return not self.unwanted and (not self.paused or self._one_more)

    def wait_for_change(self) -> bool:
        """Wait for a change to show on the last frame; False: the source should be left."""
        with self._changed:
            self._changed.wait_for(lambda: self.unwanted or self._again)
            return not self.unwanted

    @property
    def holds_change(self) -> bool:
        """Whether a change waits to be seen in a pause, where no frame comes to show it on."""
        return self.paused and self._again

    def shot_taken(self, place: int) -> None:
        """In a pause, the one more of a place that a person asked for may be there."""
        with self._changed:
            if self._feed is not None and place == self._feed.place:
                self._one_more = False

    def tell(self, view: View) -> None:
        self._view = view
        self._publish(view)

    def tell_state(self, state: State, problem: str | None = None) -> None:
        """The last frame stays in sight, with its faces."""
        last = self._view
        if (last.state, last.problem) != (state, problem):
            self.tell(replace(last, state=state, problem=problem, notice=None))


def _unexpected(request: Request, error: Exception) -> str:
    cause = cause_of(error)
    return f"{request.title} cannot be shown: {cause}; try again, or choose another source"
