"""The last seconds, always at hand: frames as JPEG and what was fitted to them, bounded."""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from engine.recording.shot import Shot, slim
from engine.types import U8

__all__ = ["Replay"]

SECONDS: Final = 10.0
MOST_BYTES: Final = 150_000_000
_JPEG_QUALITY: Final = 92
_SHOT_BYTES: Final = 100_000  # what one face's parameters, points and vertices take


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    shot: Shot  # without its picture
    jpeg: bytes
    n_bytes: int


class Replay:
    """Shots of the last seconds of one source; oldest are forgotten. Any thread may call it."""

    def __init__(self, seconds: float = SECONDS, most_bytes: int = MOST_BYTES) -> None:
        self._span_ns, self._most_bytes = round(seconds * 1e9), most_bytes
        self._kept: deque[_Kept] = deque()
        self._changed = threading.Lock()
        self._n_bytes = 0

    @property
    def n_bytes(self) -> int:
        """Memory in use, about."""
        return self._n_bytes

    @property
    def seconds(self) -> float:
        """From the first shot that is kept to the last."""
        with self._changed:
            if not self._kept:
                return 0.0
            return (self._kept[-1].shot.t_ns - self._kept[0].shot.t_ns) / 1e9

    def add(self, shot: Shot) -> None:
        """Keep a shot; another source, or another place in it, forgets what was there."""
        if shot.image is None:
            return
        jpeg = _packed(shot.image)
        faces = tuple(slim(face) for face in shot.faces)
        n_bytes = len(jpeg) + _SHOT_BYTES * len(faces)
        kept = _Kept(replace(shot, image=None, faces=faces), jpeg, n_bytes)
        with self._changed:
            if self._kept and not shot.follows(self._kept[-1].shot):
                self._forget_all()
            self._kept.append(kept)
            self._n_bytes += n_bytes
            while (
                shot.t_ns - self._kept[0].shot.t_ns > self._span_ns
                or self._n_bytes > self._most_bytes
            ) and len(self._kept) > 1:
                self._n_bytes -= self._kept.popleft().n_bytes

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self._forget_all()

    def shots(self) -> Iterator[Shot]:
        """What is kept now, the oldest first, one by one unpacked."""
        with self._changed:
            kept = list(self._kept)
        for item in kept:
            yield replace(item.shot, image=_unpacked(item.jpeg))

    def _forget_all(self) -> None:
        self._kept.clear()
        self._n_bytes = 0


def _packed(image: U8) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return bytes(data)


def _unpacked(jpeg: bytes) -> U8:
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    rgb: U8 = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return rgb
