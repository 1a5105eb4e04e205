"""Video files and animated GIFs as a source of upright RGB frames with their true times."""

from pathlib import Path
from typing import Any, Final

from engine.errors import CaptureError
from engine.io.decoder import READ_ERRORS, Decoder
from engine.io.readable import check_readable
from engine.types import U8, Frame

__all__ = ["VIDEO_SUFFIXES", "VideoSource"]

VIDEO_SUFFIXES: Final = frozenset(
    {".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv"}
    | {".ts", ".webm", ".wmv"}
)
SHORT_BY: Final = 0.02
"""A file that delivers 2 % fewer frames than its index lists, and stops early, was cut off."""


class VideoSource:
    """A video file as a `Source`: every frame, in order, at the time it is to be shown."""

    is_live = False
    n_dropped = 0

    def __init__(self, path: Path) -> None:
        """Open a file and decode its first picture.

        Raises: CaptureError: if it is missing, no video, without a picture, or damaged so that
            not one frame can be read.
        """
        check_readable(path, "video")
        self.path = path
        self.name = path.name
        self.problem: str | None = None
        """What was wrong with the file, known at its end; None if it is whole."""
        self._decoder = Decoder(f"file:{path}")
        self._frames = self._decoder.frames()
        self._index = 0
        self._waiting_ns: int | None = None  # its time, where it was asked for already
        self._waiting: Any = self._decode_next()
        if self._waiting is None:
            self.close()
            raise CaptureError(
                f"{path} is damaged: not one picture in it can be decoded; "
                "copy or download it again, or convert it to MP4"
            )
        self._first: U8 | None = self._decoder.rgb(self._waiting)
        self.height, self.width = self._first.shape[:2]
        self.n_frames = self._estimate_frames()
        """From the file's index, else duration times rate: near, not exact."""
        self.duration_ns = round((self._decoder.duration_s or 0.0) * 1e9)
        """As the file states it; 0 where it does not."""

    def read(self) -> Frame | None:
        """The next frame (image read-only, t_ns 0 for the first, rising), None at the end.

        A file that is cut off ends early and says so in `problem`.
        """
        if self._waiting is None:
            return None
        image = self._decoder.rgb(self._waiting) if self._first is None else self._first
        t_ns, self._waiting_ns = self._waiting_ns, None
        if t_ns is None:
            t_ns = self._decoder.time_ns(self._waiting)
        frame = Frame(image, self._index, t_ns)
        self._first = None
        self._index += 1
        self._waiting = self._decode_next()
        return frame

    def seek(self, t_ns: int) -> None:
        """Go on with the first frame at or after a time stamp; its index is counted by the rate.

        Raises: CaptureError: if the file cannot be sought in.
        """
        if self._index == 0 and self._waiting is not None and self._waiting_ns is None:
            self._decoder.time_ns(self._waiting)  # times count from this frame
        try:
            self._decoder.seek(t_ns)
        except READ_ERRORS as error:
            raise CaptureError(
                f"{self.name} has no index to go to a place by; convert it to MP4"
            ) from error
        self._frames = self._decoder.frames()
        self._first, self._waiting, self.problem = None, None, None
        at_ns = t_ns
        while (frame := self._decode_next()) is not None:
            self._waiting, at_ns = frame, self._decoder.time_ns(frame)
            if at_ns >= t_ns:
                break
        self._waiting_ns = at_ns
        self._index = round(at_ns * 1e-9 * (self._decoder.stream.average_rate or 25))

    def close(self) -> None:
        """Release the file. Safe to call twice."""
        self._waiting = None
        self._decoder.close()

    def _decode_next(self) -> Any:  # noqa: ANN401  (PyAV frame)
        try:
            frame = next(self._frames, None)
        except READ_ERRORS as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.problem = f"{self.name} cannot be read beyond frame {self._index}: {reason}"
            return None
        if frame is None:
            self.problem = self._what_is_missing()
        return frame

    def _estimate_frames(self) -> int | None:
        rate, duration = self._decoder.stream.average_rate, self._decoder.duration_s
        by_time = max(1, round(duration * rate)) if duration and rate else None
        return self._decoder.n_listed or by_time

    def _what_is_missing(self) -> str | None:
        listed, n_damaged = self._decoder.n_listed, self._decoder.n_damaged
        # Both, as an edit list may hide listed frames at the start of a whole file.
        if self._index < listed * (1 - SHORT_BY) and self._decoder.ends_early(SHORT_BY):
            return f"{self.name} is cut off: {self._index} of {listed} frames could be read"
        if n_damaged:
            return f"{self.name} is damaged: {n_damaged} of its frames were left out"
        return None
