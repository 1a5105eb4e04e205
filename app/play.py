"""One source through one fitter: what happens to each frame on the inference thread."""

import logging
import time
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from app.looking_ahead import LookingAhead, TwoStages
from app.meter import Meter
from app.options import Options
from app.picture_watch import PictureWatch
from app.source_thread import Shot, SourceThread, turned
from app.steadier import Steadier
from app.view import State, Stats, View
from engine.errors import EngineError
from engine.pipeline import SeenFrame
from engine.types import Reconstruction
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
    def holds_change(self) -> bool: ...
    @property
    def wants_steadier(self) -> bool: ...
    def changed_fitter(self, fitter: LiveFitter) -> LiveFitter: ...
    def new_fitter(self) -> LiveFitter: ...
    def new_steadier(self) -> Steadier | None: ...
    def pause_is_over(self, timeout_s: float | None) -> bool: ...
    def wait_in_pause(self) -> bool: ...
    def wait_for_change(self) -> bool: ...
    def shot_taken(self, place: int) -> None: ...
    def tell(self, view: View) -> None: ...
    def tell_state(self, state: State, problem: str | None = None) -> None: ...


Faces = tuple[Reconstruction, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """The heads of a shot, by the method in use and by the one against it."""

    shot: Shot
    raw: tuple[Faces, Faces]
    steadied: tuple[Faces, Faces]


class Play:
    """One source through one fitter."""

    def __init__(self, keeper: Keeper, feed: SourceThread, fitter: LiveFitter) -> None:
        self._keeper, self._feed, self._fitter = keeper, feed, fitter
        self._meter, self._watch = Meter(), PictureWatch()
        self._steadier, self._rival_steadier = keeper.new_steadier(), keeper.new_steadier()
        self._heard_s = time.monotonic()
        self._n_broken = 0
        self._last: _Fitted | None = None
        self._notice: str | None = None
        self._stats = Stats()

    def run(self) -> None:
        """To the source's end, or until it is not wanted any more."""
        keeper = self._keeper
        if not keeper.options.pipelined:
            self._run_plain()
            return
        ended = False
        while not (keeper.unwanted or ended):
            if keeper.holds_change:
                self._follow_change(State.PLAYING)
            self._use_changed_fitter()
            if not isinstance(self._fitter, TwoStages):
                self._run_plain()
                return
            ended = self._run_both(self._fitter)

    def follow_changes(self) -> None:
        """After the end: show changes on the last frame, until the source is left."""
        while self._keeper.wait_for_change():
            self._follow_change(State.ENDED)

    def _run_plain(self) -> None:
        keeper = self._keeper
        while not keeper.unwanted:
            if not keeper.wait_in_pause():
                if keeper.holds_change:
                    self._follow_change(State.PLAYING)
                continue
            if keeper.paused:
                self._heard_s = time.monotonic()  # nobody listened meanwhile
            shot = self._feed.take(_LOOK_S)
            if shot is None:
                if self._feed.ended:
                    return
                self._tell_silence()
                continue
            keeper.shot_taken(shot.place)
            self._take(shot)

    def _take(self, shot: Shot) -> None:
        """Fit and show a shot of the source."""
        try:
            self._use_changed_fitter()
            shot = self._turned(shot)
            faces, rivals = self._fits(shot)
        except EngineError:
            raise
        except Exception as error:  # noqa: BLE001  (told, or raised again)
            self._broken(error)
        else:
            self._show(shot, faces, rivals)

    def _follow_change(self, state: State) -> None:
        """Show a change on the last frame, as no other comes; fitted anew where it must be."""
        keeper, last = self._keeper, self._last
        must_fit = keeper.wants_change
        try:
            self._use_changed_fitter()
            if last is None:
                return
            shot, raw = self._turned(last.shot), last.raw
            if must_fit or shot is not last.shot:
                raw = self._fits(shot)
        except EngineError:
            raise
        except Exception as error:  # noqa: BLE001  (told, or raised again)
            self._broken(error)
            return
        if raw is not last.raw or keeper.wants_steadier:
            self._last = self._steady(shot, raw)
        self._tell(state, again=True)

    def _use_changed_fitter(self) -> None:
        """The fitter as it is asked for now; what was filtered of another method says nothing."""
        method, rival = _methods_of(self._fitter)
        self._fitter = self._keeper.changed_fitter(self._fitter)
        new_method, new_rival = _methods_of(self._fitter)
        if new_method != method:
            self._steadier = self._keeper.new_steadier()
        if new_rival != rival:
            self._rival_steadier = self._keeper.new_steadier()

    def _turned(self, shot: Shot) -> Shot:
        """Turned as it is asked for now; nobody is then where he was."""
        wanted = self._keeper.options.turns
        if (wanted - shot.turns) % 4 == 0:
            return shot
        frame = turned(shot.frame, wanted - shot.turns)
        return replace(shot, frame=frame, turns=wanted, starts=True)

    def _fits(self, shot: Shot) -> tuple[Faces, Faces]:
        """By the method in use, and by the one that is shown against it, if there is one."""
        fitter = self._fitter
        if shot.starts:
            fitter.reset()
        if not isinstance(fitter, Compares) or not fitter.rival:
            return tuple(fitter.run_all(shot.frame)), ()
        seen = fitter.see(shot.frame)
        return tuple(fitter.fit_seen(seen)), tuple(fitter.fit_rivals(seen))

    def _run_both(self, fitter: TwoStages) -> bool:
        """Two stages at a time, until the fitter must be changed. Returns: whether all is shown."""
        keeper = self._keeper
        ahead = LookingAhead(self._feed, fitter, keeper.pause_is_over, keeper.shot_taken)
        left: list[Shot] = []
        try:
            ended = self._run_ahead(ahead, fitter)
        finally:
            left += ahead.stop()
        if ahead.error is not None:
            self._broken(ahead.error)
            ended = False
        for shot in left:
            if not (shot.is_live or keeper.unwanted):  # of a file none is lost
                self._take(shot)
        return ended

    def _run_ahead(self, ahead: LookingAhead, fitter: TwoStages) -> bool:
        """Until the source ends or the fitter must be changed, which both threads stop for.

        Returns: whether the source ended.
        """
        keeper = self._keeper
        while not keeper.unwanted:
            if keeper.wants_change or keeper.holds_change:
                return False
            both = ahead.take(_LOOK_S)
            if both is None:
                if ahead.ended:
                    return True
                if not keeper.paused:
                    self._tell_silence()
                continue
            shot, seen = both
            if shot.starts:
                fitter.forget_people()
            rivals = fitter.fit_rivals(seen) if isinstance(fitter, Compares) else []
            self._show(shot, tuple(fitter.fit_seen(seen)), tuple(rivals))
        return False

    def _broken(self, error: Exception) -> None:
        """A fitter that broke is made anew for a live source, which goes on meanwhile."""
        self._n_broken += 1
        if not self._feed.is_live or self._n_broken >= _BROKEN_FITS:
            raise error
        logger.warning("the fitter broke and is made anew", exc_info=error)
        self._fitter = self._keeper.new_fitter()

    def _show(self, shot: Shot, faces: Faces, rivals: Faces) -> None:
        """Of a new shot."""
        self._heard_s, self._n_broken = time.monotonic(), 0
        self._meter.add(faces[0].stage_ms if faces else {})
        self._last = self._steady(shot, (faces, rivals))
        self._notice = self._watch.look(shot.frame, is_live=shot.is_live)
        self._stats = self._stats_of(shot)
        self._tell(State.PLAYING)

    def _tell(self, state: State, *, again: bool = False) -> None:
        """What was fitted last, as it is wanted now."""
        if (last := self._last) is None:
            return
        keeper, shot = self._keeper, last.shot
        method, rival = _methods_of(self._fitter)
        faces, rivals = last.steadied if keeper.options.steady else last.raw
        keeper.tell(
            View(
                state,
                self._feed.request.title,
                shot.frame,
                faces,
                method=method,
                rival=rival,
                rivals=rivals,
                notice=self._notice if state is State.PLAYING else None,
                captured_ns=shot.captured_ns,
                position=shot.position,
                place=shot.place,
                again=again,
                stats=replace(self._stats, provider=self._fitter.provider),
            )
        )

    def _steady(self, shot: Shot, raw: tuple[Faces, Faces]) -> _Fitted:
        """With what the filter makes of it, which is known even where raw heads are shown."""
        if self._keeper.wants_steadier:
            self._steadier = self._keeper.new_steadier()
            self._rival_steadier = self._keeper.new_steadier()
        steadied = (
            _steadied(self._steadier, shot, raw[0]),
            _steadied(self._rival_steadier, shot, raw[1]),
        )
        return _Fitted(shot, raw, steadied)

    def _stats_of(self, shot: Shot) -> Stats:
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


def _steadied(steadier: Steadier | None, shot: Shot, faces: Faces) -> Faces:
    if steadier is None:
        return faces
    if shot.starts:
        steadier.reset()
    return steadier.run(faces)


def _methods_of(fitter: LiveFitter) -> tuple[str, str]:
    """The method in use, and the one against it; empty: not known, and none."""
    return (fitter.method, fitter.rival) if isinstance(fitter, Compares) else ("", "")
