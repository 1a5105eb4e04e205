"""Pictures of faces to fit: photos of a folder, and frames of its videos, spread over each."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from engine.errors import CaptureError
from engine.io.image import load_image
from engine.io.video import VideoSource
from engine.source_factory import is_video_file
from engine.types import Frame

__all__ = ["INTERVAL_S", "MOST_FRAMES", "digest_of", "frames_of"]

log = logging.getLogger(__name__)

INTERVAL_S: Final = 1.0
"""Between frames taken of a video: neighbours look alike and teach little."""
MOST_FRAMES: Final = 200
"""Of one video, or a long one would be most of what is learned from."""


def frames_of(path: Path) -> Iterator[Frame]:
    """A photo, or frames of a video: one a second, fewer of one that is longer than 200 s.

    What cannot be read is told and left out. Indices count within a file; times are all 0, as each
    is fitted by itself.
    """
    try:
        if is_video_file(path):
            yield from _spread(path)
        else:
            loaded = load_image(path)
            yield Frame(loaded.image, 0, 0, loaded.focal_px)
    except CaptureError as error:
        log.warning("%s", error)


def _spread(path: Path) -> Iterator[Frame]:
    with closing(VideoSource(path)) as video:
        interval_ns = max(INTERVAL_S * 1e9, video.duration_ns / MOST_FRAMES)
        taken = 0
        while taken < MOST_FRAMES and (frame := video.read()) is not None:
            if frame.t_ns >= taken * interval_ns:
                yield Frame(frame.image, taken, 0)
                taken += 1
        if video.problem:
            log.warning("%s", video.problem)


def digest_of(paths: Sequence[Path]) -> str:
    """Hexadecimal SHA-256 of the files' names and sizes, in their order.

    Raises: CaptureError: if one is not there any more.
    """
    try:
        listed = [(path.name, path.stat().st_size) for path in paths]
    except OSError as error:
        raise CaptureError(f"{error.filename} cannot be read: {error.strerror}") from error
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()
