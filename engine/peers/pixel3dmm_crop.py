"""The square that Pixel3DMM cuts around a face: along the picture's axes, 1.42 times its box.

Their box is FaceBoxes'; that of MediaPipe's points, from the chin to the upper forehead, stands in
for it here. Whole pixels throughout, as theirs.
Source: Pixel3DMM's published code, `preprocessing/pipnet_utils.py`.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from engine.types import F32, F64, U8

__all__ = ["PictureSquare", "cut_picture", "official_square"]

BOX_SCALE = 1.42
_LEAST_SIDE_PX = 2


@dataclass(frozen=True, slots=True)
class PictureSquare:
    """A square of whole pixels within a picture."""

    x: int  # its first column
    y: int  # its first row
    side: int  # px


def official_square(points: F32, width: int, height: int) -> PictureSquare:
    """The square for a face in a picture of width x height.

    Where the face's square leaves the picture, theirs is cut: both coordinates of the corner that
    is outside are moved by as much as the worse of the two needs. It stays a square, and the face
    is no longer in its middle.

    Args:
        points: (N, 2) frame px, of the face.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = np.floor(low).astype(int)
    w, h = (np.ceil(high) - np.floor(low)).astype(int) + 1
    y -= (w - h) // 2 if w > h else 0
    x -= (h - w) // 2 if h > w else 0
    side = max(w, h)
    margin = int(side * (BOX_SCALE - 1) / 2)
    # The last row and column are left out when they cut.
    x0, y0 = x - margin, y - margin
    x1, y1 = x + side - 1 + margin, y + side - 1 + margin
    before = max(0, -x0, -y0)
    # They end one pixel outside of the picture, whose edge then leaves them a pixel off a square.
    behind = max(0, x1 - width, y1 - height)
    side = max(x1 - behind - x0 - before, _LEAST_SIDE_PX)
    # A face that lies outside of the picture has no square of theirs; any inside will do.
    x, y = min(x0 + before, width - side), min(y0 + before, height - side)
    return PictureSquare(int(x), int(y), int(side))


def cut_picture(image: U8, square: PictureSquare, size: int) -> tuple[U8, F64]:
    """(size, size, 3) px of a square in a picture (H, W, 3), bilinear without averaging as theirs.

    Returns: the crop, and (2, 3) where frame px are in it.
    """
    cut = image[square.y : square.y + square.side, square.x : square.x + square.side]
    scale = size / square.side
    middle = (scale - 1) / 2  # (0, 0) is the centre of the first pixel
    matrix = np.array(
        [[scale, 0.0, middle - scale * square.x], [0.0, scale, middle - scale * square.y]]
    )
    crop: U8 = cv2.resize(cut, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    return crop, matrix
