"""Cutting a square out of a picture."""

import cv2
import numpy as np
import pytest

from engine.stages.crop_geometry import FaceSquare, crop_matrix
from engine.stages.crop_picture import cut_square

SIZE = 96


@pytest.mark.parametrize("seed", range(12))
def test_a_big_squares_part_is_averaged_as_the_whole_picture_would_be(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (420, 840, 3), np.uint8)  # a multiple of 2, 3, 4, 5, 6 and 7
    centre, side = rng.uniform([-100, -100], [940, 520]), rng.uniform(2.01, 7.9) * SIZE
    square = FaceSquare(centre, float(side), float(rng.uniform(-np.pi, np.pi)))
    factor = int(side / SIZE)
    small = cv2.resize(picture, (840 // factor, 420 // factor), interpolation=cv2.INTER_AREA)
    middle = (factor - 1) / 2
    to_picture = np.array([[factor, 0, middle], [0, factor, middle], [0, 0, 1]])
    whole = cv2.warpAffine(small, crop_matrix(square, SIZE) @ to_picture, (SIZE, SIZE))
    np.testing.assert_array_equal(cut_square(picture, square, SIZE), whole)


def test_a_square_beside_the_picture_is_black() -> None:
    picture = np.full((101, 203, 3), 200, np.uint8)
    for centre in ([-900.0, 50.0], [1200.0, 50.0], [100.0, -900.0], [100.0, 900.0]):
        square = FaceSquare(np.array(centre), 3.5 * SIZE, 0.4)
        assert not cut_square(picture, square, SIZE).any()


def test_pixels_stay_in_place_where_blocks_do_not_fill_the_picture() -> None:
    """A bright column far right in a picture of odd width is where the matrix says."""
    picture = np.zeros((300, 1283, 3), np.uint8)
    picture[:, 1201:1203] = 255
    square = FaceSquare(np.array([1150.0, 150.0]), 2.5 * SIZE, 0.0)
    crop = cut_square(picture, square, SIZE)[SIZE // 2, :, 0].astype(float)
    wanted = (crop_matrix(square, SIZE) @ [1201.5, 150.0, 1.0])[0]
    assert crop @ np.arange(SIZE) / crop.sum() == pytest.approx(wanted, abs=0.2)
