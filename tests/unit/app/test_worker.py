"""The worker: views in order, sources and fitter closed on its thread, failures told."""

import threading
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from app.view import State, View
from app.worker import Request, Worker
from engine.errors import AssetError, CaptureError
from engine.types import Frame
from tests.live_fakes import FakeFitter, FakeSource


class Collector:
    """Keeps every view and lets a test wait for one."""

    def __init__(self) -> None:
        self.views: list[View] = []
        self._changed = threading.Condition()

    def __call__(self, view: View) -> None:
        with self._changed:
            self.views.append(view)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[View], bool]) -> View:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.views)), 10.0)
            return next(filter(wanted, self.views))


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
    collector.wait_for(lambda view: len(opened) >= 3)
    assert worker.stop()
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
    assert source.closed_in == "n2f-source"
    assert caplog.records[0].exc_info[1] is error
    worker.open(Request("y", "Y"))
    collector.wait_for(lambda view: view.state is State.ENDED and view.source == "Y")
    assert worker.stop()
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
