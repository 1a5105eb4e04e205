"""Writes MP4 or MKV with true times; a process that is killed leaves a file that still plays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Self

import av
import numpy as np
from av.video.frame import PictureType

from engine.errors import OutputError
from engine.io.decoder import READ_ERRORS
from engine.io.living import mark_living
from engine.types import U8, check_array

__all__ = [
    "ENCODERS",
    "Encoder",
    "RecordingError",
    "VideoRecorder",
    "has_encoder",
    "partial_path",
]


class RecordingError(OutputError):
    """A film cannot be written on."""

    def __init__(self, path: Path, reason: str, kept: Path | None) -> None:
        """reason: what the system says; kept: where what was recorded lies, if anything was."""
        told = f"; what was recorded is in {kept}" if kept is not None else ""
        super().__init__(
            f"{path} cannot be written: {reason}; "
            f"choose another folder with --out or free some space{told}"
        )
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Encoder:
    """One of FFmpeg's, and what it needs to be told."""

    name: str
    ticks: int = 90_000  # a second: times are kept to half of one
    by_quality: bool = False  # takes crf and preset; others are given a bit rate


ENCODERS: Final = (
    Encoder("libx264", by_quality=True),
    Encoder("libopenh264"),
    Encoder("mpeg4", ticks=30_000),  # its clock has 16 bits
)
"""The best first; builds of PyAV differ in what they may carry."""
KEY_FRAME_NS: Final = 1_000_000_000
"""A player can start from each of these, however slowly pictures come."""
_BITS_A_PIXEL: Final = 0.25  # at the nominal rate, for encoders without constant quality
FRAGMENT_US: Final = 250_000
"""At most this much of a recording is lost when the process is killed."""
NOMINAL_RATE: Final = 30  # frames a second; only the encoder's rate control looks at it
CRF: Final = 20  # x264's constant quality: no visible loss


def partial_path(path: Path) -> Path:
    """Where a recording lies until it is closed, and stays if it never is."""
    return path.with_name(f".{path.stem}.partial{path.suffix}")


def has_encoder(name: str = "libx264") -> bool:
    """Whether this build of PyAV can write so."""
    try:
        av.codec.Codec(name, "w")
    except ValueError:
        return False
    return True


class VideoRecorder:
    """Records RGB pictures, each at its own time, as h264 where the encoder is there.

    While recording, a fragmented file grows beside `path` (see `partial_path`) and is playable at
    any moment. `close` turns it into an ordinary one under its own name. Used by one thread.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        *,
        preset: str = "veryfast",
        crf: int = CRF,
        encoders: Sequence[Encoder] = ENCODERS,
    ) -> None:
        """Open the file.

        Args:
            path: where the video goes, .mp4 or .mkv; an existing file is replaced on `close`.
            width, height: px; an odd size is filled up with a copy of its last row or column.
            preset: x264's speed, ultrafast .. veryslow.
            crf: x264's constant quality, 0 (lossless) .. 51.
            encoders: the first that is there is taken.
        Raises: ValueError: for a size below 1 px or another suffix. OutputError: if it cannot be
            written.
        """
        if width < 1 or height < 1:
            raise ValueError(f"size {width}x{height} px, expected at least 1x1")
        if (container := _CONTAINERS.get(path.suffix.lower())) is None:
            raise ValueError(f"{path.name}: expected .mp4 or .mkv")
        self.path = path
        self.encoder = _first_there(path, encoders)
        self.notice = ""
        """What a person should know of how it was written; empty where all is as wanted."""
        if self.encoder != encoders[0]:
            self.notice = (
                f"recorded with {self.encoder.name}, as this PyAV lacks {encoders[0].name}; "
                "install av from PyPI for smaller files"
            )
        self.n_frames = 0
        self._size = (height, width)
        self._first_ns: int | None = None
        self._last_ns = -1
        self._last_pts = -1
        self._key_ns: int | None = None
        self._partial = partial_path(path)
        self._container: Any = None
        self._unmark: Callable[[], None] = lambda: None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(
                f"file:{self._partial}", "w", format=container.format, options=container.options
            )
            self._stream = self._add_stream(preset, crf)
            self._container.start_encoding()  # PyAV opens the file only now
            self._unmark = mark_living(self._partial)
        except READ_ERRORS as error:
            self._abandon()
            raise self._failure(error) from error

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last picture."""
        return 0.0 if self._first_ns is None else (self._last_ns - self._first_ns) / 1e9

    @property
    def n_bytes(self) -> int:
        """How large the file is by now."""
        for path in (self._partial, self.path) if self._container is not None else (self.path,):
            try:
                return path.stat().st_size
            except OSError:
                continue
        return 0

    def write(self, image: U8, t_ns: int) -> None:
        """Add one picture.

        Args:
            image: (H, W, 3) uint8 RGB of the size given at the start.
            t_ns: when it is to be shown, ns on any clock; the first is shown at 0.
        Raises: ValueError: if the size changed or time did not rise, or after `close`.
            OutputError: if it cannot be written, e.g. as the disk is full.
        """
        if self._container is None:
            raise ValueError(f"{self.path.name}: the recording is closed")
        check_array("image", image, (*self._size, 3), np.uint8)
        if self._first_ns is None:
            self._first_ns = t_ns
        elif t_ns <= self._last_ns:
            raise ValueError(f"time must rise: {t_ns} ns after {self._last_ns} ns")
        self._last_ns = t_ns
        pts = round((t_ns - self._first_ns) * self.encoder.ticks / 1e9)
        self._last_pts = max(pts, self._last_pts + 1)
        frame = _as_yuv(image)
        frame.pts, frame.time_base = self._last_pts, Fraction(1, self.encoder.ticks)
        if self._key_ns is None or t_ns - self._key_ns >= KEY_FRAME_NS:
            self._key_ns, frame.pict_type = t_ns, PictureType.I
        self._encode(frame)
        self.n_frames += 1

    def close(self) -> None:
        """Finish the file under its own name. Safe to call twice. Without a frame, no file.

        Raises: OutputError: if it cannot be written; what there is stays in `partial_path`.
        """
        if self._container is None:
            return
        if not self.n_frames:
            self._abandon()
            self._partial.unlink(missing_ok=True)
            return
        self._encode(None)
        try:
            self._container.close()
            self._container = None
            self._finish()
        except READ_ERRORS as error:
            raise self._failure(error) from error
        finally:
            self._unmark()

    def _finish(self) -> None:
        try:
            _rewrite_with_index(self._partial, self.path)
        except READ_ERRORS as error:
            # A copy needs room for two: the file that is there plays as well, only less widely.
            reason = getattr(error, "strerror", None) or str(error)
            self._partial.replace(self.path)
            self.notice = f"left in fragments, as it cannot be rewritten: {reason}"
        else:
            self._partial.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        """Finish the file; after an error leave what there is in `partial_path`."""
        if kind is None:
            self.close()
        else:
            self._abandon()

    def _add_stream(self, preset: str, crf: int) -> Any:  # noqa: ANN401  (PyAV stream)
        options: dict[str, str] = {}
        if self.encoder.by_quality:
            # zerolatency: no look-ahead, so that at most one frame waits inside the encoder.
            options = {"preset": preset, "crf": str(crf), "tune": "zerolatency"}
        stream: Any = self._container.add_stream(
            self.encoder.name, rate=NOMINAL_RATE, options=options
        )
        height, width = self._size
        if not self.encoder.by_quality:
            stream.bit_rate = max(200_000, round(_BITS_A_PIXEL * width * height * NOMINAL_RATE))
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, self.encoder.ticks)
        context.gop_size = NOMINAL_RATE
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _LIMITED
        return stream

    def _encode(self, frame: Any) -> None:  # noqa: ANN401  (PyAV frame)
        try:
            self._container.mux(self._stream.encode(frame))
        except READ_ERRORS as error:
            self._abandon()
            raise self._failure(error) from error

    def _abandon(self) -> None:
        """Close the container, ignoring that it may not be writable any more."""
        container, self._container = self._container, None
        self._unmark()
        if container is not None:
            try:
                container.close()
            except READ_ERRORS:
                return  # the error that led here says more

    def _failure(self, error: Exception) -> RecordingError:
        reason = getattr(error, "strerror", None) or str(error)
        return RecordingError(self.path, reason, self._partial if self.n_frames else None)


_BT709: Final = 1  # AVCOL_SPC_BT709, and the same number for primaries and transfer
_LIMITED: Final = 1  # AVCOL_RANGE_MPEG: 16..235


@dataclass(frozen=True, slots=True)
class _Container:
    format: str
    options: dict[str, str]


_CONTAINERS: Final = {
    ".mp4": _Container(
        "mp4",
        {
            "movflags": "frag_keyframe+empty_moov+default_base_moof",
            "frag_duration": str(FRAGMENT_US),
            "flush_packets": "1",
        },
    ),
    ".mkv": _Container(
        "matroska", {"cluster_time_limit": str(FRAGMENT_US // 1000), "flush_packets": "1"}
    ),
}
_FASTSTART: Final = {"movflags": "faststart"}


def _first_there(path: Path, encoders: Sequence[Encoder]) -> Encoder:
    for encoder in encoders:
        if has_encoder(encoder.name):
            return encoder
    names = ", ".join(encoder.name for encoder in encoders)
    raise OutputError(
        f"{path} cannot be written: this PyAV has none of the encoders {names}; "
        "install av from PyPI, or record parameters alone"
    )


def _as_yuv(image: U8) -> Any:  # noqa: ANN401  (PyAV frame)
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return rgb.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")


def _rewrite_with_index(fragmented: Path, path: Path) -> None:
    """Copy the packets into an ordinary file with an index, which every player knows."""
    container = _CONTAINERS[path.suffix.lower()]
    indexed = path.with_name(f".{path.stem}.indexed{path.suffix}")
    options = _FASTSTART if container.format == "mp4" else {}
    try:
        with (
            av.open(f"file:{fragmented}") as source,
            av.open(f"file:{indexed}", "w", format=container.format, options=options) as target,
        ):
            stream = source.streams.video[0]
            copy = target.add_stream_from_template(stream)
            for packet in source.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    target.mux(packet)
        indexed.replace(path)
    finally:
        indexed.unlink(missing_ok=True)
