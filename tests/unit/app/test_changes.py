"""Changes where no frame comes to show them on: a photo, a film's end, a pause."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from app.options import Options
from app.source_thread import Request
from app.steadier import Steadier
from app.view import State
from app.worker import Worker
from engine.pipeline import SeenFrame
from engine.types import Frame, Reconstruction
from tests.live_fakes import (
    QUALITIES,
    ByMethod,
    Collector,
    FakeSource,
    triangle_head,
    triangle_model,
)


class Player:
    """A worker, its views and its fitters."""

    def __init__(
        self,
        source: FakeSource,
        *,
        pipelined: bool = False,
        pauses: bool = False,
        make_steadier: Callable[[], Steadier] | None = None,
    ) -> None:
        """pauses: while the first frame is fitted."""
        self.views, self.n_faces = Collector(), 1
        self.fitters: list[ByMethod] = []
        self.opened: list[str] = []

        def make_fitter() -> ByMethod:
            fitter = ByMethod(self.n_faces)
            if pauses and not self.fitters:
                fitter.before_run = lambda frame: self.worker.set_paused(True)
            self.fitters.append(fitter)
            return fitter

        def open_source(spec: str) -> FakeSource:
            self.opened.append(spec)
            return source

        self.worker = Worker(
            make_fitter,
            open_source,
            self.views,
            make_steadier=make_steadier,
            options=Options(pipelined=pipelined),
        )
        self.worker.start()
        self.worker.open(Request("x", "X"))

    def set_options(self, **changes: object) -> None:
        self.worker.set_options(replace(self.worker.options, **changes))


@pytest.fixture(params=["photo", "film in a pause", "camera in a pause"])
def case(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[False, True], ids=["plain", "pipelined"])
def still(request: pytest.FixtureRequest, case: str, monkeypatch: pytest.MonkeyPatch):
    """A player whose source gives no frame any more, and the state that it stays in."""
    monkeypatch.setattr("app.play._LOOK_S", 0.01)
    monkeypatch.setattr("app.looking_ahead._PATIENCE_S", 0.01)
    pauses = case != "photo"
    source = FakeSource(1_000_000 if pauses else 1, is_live=case == "camera in a pause")
    player = Player(source, pipelined=request.param, pauses=pauses)
    player.views.wait_for(lambda view: view.state is wanted_state(case))
    player.fitters[0].before_run = lambda frame: None
    yield player
    assert player.worker.stop()


def wanted_state(case: str) -> State:
    return State.ENDED if case == "photo" else State.PLAYING


def test_another_method_is_seen_on_the_last_frame(still: Player, case: str):
    still.worker.set_method("landmarks")
    view = still.views.wait_for(lambda v: v.again and v.method == "landmarks")
    assert view.faces[0].quality == QUALITIES["landmarks"]
    assert view.state is wanted_state(case)
    assert view.frame is not None
    assert view.faces[0].frame_index == view.frame.index
    assert view.frame is still.views.views[-2].frame  # of the view before, and no other


def test_a_comparison_is_seen_on_the_last_frame_and_its_end_too(still: Player, case: str):
    still.worker.compare_with("landmarks")
    view = still.views.wait_for(lambda v: v.again and v.rival == "landmarks")
    assert [face.quality for face in view.rivals] == [QUALITIES["landmarks"]]
    assert view.state is wanted_state(case)
    still.worker.compare_with("")
    still.views.wait_for(lambda v: v.again and v.rival == "")


def test_turns_are_seen_on_the_last_frame(still: Player, case: str):
    for turns in (1, 3, 0):
        still.set_options(turns=turns)
        shape = (64, 48, 3) if turns else (48, 64, 3)
        view = still.views.wait_for(
            lambda v, shape=shape: (
                v is still.views.views[-1]
                and v.again
                and v.frame is not None
                and v.frame.image.shape == shape
            )
        )
        assert view.state is wanted_state(case)
        assert view.faces[0].camera.width == shape[1]


def test_a_turned_picture_is_turned_against_the_clock():
    class Marked(FakeSource):
        def read(self) -> Frame | None:
            frame = super().read()
            if frame is None:
                return None
            image = frame.image.copy()
            image[0, 0] = 255
            return Frame(image, frame.index, frame.t_ns)

    player = Player(Marked(1))
    player.set_options(turns=3)
    player.views.wait_for(lambda v: v.state is State.ENDED)
    player.set_options(turns=1)
    view = player.views.wait_for(lambda v: v.again)
    assert view.frame is not None
    assert view.frame.image[-1, 0].tolist() == [255] * 3  # what was top left is bottom left
    assert player.fitters[0].events.count("reset") == 2  # nobody is where he was
    assert player.worker.stop()


def test_more_faces_are_seen_on_the_last_frame(still: Player, case: str):
    still.n_faces = 2
    still.worker.renew_fitter()
    view = still.views.wait_for(lambda v: v.again and len(v.faces) == 2)
    assert view.state is wanted_state(case)
    assert len(still.fitters) == 2


def test_what_changes_nothing_on_the_last_frame_fits_nothing():
    player = Player(FakeSource(3))
    player.views.wait_for(lambda v: v.state is State.ENDED)
    n_seen = len(player.fitters[0].events)
    player.set_options(every_frame=False)  # nothing to see in that
    player.worker.set_method("landmarks")
    player.views.wait_for(lambda v: v.method == "landmarks")
    assert player.fitters[0].events[n_seen:] == ["use landmarks", "see 2"]
    assert player.worker.stop()


def test_a_film_loses_no_frame_by_changes_while_the_next_one_is_seen():
    player = Player(FakeSource(200), pipelined=True)
    for name in ("landmarks", "n2fnet", "landmarks"):
        player.worker.set_method(name)
        player.views.wait_for(lambda v, name=name: v is player.views.views[-1] and v.method == name)
    player.views.wait_for(lambda v: v.state is State.ENDED)
    assert player.worker.stop()
    shown = [v.frame.index for v in player.views.views if v.state is State.PLAYING and not v.again]
    assert shown == list(range(200))


class Trembling(ByMethod):
    """Every frame's head is elsewhere."""

    def fit_seen(self, seen: SeenFrame) -> list[Reconstruction]:
        face = triangle_head(seen.frame)
        at = np.array([0.01 * seen.frame.index, 0.0, -1.0])
        t_ns = seen.frame.index * 33_000_000
        return [replace(face, t_ns=t_ns, params=face.params.with_values(t=at))]


def test_the_filter_is_left_out_and_put_back_on_the_last_frame(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tests.unit.app.test_changes.ByMethod", Trembling)
    player = Player(FakeSource(20), make_steadier=lambda: Steadier(triangle_model()))
    filtered = player.views.wait_for(lambda v: v.state is State.ENDED).faces[0]
    assert filtered.params.t[0] < 0.189
    n_seen = len(player.fitters[0].events)
    player.set_options(steady=False)
    raw = player.views.wait_for(lambda v: v.again).faces[0]
    assert raw.params.t[0] == pytest.approx(0.19)
    player.set_options(steady=True)
    player.views.wait_for(lambda v: v.again and v.faces[0] is filtered)
    assert len(player.fitters[0].events) == n_seen  # nothing had to be fitted for that
    player.worker.set_method("landmarks")  # of which the filter knows nothing yet
    view = player.views.wait_for(lambda v: v.method == "landmarks")
    assert view.faces[0].params.t[0] == pytest.approx(0.19)
    assert player.worker.stop()


def test_a_method_that_cannot_be_used_on_a_photo_is_told():
    player = Player(FakeSource(1))
    player.views.wait_for(lambda v: v.state is State.ENDED)
    player.worker.set_method("rgb")
    failed = player.views.wait_for(lambda v: v.state is State.FAILED)
    assert failed.problem == "rgb.onnx is missing; take a fresh copy"
    player.worker.open(Request("y", "Y"))
    player.views.wait_for(lambda v: v.state is State.ENDED and v.source == "Y")
    assert player.worker.stop()


def test_what_opens_a_source_anew_waits_for_the_end_of_a_pause():
    player = Player(FakeSource(1_000_000, is_live=True), pauses=True)
    player.views.wait_for(lambda v: v.state is State.PLAYING)
    player.fitters[0].before_run = lambda frame: None
    player.set_options(pipelined=True)
    assert player.worker.paused
    assert player.opened == ["x"]
    n_views = len(player.views.views)
    player.worker.set_paused(False)
    player.views.wait_for(lambda v: v in player.views.views[n_views:] and v.state is State.OPENING)
    assert player.worker.stop()
