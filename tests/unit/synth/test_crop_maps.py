"""Cutting the crop out of a window."""

import numpy as np

from engine.stages.crop_geometry import FaceSquare, crop_matrix
from engine.synth.crop_maps import crop_maps, draw_crop
from engine.synth.sample import PARSING, decode_normals
from engine.synth.scene_renderer import SceneMaps

SKIN = PARSING.index("skin")


def made_window() -> SceneMaps:
    """Skin on the right half, facing +x; nothing on the left."""
    normals = np.zeros((64, 64, 3), np.float32)
    normals[:, 32:] = [1, 0, 0]
    parsing = np.zeros((64, 64), np.uint8)
    parsing[:, 32:] = SKIN
    depth = np.where(parsing > 0, np.float32(0.6), np.float32(0))
    return SceneMaps(np.zeros((64, 64, 4), np.float32), normals, parsing, depth)


def test_crop_shifts_and_turns_the_truth() -> None:
    square = FaceSquare(np.array([31.0, 31.0]), 64.0, 0.0)  # all of the window, halved
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    image = np.full((64, 64, 3), 9, np.uint8)
    cut = crop_maps(image, made_window(), square, 32, quarter)
    assert (cut.parsing[:, 17:] == SKIN).all()
    assert (cut.parsing[:, :15] == 0).all()
    np.testing.assert_allclose(decode_normals(cut.head_normals)[5, 20], [1, 0, 0], atol=0.01)
    np.testing.assert_allclose(decode_normals(cut.view_normals)[5, 20], [0, 1, 0], atol=0.01)
    assert cut.depth[5, 20] == 6000
    assert cut.depth[5, 5] == 0
    assert not cut.head_normals[:, :15].any()


def test_what_lies_outside_of_the_window_is_background() -> None:
    square = FaceSquare(np.array([65.5, 15.5]), 32.0, 0.0)
    image = np.full((64, 64, 3), 9, np.uint8)
    cut = crop_maps(image, made_window(), square, 32, np.eye(3))
    assert (cut.parsing[:, 15:] == 0).all()
    assert (cut.image[:, 15:] == 0).all()


def test_crop_square_holds_the_points_upright() -> None:
    rng = np.random.default_rng(0)
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = rng.uniform(80, 160, (478, 2))
    points[33, :2], points[263, :2] = (100, 100), (140, 120)  # the eye line, slanted
    crops = [crop_matrix(draw_crop(rng, points), 128) for _ in range(20)]
    for crop in crops:
        inside = points[:468, :2] @ crop[:, :2].T + crop[:, 2]
        assert ((inside > 0) & (inside < 128)).all()
        eyes = (points[263, :2] - points[33, :2]) @ crop[:, :2].T
        assert abs(np.arctan2(eyes[1], eyes[0])) < 0.1
