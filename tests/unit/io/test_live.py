import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from engine.errors import CaptureError
from engine.io.camera import CameraSource
from engine.io.live import LiveReader

LONG_S = 20.0  # never reached: a hung test should end
SHORT_S = 0.05  # for what never comes


def picture(value: int) -> np.ndarray:
    return np.full((4, 6, 3), value, np.uint8)


class FakeDevice:
    """Gives pictures when told to; knows the threads that used it."""

    def __init__(self) -> None:
        self.script: list[np.ndarray | Exception | None] = []
        self.changed = threading.Condition()
        self.n_waiting_for = 0
        self.closed = threading.Event()
        self.threads: set[str] = set()
        self.hung = False

    def give(self, *items: np.ndarray | Exception | None) -> None:
        """Hand out items and return when the reader has published them all."""
        with self.changed:
            self.script.extend(items)
            target = self.n_waiting_for + len(items)
            self.changed.notify_all()
            done = self.changed.wait_for(
                lambda: self.n_waiting_for >= target or self.closed.is_set(), LONG_S
            )
        assert done

    def wait_until_read(self) -> None:
        """Return when the reader waits for the first picture."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.n_waiting_for > 0, LONG_S)

    def release(self) -> None:
        with self.changed:
            self.hung = True
            self.changed.notify_all()

    def read(self) -> np.ndarray | None:
        self.threads.add(threading.current_thread().name)
        with self.changed:
            self.n_waiting_for += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.script or self.hung, LONG_S)
            item = self.script.pop(0) if self.script else None
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        self.threads.add(threading.current_thread().name)
        self.closed.set()
        with self.changed:
            self.changed.notify_all()


@pytest.fixture
def device() -> Iterator[FakeDevice]:
    fake = FakeDevice()
    yield fake
    fake.release()
    assert fake.closed.wait(LONG_S)


def opened(
    device: FakeDevice, *, timeout_s: float = LONG_S, clock_ns: Callable[[], int] | None = None
) -> LiveReader:
    options = {} if clock_ns is None else {"clock_ns": clock_ns}
    reader = LiveReader("fake", lambda: device, timeout_s=timeout_s, **options)
    device.wait_until_read()
    device.give(picture(0))
    reader.wait_open()
    return reader


def test_slow_reader_gets_the_newest_picture_and_drops_are_counted(device: FakeDevice) -> None:
    reader = opened(device)
    device.give(*(picture(i) for i in range(1, 6)))
    frame = reader.read()
    assert frame is not None
    assert (frame.index, frame.image[0, 0, 0]) == (5, 5)
    assert reader.n_dropped == 5
    assert not frame.image.flags.writeable


def test_fast_reader_loses_nothing(device: FakeDevice) -> None:
    reader = opened(device)
    indices = []
    for i in range(1, 4):
        frame = reader.read()
        assert frame is not None
        indices.append(frame.index)
        device.give(picture(i))
    assert indices == [0, 1, 2]
    assert reader.n_dropped == 0


def test_rate_is_measured_from_arrivals(device: FakeDevice) -> None:
    # 0, 20, 60, 80, 120 ms: jitter around one picture in 30 ms.
    times = iter([0, 20_000_000, 60_000_000, 80_000_000, 120_000_000])
    reader = opened(device, clock_ns=lambda: next(times, 0))
    assert reader.measured_fps is None
    device.give(*(picture(i) for i in range(1, 5)))
    assert reader.measured_fps == pytest.approx(4 / 0.120)
    frame = reader.read()
    assert frame is not None
    assert frame.t_ns == 120_000_000


def test_device_lives_in_one_thread_and_is_released_there(device: FakeDevice) -> None:
    reader = opened(device)
    device.release()
    reader.close()
    reader.close()
    assert device.closed.is_set()
    assert device.threads == {"capture fake"}
    assert reader.read() is None


def test_unplugging_is_told_after_the_last_picture(device: FakeDevice) -> None:
    reader = opened(device)
    device.give(CaptureError("fake stopped giving pictures; check its cable"))
    assert reader.read() is not None
    with pytest.raises(CaptureError, match="check its cable"):
        reader.read()


def test_end_is_none(device: FakeDevice) -> None:
    reader = opened(device)
    device.give(None)
    assert reader.read() is not None
    assert reader.read() is None


def test_stall_is_an_error_and_recovery_is_possible(device: FakeDevice) -> None:
    reader = opened(device, timeout_s=SHORT_S)
    reader.read()
    with pytest.raises(CaptureError, match=r"no picture for 0.05 s; check its cable"):
        reader.read()
    device.give(picture(9))
    frame = reader.read()
    assert frame is not None
    assert frame.image[0, 0, 0] == 9


def test_a_driver_that_raises_something_else_is_a_capture_error(device: FakeDevice) -> None:
    reader = opened(device)
    reader.read()
    device.give(RuntimeError("driver bug"))
    with pytest.raises(CaptureError, match="driver bug"):
        reader.read()


def test_slow_opening_times_out_and_the_late_device_is_released(device: FakeDevice) -> None:
    may_open = threading.Event()

    def open_slowly() -> FakeDevice:
        may_open.wait(LONG_S)
        return device

    reader = LiveReader("fake", open_slowly, timeout_s=SHORT_S)
    with pytest.raises(CaptureError, match=r"no answer in 0.05 s.*choose another source"):
        reader.wait_open()
    may_open.set()
    assert device.closed.wait(LONG_S)
    assert device.n_waiting_for == 0


def test_failure_to_open_is_passed_on() -> None:
    def refuse() -> FakeDevice:
        raise CaptureError("webcam:3 does not exist")

    reader = LiveReader("fake", refuse, timeout_s=LONG_S)
    with pytest.raises(CaptureError, match="does not exist"):
        reader.wait_open()


def test_camera_source_reads_an_injected_device(device: FakeDevice) -> None:
    device.script = [picture(7)]
    source = CameraSource(2, timeout_s=LONG_S, open_device=lambda: device)
    frame = source.read()
    assert frame is not None
    assert frame.image[0, 0, 0] == 7
    assert (source.name, source.is_live, source.n_frames) == ("webcam:2", True, None)
    assert source.n_dropped == 0
    device.release()
    source.close()
    assert source.read() is None


def test_non_positive_timeout_is_refused() -> None:
    with pytest.raises(ValueError, match="timeout"):
        LiveReader("fake", FakeDevice, timeout_s=0)
