"""A sink: something that live shots are sent to. Its thread takes the newest and never lags."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from engine.errors import EngineError
from engine.recording.shot import Shot

__all__ = ["Sink", "SinkState", "SinkThread"]

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Made, used and closed on one thread."""

    def send(self, shot: Shot) -> bool:
        """Send what a shot has to say. Returns: whether it had anything.

        Raises: ProviderError: if it could not be sent; the next one is tried all the same.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SinkState:
    """How sending goes."""

    name: str
    n_sent: int = 0
    n_dropped: int = 0  # replaced by newer ones before they were sent
    problem: str = ""  # cause and fix; empty while it works


class SinkThread:
    """Sends shots to one sink; the newest wins."""

    def __init__(self, name: str, make_sink: Callable[[], Sink]) -> None:
        """make_sink: called on the thread; an EngineError from it is the sink's problem."""
        self._make_sink = make_sink
        self._changed = threading.Condition()
        self._state = SinkState(name)
        self._shot: Shot | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="n2f-sink", daemon=True)
        self._thread.start()

    @property
    def state(self) -> SinkState:
        with self._changed:
            return self._state

    def submit(self, shot: Shot) -> None:
        """Send this next; never waits."""
        with self._changed:
            if self._shot is not None:
                self._state = replace(self._state, n_dropped=self._state.n_dropped + 1)
            self._shot = shot
            self._changed.notify_all()

    def wait_sent(self, n_sent: int, timeout_s: float) -> bool:
        """Wait until so many were sent, or there is a problem. Returns: whether they were."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._state.n_sent >= n_sent or bool(self._state.problem), timeout_s
            )
            return self._state.n_sent >= n_sent

    def close(self, timeout_s: float = 5.0) -> bool:
        """End the thread. Safe to call twice. Returns: False if it hangs in the sink."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        sink: Sink | None = None
        try:
            sink = self._make_sink()
            while (shot := self._next()) is not None:
                self._send(sink, shot)
        except EngineError as error:
            self._tell(problem=f"{error}.")
        except Exception as error:  # a thread's errors must reach the window
            logger.exception("%s broke off", self._state.name)
            self._tell(problem=f"{self._state.name} broke off ({type(error).__name__}: {error})")
        finally:
            if sink is not None:
                sink.close()

    def _next(self) -> Shot | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._shot is not None)
            shot, self._shot = self._shot, None
            return None if self._closed else shot

    def _send(self, sink: Sink, shot: Shot) -> None:
        try:
            if sink.send(shot):
                self._tell(sent=1)
        except EngineError as error:
            self._tell(problem=f"{error}.")

    def _tell(self, sent: int = 0, problem: str = "") -> None:
        with self._changed:
            self._state = replace(self._state, n_sent=self._state.n_sent + sent, problem=problem)
            self._changed.notify_all()
