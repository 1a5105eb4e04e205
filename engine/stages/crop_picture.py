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
    factor = int(square.side / size)
    if square.side > 2.0 * size:
        image, (x, y) = _around(image, square, factor)
        height, width = image.shape[0] // factor, image.shape[1] // factor
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        # Pixel centres: x_small = (x + 0.5) / factor - 0.5.
        middle = (factor - 1) / 2
        matrix = matrix @ np.array([[factor, 0, middle + x], [0, factor, middle + y], [0, 0, 1]])
    crop: U8 = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR)
    return crop


def _around(image: U8, square: FaceSquare, factor: int) -> tuple[U8, tuple[int, int]]:
    """The part of a picture that a square needs, and its corner, (x, y) px.

    The part begins and ends where blocks of factor x factor px do, so that averages over them are
    those of the whole picture.
    """
    reach = square.side / 2 * (abs(np.cos(square.roll)) + abs(np.sin(square.roll))) + 2 * factor
    last = np.maximum(np.array(image.shape[1::-1]) // factor, 1)  # blocks; a part is never empty
    first = np.clip((square.centre - reach) // factor, 0, last - 1).astype(int)
    past = np.clip(-(-(square.centre + reach) // factor), first + 1, last).astype(int)
    (x, y), (x_end, y_end) = first * factor, past * factor
    return np.ascontiguousarray(image[y:y_end, x:x_end]), (int(x), int(y))


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
