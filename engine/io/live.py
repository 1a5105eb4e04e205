"""Reads a device in its own thread and keeps the newest picture: a slow reader never lags."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from engine.errors import CaptureError
from engine.types import U8, Frame

__all__ = ["Device", "LiveReader", "LiveSource"]

FPS_WINDOW = 30  # frames over which the rate is measured


class Device(Protocol):
    """Something that delivers pictures in its own time. All calls come from one thread."""

    def read(self) -> U8 | None:
        """Wait for the next picture, (H, W, 3) RGB; None at the end. Raises CaptureError."""
        ...

    def close(self) -> None:
        """Release the device."""
        ...


class LiveReader:
    """Opens, drains and closes a device in a thread of its own; hands out the newest picture."""

    def __init__(
        self,
        name: str,
        open_device: Callable[[], Device],
        *,
        timeout_s: float,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """Start opening; `wait_open` tells how it went.

        Args:
            name: what a person calls the source.
            open_device: opens it, in the reader's thread; raises CaptureError.
            timeout_s: longest wait for opening and for each picture, seconds.
            clock_ns: the clock of Frame.t_ns.
        """
        if not timeout_s > 0:
            raise ValueError(f"timeout must be positive, got {timeout_s} s")
        self._name = name
        self._open_device = open_device
        self._timeout_s = timeout_s
        self._clock_ns = clock_ns
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._index = 0
        self._n_dropped = 0
        self._arrivals: deque[int] = deque(maxlen=FPS_WINDOW)
        self._error: CaptureError | None = None
        self._ended = False
        self._closing = False
        # A daemon, as a hung driver must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=f"capture {name}", daemon=True)
        self._thread.start()

    @property
    def n_dropped(self) -> int:
        """Pictures that were replaced by a newer one before anybody read them."""
        with self._changed:
            return self._n_dropped

    @property
    def measured_fps(self) -> float | None:
        """Pictures a second over the last 30 that the device delivered; None before two."""
        with self._changed:
            if len(self._arrivals) < 2:
                return None
            span_ns = self._arrivals[-1] - self._arrivals[0]
            return (len(self._arrivals) - 1) * 1e9 / span_ns if span_ns else None

    def wait_open(self) -> None:
        """Return when the first picture is there.

        Raises: CaptureError: if opening failed, or nothing came within the timeout; the thread
            then releases the device as soon as it gets it.
        """
        with self._changed:
            self._changed.wait_for(self._has_news, self._timeout_s)
            if self._newest is not None:
                return
            if self._error is None:
                why = "it ended at once" if self._ended else f"no answer in {self._timeout_s:g} s"
                self._error = CaptureError(
                    f"{self._name} gave no picture: {why}; close other programs that use it, "
                    "plug it in again, or choose another source"
                )
            self._closing = True
            raise self._error

    def read(self) -> Frame | None:
        """The newest picture not yet read, waiting for it; None once closed or at the end.

        Raises: CaptureError: if the device failed or stalls for longer than the timeout.
        """
        with self._changed:
            self._changed.wait_for(self._has_news, self._timeout_s)
            frame, self._newest = self._newest, None
            if frame is not None and not self._closing:
                return frame
            if self._closing or self._ended:
                return None
            if self._error is not None:
                raise self._error
            raise CaptureError(
                f"{self._name} has given no picture for {self._timeout_s:g} s; "
                "check its cable, or choose another source"
            )

    def close(self) -> None:
        """Stop and release the device, waiting for it up to the timeout. Safe to call twice."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(self._timeout_s)

    def _has_news(self) -> bool:
        return self._newest is not None or self._error is not None or self._ended or self._closing

    def _run(self) -> None:
        try:
            device = self._open_device()
            try:
                self._drain(device)
            finally:
                device.close()
        except CaptureError as error:
            self._finish(error)
        except Exception as error:  # noqa: BLE001  (a thread's errors must reach its reader)
            self._finish(CaptureError(f"{self._name} failed: {error!r}; choose another source"))

    def _drain(self, device: Device) -> None:
        while not self._closing:
            image = device.read()
            t_ns = self._clock_ns()
            if image is None:
                self._finish(None)
                return
            image.setflags(write=False)
            with self._changed:
                self._n_dropped += self._newest is not None
                self._newest = Frame(image, self._index, t_ns)
                self._index += 1
                self._arrivals.append(t_ns)
                self._changed.notify_all()

    def _finish(self, error: CaptureError | None) -> None:
        with self._changed:
            self._error = error
            self._ended = error is None
            self._changed.notify_all()


class LiveSource:
    """A `Source` that a reader keeps drained: always the newest picture, older ones are dropped."""

    name: str
    is_live = True
    n_frames: int | None = None

    def __init__(self, reader: LiveReader) -> None:
        """Wait for the first picture.

        Raises: CaptureError: if it does not open, or nothing comes within the reader's timeout.
        """
        self._reader = reader
        reader.wait_open()

    @property
    def n_dropped(self) -> int:
        """Pictures that nobody read in time."""
        return self._reader.n_dropped

    @property
    def measured_fps(self) -> float | None:
        """Pictures a second that really come; None before the second."""
        return self._reader.measured_fps

    def read(self) -> Frame | None:
        """The newest picture, t_ns on time.perf_counter_ns; None at the end or once closed.

        Raises: CaptureError: if the device is gone or gives nothing for the timeout. Opening it
            anew may help.
        """
        return self._reader.read()

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        self._reader.close()
