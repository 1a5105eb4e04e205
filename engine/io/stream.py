"""Network cameras and videos (rtsp, http, ...) as a live source."""

import threading
import time

from engine.errors import CaptureError
from engine.io.decoder import READ_ERRORS, Decoder
from engine.io.live import LiveReader, LiveSource
from engine.types import U8

__all__ = ["StreamSource", "is_url", "without_password"]


def is_url(text: str) -> bool:
    """True for "scheme://...", which a path never is."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme.isalnum() and len(scheme) > 1


class StreamSource(LiveSource):
    """A network address as a `Source`: always the newest picture, older ones are dropped."""

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        """Open an address and wait for its first picture.

        Args:
            url: rtsp://, rtmp://, http(s):// or udp://; a finished video is played at its speed.
            timeout_s: longest wait for opening and for each picture, seconds.
        Raises: CaptureError: if nothing answers in time or there is no picture in it.
        """
        self.name = without_password(url)
        super().__init__(
            LiveReader(
                self.name,
                lambda: _StreamDevice(url, self.name, timeout_s),
                timeout_s=2 * timeout_s,
            )
        )


class _StreamDevice:
    def __init__(self, url: str, name: str, timeout_s: float) -> None:
        self._name = name
        self._decoder = Decoder(url, shown_as=name, timeout_s=timeout_s)
        self._frames = self._decoder.frames()
        # A live stream has no length. What has one comes faster than it is to be shown.
        self._is_finished_video = self._decoder.duration_s is not None
        self._start_ns = 0
        self._pause = threading.Event()  # never set: its wait is a sleep

    def read(self) -> U8 | None:
        try:
            frame = next(self._frames, None)
        except READ_ERRORS as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CaptureError(
                f"{self._name} broke off: {reason}; check the network and start again"
            ) from error
        if frame is None:
            return None
        due_ns = self._decoder.time_ns(frame)
        if self._is_finished_video:
            self._wait_until(due_ns)
        return self._decoder.rgb(frame)

    def close(self) -> None:
        self._decoder.close()

    def _wait_until(self, due_ns: int) -> None:
        now_ns = time.perf_counter_ns()
        self._start_ns = self._start_ns or now_ns
        self._pause.wait(max(0.0, (self._start_ns + due_ns - now_ns) / 1e9))


def without_password(url: str) -> str:
    """The address as it may be shown: user name and password left out."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
