"""Tells when a live source's pictures are black, too dark to see a face in, or frozen."""

import numpy as np

from engine.types import U8, Frame

__all__ = ["PictureWatch"]

_STEP = 16  # every sixteenth pixel both ways is enough
_BLACK, _DARK = 6.0, 32.0  # mean of 0..255
_AFTER_NS = 2_000_000_000
"""So long it must last before it is said."""

_BLACK_TEXT = (
    "The picture is black. Is the lens covered, its shutter closed, or is this a virtual camera?"
)
_DARK_TEXT = "The picture is very dark. Turn a light on, in front of the face."
_FROZEN_TEXT = "The picture does not change any more. Plug the camera in again, or choose another."


class PictureWatch:
    """Looks at every frame of one source."""

    def __init__(self) -> None:
        self._last: U8 | None = None
        self._since_ns: dict[str, int] = {}

    def look(self, frame: Frame, *, is_live: bool) -> str | None:
        """What is wrong with the pictures, for two seconds now; None if nothing is.

        Args:
            is_live: only what is live can be frozen or covered.
        """
        if not is_live:
            return None
        small: U8 = frame.image[::_STEP, ::_STEP].copy()
        mean = float(small.mean())
        same = self._last is not None and np.array_equal(small, self._last)
        self._last = small
        seen = {_BLACK_TEXT: mean < _BLACK, _DARK_TEXT: mean < _DARK, _FROZEN_TEXT: same}
        for text, is_so in seen.items():
            if not is_so:
                self._since_ns.pop(text, None)
                continue
            if frame.t_ns - self._since_ns.setdefault(text, frame.t_ns) >= _AFTER_NS:
                return text
        return None
