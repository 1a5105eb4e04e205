"""The part of a frame that a face fills, large enough to see what two fits differ in."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.frames import crop_camera
from engine.stages.crop_geometry import FaceSquare, crop_matrix
from engine.stages.crop_picture import cut_square
from engine.types import F64, U8, Reconstruction

__all__ = ["FaceWindow", "zoomed"]

_SIDE = 2.3
"""Of the landmarks' larger extent: the whole head and some neck."""
_UP = 0.15
"""Of that extent, from the landmarks' middle: the forehead has none."""
_MAY_MOVE = 0.2
"""Of the extent: so far a face goes from the middle before the window follows."""
_MAY_GROW = 1.25


class FaceWindow:
    """An upright square around a face, which stays still while the face hardly moves."""

    def __init__(self) -> None:
        self._square: FaceSquare | None = None

    def follow(self, fits: Sequence[Reconstruction]) -> FaceSquare | None:
        """Where to look in a frame; where it has no fits, still at the last place.

        Returns: None before there was any face.
        """
        if not fits:
            return self._square
        points = np.concatenate([fit.landmarks68_px for fit in fits]).astype(np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        extent = max(float((high - low).max()), 1.0)
        centre: F64 = (low + high) / 2 - [0.0, _UP * extent]
        if self._square is None or _has_left(self._square, centre, extent):
            self._square = FaceSquare(centre, _SIDE * extent, 0.0)
        return self._square


def _has_left(square: FaceSquare, centre: F64, extent: float) -> bool:
    grown = _SIDE * extent / square.side
    away = float(np.linalg.norm(square.centre - centre))
    return away > _MAY_MOVE * extent or not 1 / _MAY_GROW < grown < _MAY_GROW


def zoomed(
    image: U8, fits: Sequence[Reconstruction], square: FaceSquare, size: int
) -> tuple[U8, list[Reconstruction]]:
    """A square of a frame as a picture of its own, and its heads for that picture.

    Args:
        image: (H, W, 3) RGB that the fits belong to.
        size: px of the new picture's sides.
    Returns: (size, size, 3), black outside of the frame; fits with camera and landmarks moved.
    """
    matrix = crop_matrix(square, size)
    moved = [
        replace(
            fit,
            camera=crop_camera(fit.camera, matrix, size),
            landmarks68_px=(fit.landmarks68_px @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32),
        )
        for fit in fits
    ]
    return cut_square(image, square, size), moved
