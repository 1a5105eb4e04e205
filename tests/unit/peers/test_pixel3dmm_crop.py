"""The official crop: known squares, and where pixels of the frame come to lie."""

import numpy as np
import pytest

from engine.peers.pixel3dmm_crop import PictureSquare, cut_picture, official_square


def face(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([[x0, y0], [x1, y1]], np.float32)


def test_a_face_in_the_middle_gets_142_percent_of_its_longer_side() -> None:
    # Box 81 x 101: grown by 10 to the left, then by int(101 * 0.21) = 21; the last row is left out.
    found = official_square(face(300, 200, 380, 300), 1000, 800)
    assert found == PictureSquare(300 - 10 - 21, 200 - 21, 101 - 1 + 2 * 21)
    wide = official_square(face(200, 300, 300, 380), 1000, 800)
    assert wide == PictureSquare(200 - 21, 300 - 10 - 21, 142)


def test_a_face_at_the_upper_left_loses_as_much_on_both_axes() -> None:
    inside = official_square(face(100, 100, 200, 200), 1000, 800)
    found = official_square(face(11, 100, 111, 200), 1000, 800)
    assert (inside.x, inside.y, inside.side) == (79, 79, 142)
    # 11 - 21 = -10: x and y both start 10 later, so the square is 10 smaller.
    assert found == PictureSquare(0, 89, 132)


def test_a_face_at_the_lower_right_ends_with_the_picture() -> None:
    found = official_square(face(880, 600, 980, 700), 1000, 800)
    assert found.x + found.side == 1000
    assert (found.x, found.y) == (859, 579)


@pytest.mark.parametrize("seed", range(20))
def test_squares_lie_within_the_picture(seed: int) -> None:
    random = np.random.default_rng(seed)
    width, height = random.integers(40, 600, 2)
    low = random.uniform(-0.2, 0.8, 2) * [width, height]
    points = np.stack([low, low + random.uniform(2, 700, 2)])
    found = official_square(points.astype(np.float32), int(width), int(height))
    assert found.side >= 2
    assert min(found.x, found.y) >= 0
    assert found.x + found.side <= width
    assert found.y + found.side <= height


def test_a_face_outside_of_the_picture_has_a_square_inside() -> None:
    found = official_square(face(700, 500, 760, 560), 640, 480)
    assert found == PictureSquare(638, 478, 2)


def test_pixels_of_the_frame_are_where_the_matrix_says() -> None:
    # Two ramps: the crop must hold at each pixel the place it came from.
    y, x = np.mgrid[:200, :240].astype(np.uint8)
    image = np.stack([x, y, np.zeros_like(x)], axis=-1)
    crop, matrix = cut_picture(image, PictureSquare(30, 40, 64), 128)
    assert crop.shape == (128, 128, 3)
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    for at in ((10, 20), (64, 64), (120, 33)):
        place = back @ [*at, 1]
        np.testing.assert_allclose(crop[at[1], at[0], :2], place[:2], atol=0.6)  # 8 bits
    np.testing.assert_allclose(matrix @ [29.5, 39.5, 1], [-0.5, -0.5], atol=1e-9)
    np.testing.assert_allclose(matrix @ [93.5, 103.5, 1], [127.5, 127.5], atol=1e-9)
