"""The worker: views in order, sources and fitter closed on its thread, failures told."""

import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest

from app.options import Options
from app.source_thread import Request, Shot, SourceThread
from app.steadier import Steadier
from app.view import State, View
from app.worker import Worker
from engine.errors import AssetError, CaptureError
from engine.frames import default_camera
from engine.pipeline import SeenFrame
from engine.types import Frame, Reconstruction
from tests.live_fakes import Collector, FakeFitter, FakeSource, triangle_head, triangle_model


def run_once(source: FakeSource, fitter: FakeFitter) -> list[View]:
    """All views of one source from opening to its end."""
    collector = Collector()
    worker = Worker(lambda: fitter, lambda spec: source, collector)
    worker.start()
    worker.open(Request("x", "The source"))
    collector.wait_for(lambda view: view.state in (State.ENDED, State.FAILED))
    assert worker.stop()
    return collector.views


def test_a_file_gives_every_frame_in_order_and_then_ends():
    source, fitter = FakeSource(5), FakeFitter()
    views = run_once(source, fitter)
    assert [v.state for v in views] == [State.OPENING, *[State.PLAYING] * 5, State.ENDED]
    assert [v.frame.index for v in views[1:6] if v.frame] == [0, 1, 2, 3, 4]
    assert all(v.faces[0].frame_index == v.frame.index for v in views[1:] if v.frame)
    assert views[-1].frame is views[-2].frame


def test_source_and_fitter_are_closed_on_the_workers_own_thread():
    source, fitter = FakeSource(1), FakeFitter()
    run_once(source, fitter)
    assert source.closed_in == "n2f-source"
    assert fitter.events == ["reset", "run 0", "close in n2f-worker"]


def test_a_failing_source_is_told_with_its_last_frame_still_in_sight():
    source = FakeSource(9, fails_at=3)
    last = run_once(source, FakeFitter())[-1]
    assert last.state is State.FAILED
    assert last.problem == "fake stopped giving pictures; check its cable"
    assert last.frame is not None
    assert last.frame.index == 2
    assert source.closed_in == "n2f-source"


def test_another_source_can_be_opened_after_one_that_cannot():
    def open_source(spec: str) -> FakeSource:
        if spec == "bad":
            raise CaptureError("no such camera")
        return FakeSource(2)

    collector = Collector()
    worker = Worker(FakeFitter, open_source, collector)
    worker.start()
    worker.open(Request("bad", "Bad"))
    collector.wait_for(lambda view: view.problem == "no such camera")
    worker.open(Request("good", "Good"))
    collector.wait_for(lambda view: view.state is State.ENDED and view.source == "Good")
    assert worker.stop()


def test_a_change_of_source_resets_the_fitter_and_leaves_the_old_source():
    sources = {"a": FakeSource(10_000, is_live=True), "b": FakeSource(1)}
    fitter, collector = FakeFitter(), Collector()
    worker = Worker(lambda: fitter, lambda spec: sources[spec], collector)
    worker.start()
    worker.open(Request("a", "A"))
    collector.wait_for(lambda view: view.state is State.PLAYING)
    worker.open(Request("b", "B"))
    collector.wait_for(lambda view: view.state is State.ENDED and view.source == "B")
    assert worker.stop()
    assert sources["a"].closed_in == "n2f-source"
    assert fitter.events[0] == "reset"
    assert fitter.events[-3:] == ["reset", "run 0", "close in n2f-worker"]
    assert not any(v.state is State.ENDED and v.source == "A" for v in collector.views)


def test_a_looping_source_starts_again_and_resets_the_fitter():
    opened: list[FakeSource] = []

    def open_source(spec: str) -> FakeSource:
        opened.append(FakeSource(2))
        return opened[-1]

    fitter, collector = FakeFitter(), Collector()
    worker = Worker(lambda: fitter, open_source, collector)
    worker.start()
    worker.open(Request("clip", "Clip", loop=True))
    # Sources are opened ahead of what is fitted.
    collector.wait_for(lambda view: fitter.events.count("reset") >= 3)
    assert worker.stop()
    assert len(opened) >= 3
    assert fitter.events[:6] == ["reset", "run 0", "run 1", "reset", "run 0", "run 1"]
    assert all(source.closed_in == "n2f-source" for source in opened)


def test_a_looping_source_without_a_frame_ends():
    collector = Collector()
    worker = Worker(FakeFitter, lambda spec: FakeSource(0), collector)
    worker.start()
    worker.open(Request("empty", "Empty", loop=True))
    collector.wait_for(lambda view: view.state is State.ENDED)
    assert worker.stop()


def test_pause_holds_the_next_frame_back_until_it_ends():
    fitter, collector = FakeFitter(), Collector()
    worker = Worker(lambda: fitter, lambda spec: FakeSource(3), collector)
    fitter.before_run = lambda frame: worker.set_paused(frame.index == 0)
    worker.start()
    worker.open(Request("x", "X"))
    collector.wait_for(lambda view: view.frame is not None)
    assert fitter.events == ["reset", "run 0"]
    worker.set_paused(False)
    collector.wait_for(lambda view: view.state is State.ENDED)
    assert worker.stop()
    assert fitter.events[:4] == ["reset", "run 0", "run 1", "run 2"]


def test_a_fitter_that_cannot_be_made_is_told_and_made_for_the_next_request():
    fitter, made = FakeFitter(), []

    def make_fitter() -> FakeFitter:
        made.append(threading.current_thread().name)
        if len(made) == 1:
            raise AssetError("openhead.npz is missing")
        return fitter

    collector = Collector()
    worker = Worker(make_fitter, lambda spec: FakeSource(1), collector)
    worker.start()
    worker.open(Request("x", "X"))
    failed = collector.wait_for(lambda view: view.problem == "openhead.npz is missing")
    assert (failed.state, failed.source) == (State.FAILED, "X")
    worker.open(Request("x", "X"))
    collector.wait_for(lambda view: view.state is State.ENDED)
    assert worker.stop()
    assert made == ["n2f-worker"] * 2
    assert fitter.events == ["reset", "run 0", "close in n2f-worker"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (np.linalg.LinAlgError("SVD did not converge"), "LinAlgError: SVD did not converge"),
        (cv2.error("bad size"), "error: bad size"),
        (ZeroDivisionError(), "X cannot be shown: ZeroDivisionError; try again"),
    ],
)
def test_an_unexpected_error_is_told_and_the_next_source_gets_a_new_fitter(
    error: Exception, told: str, caplog: pytest.LogCaptureFixture
):
    def fail(frame: Frame) -> None:
        if frame.index == 1:
            raise error

    broken, sound, source, collector = FakeFitter(), FakeFitter(), FakeSource(3), Collector()
    broken.before_run = fail
    fitters = iter((broken, sound))
    sources = {"x": source, "y": FakeSource(2)}
    worker = Worker(lambda: next(fitters), lambda spec: sources[spec], collector)
    worker.start()
    worker.open(Request("x", "X"))
    failed = collector.wait_for(lambda view: view.state is State.FAILED)
    assert told in (failed.problem or "")
    assert "choose another source" in (failed.problem or "")
    assert failed.frame is not None
    assert failed.frame.index == 0  # the last that was fitted stays in sight
    assert caplog.records[0].exc_info[1] is error
    worker.open(Request("y", "Y"))
    collector.wait_for(lambda view: view.state is State.ENDED and view.source == "Y")
    assert worker.stop()
    assert source.closed_in == "n2f-source"  # by its own thread, which was told to
    assert sound.events == ["reset", "run 0", "run 1", "close in n2f-worker"]


def test_stop_without_start_is_clean():
    assert Worker(FakeFitter, lambda spec: FakeSource(1), lambda view: None).stop()


def test_another_method_is_used_from_the_next_frame_on():
    source, fitter = FakeSource(3), FakeFitter()
    collector = Collector()
    worker = Worker(lambda: fitter, lambda spec: source, collector)

    def change(frame: Frame) -> None:
        if frame.index == 0:
            worker.set_method("n2fnet")

    fitter.before_run = change
    worker.start()
    worker.open(Request("x", "The source"))
    collector.wait_for(lambda view: view.state is State.ENDED)
    assert worker.stop()
    assert fitter.events[1:5] == ["run 0", "use n2fnet", "run 1", "run 2"]


class Silent:
    """A live source that blocks in read() until a test lets it go."""

    is_live = True
    n_frames = None
    name = "silent"
    n_dropped = 0

    def __init__(self) -> None:
        self.let_go, self.closed = threading.Event(), threading.Event()

    def read(self) -> Frame | None:
        assert self.let_go.wait(30.0)
        return None

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person is told after seconds is told at once."""
    monkeypatch.setattr("app.play._SILENT_S", 0.02)
    monkeypatch.setattr("app.play._LOOK_S", 0.01)
    monkeypatch.setattr("app.worker._CLOSING_S", 0.02)


@pytest.mark.usefixtures("impatient")
def test_a_source_that_blocks_is_told_and_can_be_left_for_another():
    silent, good, collector = Silent(), FakeSource(2), Collector()
    sources = {"silent": silent, "good": good}
    worker = Worker(FakeFitter, lambda spec: sources[spec], collector)
    worker.start()
    worker.open(Request("silent", "Desk camera"))
    told = collector.wait_for(lambda view: view.state is State.WAITING)
    assert "Desk camera has not answered" in (told.problem or "")
    assert "choose another source" in (told.problem or "")
    worker.open(Request("good", "Good"))
    collector.wait_for(lambda view: view.state is State.ENDED and view.source == "Good")
    assert not silent.closed.is_set()
    assert not worker.stop(timeout_s=0.05)  # a thread still hangs, and that is said
    silent.let_go.set()
    assert silent.closed.wait(10.0)


@pytest.mark.usefixtures("impatient")
def test_a_source_that_blocks_and_comes_back_plays_on():
    class Hiccup(FakeSource):
        def read(self) -> Frame | None:
            if self._index == 1:
                assert go_on.wait(10.0)
            return super().read()

    go_on, collector = threading.Event(), Collector()
    worker = Worker(FakeFitter, lambda spec: Hiccup(3, is_live=True), collector)
    worker.start()
    worker.open(Request("x", "X"))
    told = collector.wait_for(lambda view: view.state is State.WAITING)
    assert "X has given no picture" in (told.problem or "")
    assert told.frame is not None
    go_on.set()
    collector.wait_for(
        lambda view: view.state is State.PLAYING and view.frame is not None and view.frame.index > 0
    )
    assert worker.stop()


def test_a_live_source_goes_on_with_a_new_fitter_after_one_broke():
    def fail(frame: Frame) -> None:
        raise ZeroDivisionError

    broken, sound, collector = FakeFitter(), FakeFitter(), Collector()
    broken.before_run = fail
    fitters = iter((broken, sound))
    source = FakeSource(100_000, is_live=True)
    worker = Worker(lambda: next(fitters), lambda spec: source, collector)
    worker.start()
    worker.open(Request("x", "X"))
    collector.wait_for(lambda view: view.state is State.PLAYING and bool(view.faces))
    assert worker.stop()
    assert not any(view.state is State.FAILED for view in collector.views)


class TwoStageFitter(FakeFitter):
    """Knows in which thread each half ran."""

    def see(self, frame: Frame) -> SeenFrame:
        self.events.append(f"see {frame.index} in {threading.current_thread().name}")
        return SeenFrame(frame, default_camera(64, 48), (), (), 0, (), ())

    def fit_seen(self, seen: SeenFrame) -> list[Reconstruction]:
        self.events.append(f"fit {seen.frame.index} in {threading.current_thread().name}")
        return self.run_all(seen.frame)

    def forget_places(self) -> None:
        self.events.append("forget places")

    def forget_people(self) -> None:
        self.events.append("forget people")


def test_two_stages_run_in_two_threads_in_order_and_lose_no_frame_of_a_file():
    fitter, collector = TwoStageFitter(), Collector()
    worker = Worker(
        lambda: fitter, lambda spec: FakeSource(5), collector, options=Options(pipelined=True)
    )
    worker.start()
    worker.open(Request("x", "X"))
    collector.wait_for(lambda view: view.state is State.ENDED)
    assert worker.stop()
    seen = [e for e in fitter.events if e.startswith("see")]
    fitted = [e for e in fitter.events if e.startswith("fit")]
    assert seen == [f"see {i} in n2f-seeing" for i in range(5)]
    assert fitted == [f"fit {i} in n2f-worker" for i in range(5)]
    assert fitter.events.count("forget places") == fitter.events.count("forget people") == 1
    shown = [view.frame.index for view in collector.views if view.state is State.PLAYING]
    assert shown == [0, 1, 2, 3, 4]


def test_an_error_in_the_first_stage_is_told():
    class Blind(TwoStageFitter):
        def see(self, frame: Frame) -> SeenFrame:
            raise ZeroDivisionError

    collector = Collector()
    worker = Worker(Blind, lambda spec: FakeSource(5), collector, options=Options(pipelined=True))
    worker.start()
    worker.open(Request("x", "X"))
    failed = collector.wait_for(lambda view: view.state is State.FAILED)
    assert "ZeroDivisionError" in (failed.problem or "")
    assert worker.stop()


def test_faces_are_filtered_unless_raw_is_asked_for():
    class Moving(FakeFitter):
        def run_all(self, frame: Frame) -> list[Reconstruction]:
            face = triangle_head(frame)
            at = np.array([0.01 * frame.index, 0.0, -1.0])
            t_ns = frame.index * 33_000_000
            return [replace(face, t_ns=t_ns, params=face.params.with_values(t=at))]

    for steady in (True, False):
        collector = Collector()
        worker = Worker(
            Moving,
            lambda spec: FakeSource(3),
            collector,
            make_steadier=lambda: Steadier(triangle_model()),
            options=Options(steady=steady),
        )
        worker.start()
        worker.open(Request("x", "X"))
        last = collector.wait_for(lambda view: view.state is State.ENDED)
        assert worker.stop()
        x = last.faces[0].params.t[0]
        assert (0.0 < x < 0.02) if steady else x == pytest.approx(0.02)


def test_a_fitter_is_made_anew_when_it_should_run_elsewhere():
    fitters, collector = [FakeFitter(), FakeFitter()], Collector()
    waiting = iter(fitters)
    worker = Worker(
        lambda: next(waiting), lambda spec: FakeSource(100_000, is_live=True), collector
    )
    worker.start()
    worker.open(Request("x", "X"))
    collector.wait_for(lambda view: view.state is State.PLAYING)
    worker.renew_fitter()
    collector.wait_for(lambda view: bool(fitters[1].events))
    assert worker.stop()
    assert fitters[0].events[-1] == "close in n2f-worker"


@pytest.mark.parametrize("pipelined", [False, True])
def test_in_a_pause_the_place_is_shown_however_long_its_frame_takes(
    monkeypatch: pytest.MonkeyPatch, pipelined: bool
):
    monkeypatch.setattr("app.play._LOOK_S", 0.005)
    monkeypatch.setattr("app.looking_ahead._PATIENCE_S", 0.005)
    slow, looked = threading.Event(), []
    take = SourceThread.take

    def counted(feed: SourceThread, timeout_s: float) -> Shot | None:
        shot = take(feed, timeout_s)
        if feed.place and shot is None:
            looked.append(1)
            if len(looked) == 3:  # it has given up waiting three times
                slow.set()
        return shot

    monkeypatch.setattr(SourceThread, "take", counted)

    class SlowFilm(FakeSource):
        duration_ns = 100_000_000

        def seek(self, t_ns: int) -> None:
            self._index = t_ns // 1_000_000
            assert slow.wait(10.0)

    collector = Collector()
    worker = Worker(
        TwoStageFitter, lambda spec: SlowFilm(100), collector, options=Options(pipelined=pipelined)
    )
    worker.start()
    worker.open(Request("x", "X"))
    collector.wait_for(lambda view: view.state is State.PLAYING)
    worker.set_paused(True)
    worker.seek(0.5)
    found = collector.wait_for(lambda view: view.place == 1)
    assert (found.position or 0.0) >= 0.5
    assert not any(view.state is State.WAITING for view in collector.views)
    assert worker.stop()
