"""Rasterised normals and comparisons on shapes with known answers."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.stages.mediapipe_normals import (
    angles_deg,
    head_rotation,
    mesh_normals,
    relief,
    skin_inside,
)
from engine.types import F32, NormalMap
from tests.onnx_files import disc, sphere_normals

SIZE = 64


def square(z: F32) -> tuple[F32, np.ndarray]:
    """478 points, of which four corners of a square with depths z are used."""
    points = np.zeros((478, 3), np.float32)
    points[:4, :2] = [(10, 10), (50, 10), (50, 50), (10, 50)]
    points[:4, 2] = z
    # Counter-clockwise as the viewer sees them, y down.
    return points, np.array([[0, 2, 1], [0, 3, 2]], np.int32)


def test_a_flat_square_faces_the_viewer_and_fills_its_pixels() -> None:
    normals = mesh_normals(*square(np.zeros(4)), SIZE)
    np.testing.assert_allclose(normals[30, 30], [0, 0, 1], atol=1e-6)
    covered = normals.any(axis=2)
    assert covered.sum() == 41 * 41  # pixel centres 10 .. 50 both ways
    assert not covered[9].any()


def test_a_square_that_rises_to_the_right_faces_left() -> None:
    normals = mesh_normals(*square(np.float32([0, 40, 40, 0])), SIZE)
    np.testing.assert_allclose(normals[30, 30], [-np.sqrt(0.5), 0, np.sqrt(0.5)], atol=1e-6)


def test_a_square_that_rises_downwards_faces_up() -> None:
    normals = mesh_normals(*square(np.float32([0, 0, 40, 40])), SIZE)
    np.testing.assert_allclose(normals[30, 30], [0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-6)


def test_what_faces_away_is_not_drawn_and_the_nearer_hides_the_farther() -> None:
    points, triangles = square(np.zeros(4))
    assert not mesh_normals(points, triangles[:, ::-1], SIZE).any()
    points[4:8] = points[:4] + np.float32([0, 0, 5])
    points[[5, 6], 2] = 45  # nearer, and steep
    both = np.concatenate([triangles + 4, triangles]).astype(np.int32)
    normals = mesh_normals(points, both, SIZE)
    np.testing.assert_allclose(normals[30, 30], [-np.sqrt(0.5), 0, np.sqrt(0.5)], atol=1e-6)


def test_rotation_between_the_maps_is_found() -> None:
    turn = Rotation.from_euler("yxz", [25, -10, 5], degrees=True).as_matrix()
    head, mask = sphere_normals(SIZE), disc(SIZE)
    view = (head @ turn.T).astype(np.float32)
    found = head_rotation(NormalMap(head, view, mask, mask, None, np.eye(2, 3)))
    assert found is not None
    np.testing.assert_allclose(found, turn, atol=1e-5)
    assert head_rotation(NormalMap(head, None, mask, mask, None, np.eye(2, 3))) is None


def test_angles_are_those_between_the_normals() -> None:
    up, aside = np.zeros((2, 2, 3), np.float32), np.zeros((2, 2, 3), np.float32)
    up[..., 2] = 1
    aside[..., 2], aside[..., 0] = np.cos(np.radians(30)), np.sin(np.radians(30))
    where = np.array([[True, False], [False, True]])
    assert angles_deg(up, aside, where) == pytest.approx([30, 30], abs=1e-3)


def test_eyes_and_mouth_are_left_out() -> None:
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = -100
    ring = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
    angles = np.linspace(0, 2 * np.pi, len(ring), endpoint=False)
    points[list(ring), :2] = 30 + 8 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    kept = skin_inside(points, SIZE)
    assert not kept[30, 30]
    assert not kept[30, 38]  # the rim
    assert kept[30, 44]


def test_relief_is_lit_from_the_upper_left() -> None:
    grey = relief(sphere_normals(SIZE), disc(SIZE))[..., 0].astype(int)
    assert grey[20, 20] > grey[44, 44] + 50
    assert grey[0, 0] == 0
