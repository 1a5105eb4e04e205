"""The first of two stages on a thread of its own: sees frame N+1 while frame N is fitted."""

import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from app.mailbox import Mailbox
from app.source_thread import Shot, SourceThread
from engine.pipeline import SeenFrame
from engine.types import Reconstruction

__all__ = ["LookingAhead", "TwoStages"]

_PATIENCE_S = 0.5


@runtime_checkable
class TwoStages(Protocol):
    """A fitter whose halves may run on two threads."""

    def see(self, frame: object, /) -> SeenFrame: ...
    def fit_seen(self, seen: SeenFrame, /) -> list[Reconstruction]: ...
    def forget_places(self) -> None: ...
    def forget_people(self) -> None: ...


class LookingAhead:
    """Takes shots from a source and hands on what was seen of them; the newest shots win."""

    def __init__(
        self,
        feed: SourceThread,
        fitter: TwoStages,
        may_go_on: Callable[[float], bool],
        taken: Callable[[int], None] = lambda place: None,
    ) -> None:
        """Args:
        may_go_on: waits up to that many seconds for the end of a pause; False if it goes on.
        taken: called with the place of every shot.
        """
        self._feed, self._fitter, self._may_go_on = feed, fitter, may_go_on
        self._taken = taken
        self._seen: Mailbox[tuple[Shot, SeenFrame]] = Mailbox()
        self._left: list[Shot] = []
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="n2f-seeing", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Nothing will follow what waits."""
        return self._seen.closed

    def take(self, timeout_s: float) -> tuple[Shot, SeenFrame] | None:
        """As `SourceThread.take`."""
        return self._seen.take(timeout_s)

    def stop(self) -> list[Shot]:
        """End the thread after the frame it is at; the feed stays the caller's.

        Returns: shots that were taken from the feed, and not from here.
        """
        self._seen.close()
        self._thread.join()
        waiting = self._seen.take()
        return [*([waiting[0]] if waiting is not None else []), *self._left]

    def _run(self) -> None:
        try:
            while not self._seen.closed:
                shot = self._feed.take(_PATIENCE_S) if self._may_go_on(_PATIENCE_S) else None
                if shot is None:
                    if self._feed.ended:
                        return
                    continue
                self._taken(shot.place)
                if shot.starts:
                    self._fitter.forget_places()
                if not self._seen.hand_over((shot, self._fitter.see(shot.frame))):
                    self._left.append(shot)
                    return
        except Exception as error:  # noqa: BLE001  (a thread's errors must reach its reader)
            self.error = error
        finally:
            self._seen.close()
