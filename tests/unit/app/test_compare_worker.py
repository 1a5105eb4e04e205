"""The comparison's thread: whose turn it is, and what ends it."""

import threading
from collections.abc import Callable

import pytest

import app.compare_worker
from app.compare_board import LEFT, RIGHT, Board, Phase
from app.compare_worker import CompareWorker
from engine.compare.difference import MeshDifference
from engine.compare.side_fit import SideFit
from engine.compare.sides import LiveSide, Side
from engine.errors import ProviderError
from engine.types import Frame
from tests.compare_fakes import moved_head
from tests.live_fakes import FakeFitter, FakeSource, triangle_model

WAIT_S = 30.0


class InstantSide:
    """Offline by name, done at once; remembers its frames."""

    method, offline = "slow", True

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.seen: list[int] = []
        self.closed = False
        self._before = before
        self._frame: Frame | None = None

    @property
    def busy(self) -> bool:
        return self._frame is not None

    def submit(self, frame: Frame) -> None:
        self._before()
        self.seen.append(frame.index)
        self._frame = frame

    def take(self, timeout_s: float | None = None) -> list[SideFit]:
        frame, self._frame = self._frame, None
        return [] if frame is None else [SideFit(moved_head(frame), 9.0)]

    def close(self) -> None:
        self.closed = True


class Watched:
    """A board that can be waited for."""

    def __init__(self) -> None:
        self._changed = threading.Semaphore(0)
        self.board = Board(self._changed.release)

    def wait_for(self, *phases: Phase) -> str:
        """Until the worker is there. Returns: the problem."""
        while True:
            phase, problem = self.board.look()
            if phase in phases:
                return problem
            assert self._changed.acquire(timeout=WAIT_S)


def make_worker(
    watched: Watched, left: Side, right: Side, n_frames: int = 4
) -> tuple[CompareWorker, FakeSource]:
    source = FakeSource(n_frames)
    worker = CompareWorker(
        lambda: source,
        lambda source: (left, right),
        lambda source: iter(source.read, None),
        MeshDifference(triangle_model()),
        watched.board,
    )
    return worker, source


def test_offline_methods_begin_when_live_ones_are_through_and_with_the_frame_looked_at():
    watched, fitter = Watched(), FakeFitter()
    done_live: list[int] = []
    slow = InstantSide(before=lambda: done_live.append(fitter.events.count("run 3")))
    worker, source = make_worker(watched, slow, LiveSide("n2fnet", fitter))
    worker.want(2)
    worker.start()
    assert watched.wait_for(Phase.DONE, Phase.FAILED) == ""
    assert worker.stop()
    assert slow.seen == [2, 3, 0, 1]
    assert done_live == [1, 1, 1, 1]
    assert watched.board.n_compared == 4
    spot = watched.board.spot(2)
    assert spot is not None
    assert spot.fits[LEFT].fit.frame_index == spot.fits[RIGHT].fit.frame_index == 2
    assert spot.difference.in_view_mm[0] == pytest.approx(2.0, rel=1e-3)
    assert slow.closed
    assert source.closed_in == "n2f-compare"


def test_more_frames_than_memory_should_hold_are_refused_with_a_number_that_fits(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(app.compare_worker, "MAX_BYTES", 3 * 64 * 48 * 3)
    watched = Watched()
    worker, _ = make_worker(watched, InstantSide(), InstantSide())
    worker.start()
    assert "--frames 3" in watched.wait_for(Phase.FAILED)
    assert worker.stop()


def test_a_source_without_frames_says_so():
    watched = Watched()
    worker, _ = make_worker(watched, InstantSide(), InstantSide(), n_frames=0)
    worker.start()
    assert "no frames" in watched.wait_for(Phase.FAILED)
    assert worker.stop()


@pytest.mark.parametrize(
    ("error", "said"),
    [(ProviderError("no such device"), "no such device"), (ZeroDivisionError("x"), "broke off")],
)
def test_what_fails_is_said_on_the_board(error: Exception, said: str):
    def fail() -> None:
        raise error

    watched = Watched()
    slow = InstantSide(before=fail)
    worker, _ = make_worker(watched, slow, LiveSide("n2fnet", FakeFitter()))
    worker.start()
    assert said in watched.wait_for(Phase.FAILED)
    assert worker.stop()
    assert slow.closed
