"""Numbers as colours that are told apart by all eyes, in print and in grey, too.

Source: viridis, by van der Walt and Smith 2015 (CC0), every sixteenth of its 256 colours.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.types import F32, U8

__all__ = ["scale_bar", "scale_colours"]

_VIRIDIS_RGB = np.array(
    [(68, 1, 84), (72, 24, 106), (71, 45, 123), (66, 64, 134), (59, 82, 139), (51, 99, 141),
     (44, 114, 142), (38, 130, 142), (33, 145, 140), (31, 159, 136), (39, 173, 129),
     (61, 188, 116), (92, 200, 99), (129, 211, 77), (170, 220, 50), (213, 226, 26),
     (253, 231, 37)], np.float32
) / np.float32(255)  # fmt: skip
_PLACES = np.linspace(0.0, 1.0, len(_VIRIDIS_RGB))


def scale_colours(values: npt.NDArray[np.floating[Any]], top: float) -> F32:
    """(..., 3) sRGB-encoded 0..1 for values (...): dark blue at 0, yellow at top and beyond."""
    shares = np.clip(values / top, 0.0, 1.0)
    channels = [np.interp(shares, _PLACES, _VIRIDIS_RGB[:, c]) for c in range(3)]
    colours: F32 = np.stack(channels, axis=-1).astype(np.float32)
    return colours


def scale_bar(width: int, height: int) -> U8:
    """(height, width, 3) RGB: the scale from 0 on the left to its top on the right."""
    row = scale_colours((np.arange(width) + 0.5) / width, 1.0)
    bar: U8 = np.rint(255 * np.broadcast_to(row, (height, width, 3))).astype(np.uint8)
    return bar
