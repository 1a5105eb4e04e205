"""Sinks on this machine alone: what arrives at a socket, what is dropped, what is told."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from engine.errors import ProviderError
from engine.flame.arkit import ARKIT_NAMES, ArkitSolver
from engine.flame.model import HeadModel, load_head_model
from engine.recording.pictures import ShotPainter
from engine.recording.shot import Content, Look, Shot, shot_of
from engine.streaming.senders import make_sink, send_pattern
from engine.streaming.sink import SinkThread
from engine.streaming.targets import SendTarget, parse_target
from engine.streaming.virtual_camera import (
    VirtualCameraSink,
    boxed,
    missing_for_virtual_camera,
)
from engine.types import FlameParams, Frame
from tests.live_fakes import triangle_head, triangle_model
from tests.unit.streaming.test_encoders import osc_bundle

WAIT_S = 20.0
HERE = "127.0.0.1"


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((HERE, 0))
        made.settimeout(WAIT_S)
        yield made


@pytest.fixture(scope="module")
def openhead() -> HeadModel:
    return load_head_model(Path(__file__).parents[3] / "assets" / "openhead.npz")


def shot(index: int = 0, *, face: bool = True, size: tuple[int, int] = (64, 48)) -> Shot:
    frame = Frame(np.full((size[1], size[0], 3), 90, np.uint8), index, index * 40_000_000)
    return shot_of("clip", frame, (triangle_head(frame),) if face else ())


class Slow:
    """Takes a shot at a time, when it is let."""

    def __init__(self) -> None:
        self.go, self.begun, self.sent, self.closed = (
            threading.Semaphore(0), threading.Event(), [], False,
        )  # fmt: skip

    def send(self, one: Shot) -> bool:
        self.begun.set()
        assert self.go.acquire(timeout=WAIT_S)
        self.sent.append(one.frame_index)
        return True

    def close(self) -> None:
        self.closed = True


def test_the_newest_wins_and_what_it_replaced_is_counted():
    slow = Slow()
    thread = SinkThread("slow", lambda: slow)
    thread.submit(shot(0))
    assert slow.begun.wait(WAIT_S)
    for i in range(1, 10):
        thread.submit(shot(i))
    slow.go.release()
    slow.go.release()
    assert thread.wait_sent(2, WAIT_S)
    assert slow.sent == [0, 9]
    assert thread.state.n_dropped == 8
    assert thread.close()
    assert slow.closed
    assert not [t for t in threading.enumerate() if t.name == "n2f-sink"]


def test_trouble_is_told_and_sending_goes_on():
    class Flaky(Slow):
        def send(self, one: Shot) -> bool:
            if one.frame_index == 0:
                raise ProviderError("cannot send; check the network")
            return True

    thread = SinkThread("flaky", Flaky)
    thread.submit(shot(0))
    assert not thread.wait_sent(1, WAIT_S)
    assert thread.state.problem == "cannot send; check the network."
    thread.submit(shot(1))
    with thread._changed:
        assert thread._changed.wait_for(lambda: thread.state.n_sent == 1, WAIT_S)
    assert thread.state.problem == ""
    thread.close()


def test_a_sink_that_cannot_be_made_is_a_problem_not_a_crash():
    def refuse() -> Slow:
        raise ProviderError("nothing here; install it")

    thread = SinkThread("none", refuse)
    assert not thread.wait_sent(1, WAIT_S)
    assert thread.state.problem == "nothing here; install it."
    assert thread.close()


@pytest.mark.assets
@pytest.mark.parametrize("kind", ["vmc", "livelink"])
def test_strengths_of_a_live_face_arrive(receiver: socket.socket, openhead: HeadModel, kind: str):
    target = parse_target(f"{kind}:{HERE}:{receiver.getsockname()[1]}")
    arkit = openhead.arkit
    row = arkit.names.index("jawOpen")
    face = triangle_head(Frame(np.zeros((48, 64, 3), np.uint8), 0, 0))
    params = FlameParams.neutral(openhead.model_id, openhead.n_shape, openhead.n_expr)
    opened = params.with_values(jaw=0.5 * arkit.jaw[row], expr=0.5 * arkit.expr[row])
    one = Shot("clip", 0, 0, None, (replace(face, params=opened),))
    thread = SinkThread(
        str(target), lambda: make_sink(target, openhead, lambda: ArkitSolver(openhead), Look)
    )
    thread.submit(one)
    assert thread.wait_sent(1, WAIT_S), thread.state.problem
    data = receiver.recv(65536)
    if kind == "livelink":
        weights = np.frombuffer(data[-61 * 4 :], ">f4")[:52]
        got = weights[ARKIT_NAMES.index("jawOpen")]
    else:
        values = [v for address, v in osc_bundle(data) if address == "/VMC/Ext/Blend/Val"]
        while "JawOpen" not in dict(values):
            values += [v for a, v in osc_bundle(receiver.recv(65536)) if a == "/VMC/Ext/Blend/Val"]
        got = dict(values)["JawOpen"]
    assert got == pytest.approx(0.5, abs=1e-4)
    thread.close()


@pytest.mark.assets
def test_without_a_face_nothing_is_sent(receiver: socket.socket, openhead: HeadModel):
    target = SendTarget("livelink", HERE, receiver.getsockname()[1])
    sink = make_sink(target, openhead, lambda: ArkitSolver(openhead), Look)
    assert sink.send(shot(face=False)) is False
    sink.close()
    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        receiver.recv(65536)


def test_the_test_pattern_arrives_channel_by_channel(receiver: socket.socket):
    target = SendTarget("livelink", HERE, receiver.getsockname()[1])
    told: list[str] = []
    arrived: list[np.ndarray] = []

    def take(seconds: float) -> None:
        assert seconds == pytest.approx(1 / 30, abs=1e-3)
        arrived.append(np.frombuffer(receiver.recv(65536)[-61 * 4 :], ">f4"))

    send_pattern(target, told.append, take)
    assert len(told) == 61
    assert len(arrived) == 61 * 15
    # The middle of each channel's half second has it at its highest, and nothing else.
    peaks = np.stack(arrived[7::15])
    assert peaks.argmax(axis=1).tolist() == list(range(61))
    with pytest.raises(ValueError, match="no channels"):
        send_pattern(SendTarget("camera"))


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("vmc:127.0.0.1:39540", SendTarget("vmc", "127.0.0.1", 39540)),
        ("vmc", SendTarget("vmc", "127.0.0.1", 39539)),
        ("LiveLink:studio-pc", SendTarget("livelink", "studio-pc", 11111)),
        ("livelink:[::1]:5", SendTarget("livelink", "::1", 5)),
        ("camera", SendTarget("camera")),
    ],
)
def test_targets_are_read_as_people_write_them(text: str, target: SendTarget):
    assert parse_target(text) == target
    assert parse_target(str(target)) == target


@pytest.mark.parametrize("text", ["", "osc:127.0.0.1:1", "vmc:host:0", "vmc:host:x", "camera:1"])
def test_other_targets_are_refused_with_what_is_expected(text: str):
    with pytest.raises(ValueError, match="expected"):
        parse_target(text)


def test_a_host_that_is_not_known_is_told():
    # A label of 64 letters cannot exist, so no name server is asked.
    target = SendTarget("livelink", "x" * 64, 1)
    with pytest.raises(ProviderError, match="check the name"):
        send_pattern(target)


class FakeCamera:
    made: ClassVar[list["FakeCamera"]] = []

    def __init__(self, width: int, height: int, fps: int, fmt: str) -> None:
        self.width, self.height, self.pictures, self.closed = width, height, [], False
        self.made.append(self)

    def send(self, picture: np.ndarray) -> None:
        assert picture.shape == (self.height, self.width, 3)
        self.pictures.append(picture)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def with_camera(monkeypatch: pytest.MonkeyPatch) -> Callable[[type], None]:
    def install(camera: type) -> None:
        module = SimpleNamespace(Camera=camera, PixelFormat=SimpleNamespace(RGB="rgb"))
        monkeypatch.setitem(sys.modules, "pyvirtualcam", module)

    FakeCamera.made = []
    return install


def test_the_virtual_camera_keeps_its_size(with_camera: Callable[[type], None]):
    with_camera(FakeCamera)
    assert missing_for_virtual_camera() == ""
    sink = VirtualCameraSink(ShotPainter(triangle_model()), Content.VIDEO, Look)
    assert sink.send(shot(size=(63, 47)))
    assert sink.send(shot(size=(200, 50)))
    sink.close()
    camera = FakeCamera.made[-1]
    assert (camera.width, camera.height, camera.closed) == (64, 48, True)
    wide = camera.pictures[1]
    assert wide[0].max() == 0  # black above what is wider
    assert wide[24, 32].tolist() == [90, 90, 90]


def test_what_a_virtual_camera_lacks_is_told(
    with_camera: Callable[[type], None], monkeypatch: pytest.MonkeyPatch
):
    class NoDriver:
        def __init__(self, **settings: object) -> None:
            raise RuntimeError("No v4l2 loopback device found")

    with_camera(NoDriver)
    monkeypatch.setattr(sys, "platform", "linux")
    assert "modprobe v4l2loopback" in missing_for_virtual_camera()
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    assert "n2fnet[stream]" in missing_for_virtual_camera()


def test_a_picture_that_fits_is_left_alone():
    picture = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
    np.testing.assert_array_equal(boxed(picture, 64, 48), picture)
    small = boxed(picture, 32, 48)
    assert small[:12].max() == 0
    assert small[24].max() > 0
