"""A frame around pictures whose fit is doubtful, so that nobody takes it for good."""

from collections.abc import Sequence

import numpy as np

from engine.types import LOW_QUALITY, U8, Reconstruction

__all__ = ["AMBER", "marked"]

AMBER = (255, 176, 0)  # RGB
_SHARE = 0.012  # of the shorter side
_LEAST_PX = 2


def marked(picture: U8, faces: Sequence[Reconstruction]) -> U8:
    """The picture, framed in amber if any of its faces is fitted doubtfully.

    Args:
        picture: (H, W, 3) RGB or (H, W, 4) RGBA.
    Returns: of the same shape.
    """
    if not any(face.quality < LOW_QUALITY for face in faces):
        return picture
    edge = max(_LEAST_PX, round(_SHARE * min(picture.shape[:2])))
    framed: U8 = np.empty_like(picture)
    framed[:] = (*AMBER, 255)[: picture.shape[2]]
    framed[edge:-edge, edge:-edge] = picture[edge:-edge, edge:-edge]
    return framed
