"""One source through one fitter: what happens to each frame on the inference thread."""

import logging
import time
from typing import Protocol, runtime_checkable

from app.looking_ahead import LookingAhead, TwoStages
from app.meter import Meter
from app.options import Options
from app.picture_watch import PictureWatch
from app.source_thread import Shot, SourceThread
from app.steadier import Steadier
from app.view import State, Stats, View
from engine.errors import EngineError
from engine.pipeline import SeenFrame
from engine.types import Frame, Reconstruction
from engine.video_fit import Fitter

__all__ = ["Keeper", "LiveFitter", "Play"]

logger = logging.getLogger(__name__)

_LOOK_S = 0.25
"""So often a silent source is looked after."""
_SILENT_S = 2.0
"""After so long without a picture a person is told."""
_BROKEN_FITS = 3
"""So many frames of a live source in a row may break the fitter before it is given up."""


class LiveFitter(Fitter, Protocol):
    """A fitter that knows what it runs on."""

    @property
    def provider(self) -> str: ...


@runtime_checkable
class Compares(TwoStages, Protocol):
    """A fitter that may fit a frame by a second method too."""

    @property
    def method(self) -> str: ...
    @property
    def rival(self) -> str: ...
    def compare_with(self, method: str, /) -> None: ...
    def fit_rivals(self, seen: SeenFrame, /) -> list[Reconstruction]: ...


class Keeper(Protocol):
    """What a play asks of the worker that it is part of; all on the worker's thread."""

    options: Options
    paused: bool

    @property
    def unwanted(self) -> bool: ...
    @property
    def wants_change(self) -> bool: ...
    @property
    def wants_steadier(self) -> bool: ...
    def changed_fitter(self, fitter: LiveFitter) -> LiveFitter: ...
    def new_fitter(self) -> LiveFitter: ...
    def new_steadier(self) -> Steadier | None: ...
    def pause_is_over(self, timeout_s: float | None) -> bool: ...
    def shot_taken(self, place: int) -> None: ...
    def tell(self, view: View) -> None: ...
    def tell_state(self, state: State, problem: str | None = None) -> None: ...


class Play:
    """One source through one fitter."""

    def __init__(self, keeper: Keeper, feed: SourceThread, fitter: LiveFitter) -> None:
        self._keeper, self._feed, self._fitter = keeper, feed, fitter
        self._meter, self._watch = Meter(), PictureWatch()
        self._steadier, self._rival_steadier = keeper.new_steadier(), keeper.new_steadier()
        self._heard_s = time.monotonic()
        self._n_broken = 0

    def run(self) -> None:
        """To the source's end, or until it is not wanted any more."""
        keeper, fitter = self._keeper, self._fitter
        if not (keeper.options.pipelined and isinstance(fitter, TwoStages)):
            self._run_plain()
            return
        while not (keeper.unwanted or self._feed.ended):
            self._fitter = fitter = keeper.changed_fitter(fitter)
            ahead = LookingAhead(self._feed, fitter, keeper.pause_is_over, keeper.shot_taken)
            try:
                self._run_ahead(ahead, fitter)
            finally:
                ahead.stop()
            if ahead.error is not None:
                self._broken(ahead.error)

    def _run_plain(self) -> None:
        keeper = self._keeper
        while keeper.pause_is_over(None):
            if keeper.paused:
                self._heard_s = time.monotonic()  # nobody listened meanwhile
            shot = self._feed.take(_LOOK_S)
            if shot is None:
                if self._feed.ended:
                    return
                self._tell_silence()
                continue
            keeper.shot_taken(shot.place)
            try:
                self._fitter = keeper.changed_fitter(self._fitter)
                if shot.starts:
                    self._fitter.reset()
                faces, rivals = self._fits(shot.frame)
            except EngineError:
                raise
            except Exception as error:  # noqa: BLE001  (told, or raised again)
                self._broken(error)
                continue
            self._show(shot, faces, rivals)

    def _fits(self, frame: Frame) -> tuple[list[Reconstruction], list[Reconstruction]]:
        """By the method in use, and by the one that is shown against it, if there is one."""
        fitter = self._fitter
        if not isinstance(fitter, Compares) or not fitter.rival:
            return fitter.run_all(frame), []
        seen = fitter.see(frame)
        return fitter.fit_seen(seen), fitter.fit_rivals(seen)

    def _run_ahead(self, ahead: LookingAhead, fitter: TwoStages) -> None:
        """Until the source ends or the fitter must be changed, which both threads stop for."""
        keeper = self._keeper
        while not keeper.unwanted:
            if keeper.wants_change:
                return
            both = ahead.take(_LOOK_S)
            if both is None:
                if ahead.ended:
                    return
                if not keeper.paused:
                    self._tell_silence()
                continue
            shot, seen = both
            if shot.starts:
                fitter.forget_people()
            rivals = fitter.fit_rivals(seen) if isinstance(fitter, Compares) else []
            self._show(shot, fitter.fit_seen(seen), rivals)

    def _broken(self, error: Exception) -> None:
        """A fitter that broke is made anew for a live source, which goes on meanwhile."""
        self._n_broken += 1
        if not self._feed.is_live or self._n_broken >= _BROKEN_FITS:
            raise error
        logger.warning("the fitter broke and is made anew", exc_info=error)
        self._fitter = self._keeper.new_fitter()

    def _show(self, shot: Shot, fits: list[Reconstruction], rivals: list[Reconstruction]) -> None:
        self._heard_s, self._n_broken = time.monotonic(), 0
        keeper, faces = self._keeper, tuple(fits)
        if keeper.wants_steadier:
            self._steadier, self._rival_steadier = keeper.new_steadier(), keeper.new_steadier()
        faces = self._steadied(self._steadier, shot, faces)
        others = self._steadied(self._rival_steadier, shot, tuple(rivals))
        fitter = self._fitter
        compares = isinstance(fitter, Compares)
        self._meter.add(faces[0].stage_ms if faces else {})
        keeper.tell(
            View(
                State.PLAYING,
                self._feed.request.title,
                shot.frame,
                faces,
                method=fitter.method if compares else "",
                rival=fitter.rival if compares else "",
                rivals=others,
                notice=self._watch.look(shot.frame, is_live=shot.is_live),
                captured_ns=shot.captured_ns,
                position=shot.position,
                place=shot.place,
                stats=self._stats(shot),
            )
        )

    def _steadied(
        self, steadier: Steadier | None, shot: Shot, faces: tuple[Reconstruction, ...]
    ) -> tuple[Reconstruction, ...]:
        """Filtered, where that is asked for; what the filter would do is known in any case."""
        if steadier is None:
            return faces
        if shot.starts:
            steadier.reset()
        steadied = steadier.run(faces)
        return steadied if self._keeper.options.steady else faces

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
            source_format=self._feed.taken_format,
            provider=self._fitter.provider,
            steadiness=self._steadier.steadiness() if self._steadier is not None else None,
        )

    def _tell_silence(self) -> None:
        """A source that says nothing: what is the matter, and that it is being looked after."""
        title, silent_s = self._feed.request.title, time.monotonic() - self._heard_s
        if (lost := self._feed.lost) is not None:
            self._keeper.tell_state(State.WAITING, f"{lost}. It is opened again by itself")
        elif silent_s >= _SILENT_S:
            what = "given no picture" if self._feed.n_shots else "not answered"
            self._keeper.tell_state(
                State.WAITING,
                f"{title} has {what} for {silent_s:.0f} s; check its cable, close other programs "
                "that use it, or choose another source",
            )
