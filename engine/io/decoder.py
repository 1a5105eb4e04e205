"""Decodes the pictures of one video file or network address, upright. The only reader on PyAV."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np

from engine.errors import CaptureError
from engine.types import U8

__all__ = ["READ_ERRORS", "Decoder"]

READ_ERRORS: Final = (av.error.FFmpegError, OSError)
"""What PyAV raises when a file or address cannot be read."""
NS_PER_S: Final = 1_000_000_000
USUAL_RATE: Final = 25  # frames a second, for raw streams that state neither times nor a rate
_COVER_ART = av.stream.Disposition.attached_pic


class Decoder:
    """The pictures of one opened container, one by one. Used by one thread."""

    def __init__(
        self, address: str, *, shown_as: str | None = None, timeout_s: float | None = None
    ) -> None:
        """Open a file or network address.

        Args:
            address: "file:PATH" or a URL.
            shown_as: what messages call it; default the path or URL.
            timeout_s: seconds to wait for each answer of a network address; None for files.
        Raises: CaptureError: if there is nothing, no picture in it, or no answer in time.
        """
        self.shown_as = shown_as or address.removeprefix("file:")
        self.n_damaged = 0
        is_file = address.startswith("file:")
        # UDP, the default of RTSP, loses packets on most wireless networks: smeared pictures.
        options = {"rtsp_transport": "tcp"} if address.startswith("rtsp") else {}
        timeout = None if timeout_s is None else (timeout_s, timeout_s)
        try:
            self._container: Any = av.open(
                address, options=options, timeout=timeout, metadata_errors="ignore"
            )
        except (*READ_ERRORS, ValueError) as error:
            raise CaptureError(self._why_not_opened(error, is_file, timeout_s)) from error
        self.stream = self._picture_stream()
        self.stream.thread_type = "AUTO"
        self._size: tuple[int, int] | None = None  # width, height px before turning
        self._first: Fraction | None = None
        self._last_ns = -1
        self._last_s = Fraction(0)
        self._count = 0

    @property
    def duration_s(self) -> float | None:
        """Length that the container states; None where it states none (a live stream)."""
        duration = self._container.duration
        return duration / av.time_base if duration and duration > 0 else None

    @property
    def n_listed(self) -> int:
        """Frames that the file's index lists; 0 where it has no index."""
        return int(self.stream.frames)

    def frames(self) -> Iterator[Any]:
        """Decoded `av.VideoFrame`s; damaged ones are left out and counted in `n_damaged`.

        Raises: READ_ERRORS: if the container cannot be read further.
        """
        for packet in self._container.demux(self.stream):
            try:
                decoded = packet.decode()
            except av.error.InvalidDataError:
                self.n_damaged += 1
                continue
            for frame in decoded:
                if frame.is_corrupt:
                    self.n_damaged += 1
                else:
                    yield frame

    def rgb(self, frame: Any) -> U8:  # noqa: ANN401  (PyAV frame)
        """(H, W, 3) RGB as it is to be shown: square pixels, turned upright, read-only.

        Where the size changes within a video, later frames are scaled to the first one's.
        """
        if self._size is None:
            aspect = self.stream.sample_aspect_ratio or 1
            width = round(frame.width * aspect) if 0.1 < aspect < 10 else frame.width
            self._size = (width, frame.height)
        width, height = self._size
        rgb = frame.to_ndarray(format="rgb24", width=width, height=height)
        turns = round(frame.rotation / 90) % 4  # FFmpeg gives counter-clockwise degrees, as rot90
        image: U8 = np.ascontiguousarray(np.rot90(rgb, turns))
        image.setflags(write=False)
        return image

    def time_ns(self, frame: Any) -> int:  # noqa: ANN401  (PyAV frame)
        """Presentation time from the first frame asked for (0), rising with each call."""
        if frame.pts is None:
            time_s = self._count / Fraction(self.stream.average_rate or USUAL_RATE)
        else:
            time_s = frame.pts * Fraction(frame.time_base)
        if self._first is None:
            self._first = time_s
        self._count += 1
        self._last_s = time_s
        self._last_ns = max(self._last_ns + 1, round((time_s - self._first) * NS_PER_S))
        return self._last_ns

    def seek(self, time_ns: int) -> None:
        """Go to the last key frame at or before a time of `time_ns`; ask for `frames` anew.

        Raises: READ_ERRORS: if the container cannot be sought in.
        """
        target = Fraction(time_ns, NS_PER_S) + (self._first or 0)
        offset = int(target / Fraction(self.stream.time_base))
        self._container.seek(offset, stream=self.stream, backward=True)
        self._last_ns = -1

    def ends_early(self, tolerance: float) -> bool:
        """True if the last frame was due well before the stated end.

        Args:
            tolerance: fraction of the duration that may be missing.
        """
        if not self.stream.duration or not self._count:
            return False
        total = float(self.stream.duration * self.stream.time_base)
        frame_time = total / max(self.n_listed, self._count)
        return float(self._last_s) < total * (1 - tolerance) - 1.5 * frame_time

    def close(self) -> None:
        """Release the file or connection. Safe to call twice."""
        self._container.close()

    def _picture_stream(self) -> Any:  # noqa: ANN401  (PyAV stream)
        streams = self._container.streams
        moving = [s for s in streams.video if not s.disposition & _COVER_ART]
        if moving:
            return moving[0]
        found = "has sound but no picture" if streams.audio else "holds no video"
        self._container.close()
        raise CaptureError(f"{self.shown_as} {found}; give a video with a picture")

    def _why_not_opened(self, error: Exception, is_file: bool, timeout_s: float | None) -> str:
        reason = getattr(error, "strerror", None) or str(error)
        if is_file:
            return (
                f"{self.shown_as} is not a video, or is damaged or cut short ({reason}); "
                "copy or download it again, or convert it to MP4"
            )
        if isinstance(error, av.error.ExitError):
            reason = f"no answer within {timeout_s:g} s"
        return f"{self.shown_as} cannot be opened: {reason}; check the address and the network"
