"""Notices where a film cuts from one scene to another."""

import cv2
import numpy as np

from engine.types import F32, U8

__all__ = ["CutDetector"]

_THUMB = (32, 24)  # px
_LOOKED_AT = (128, 96)
"""Pixels whose means those of a thumbnail are; to look at all would take ten times as long."""
_CUT = 28.0
"""Mean change of a thumbnail's grey values, 0..255, from one frame to the next: a hand before the
camera or a turned head stays under 15, cuts between scenes are mostly over 40."""


class CutDetector:
    """Compares each frame with the one before."""

    def __init__(self) -> None:
        self._last: F32 | None = None
        self._shape: tuple[int, ...] = ()

    def is_cut(self, image: U8) -> bool:
        """Whether a frame, (H, W, 3) RGB, shows another scene or has another size than the last."""
        some = cv2.resize(image, _LOOKED_AT, interpolation=cv2.INTER_NEAREST)
        grey = cv2.resize(some, _THUMB, interpolation=cv2.INTER_AREA).astype(np.float32).mean(2)
        last, shape = self._last, self._shape
        self._last, self._shape = grey, image.shape
        if last is None:
            return False
        return shape != image.shape or float(np.abs(grey - last).mean()) > _CUT
