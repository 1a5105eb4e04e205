"""Cuts a square out of a picture, at any size, without aliasing."""

import cv2
import numpy as np

from engine.stages.crop_geometry import FaceSquare, crop_matrix
from engine.types import F64, U8, FaceCrop

__all__ = ["cut_square", "resized_crop", "resized_square"]


def cut_square(image: U8, square: FaceSquare, size: int) -> U8:
    """(size, size, 3) px of a square in a picture (H, W, 3); black outside of it."""
    matrix = crop_matrix(square, size)
    # Averaging first keeps a big face from aliasing: warpAffine looks at four pixels only.
    shrink = square.side / size
    if shrink > 2.0:
        factor = int(shrink)
        height, width = image.shape[0] // factor, image.shape[1] // factor
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
        # Pixel centres: x_small = (x + 0.5) / factor - 0.5.
        matrix = matrix @ np.array(
            [[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]]
        )
    crop: U8 = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR).astype(np.uint8)
    return crop


def resized_square(crop: U8, size: int) -> U8:
    """A square crop (S, S, 3) at another size."""
    shrinks = cv2.INTER_AREA if size < crop.shape[0] else cv2.INTER_LINEAR
    resized: U8 = cv2.resize(crop, (size, size), interpolation=shrinks)
    return resized


def resized_crop(crop: FaceCrop, size: int) -> tuple[U8, F64]:
    """A face's crop (size, size, 3), and (2, 3) where frame pixels are in it."""
    side = crop.image.shape[0]
    if side == size:
        return crop.image, crop.crop_from_frame
    scale = size / side
    matrix = scale * crop.crop_from_frame
    matrix[:, 2] += (scale - 1) / 2  # (0, 0) is the centre of the first pixel
    return resized_square(crop.image, size), matrix
