"""A head's place in a crop: known answers, and the way back."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.frames import camera_from_focal, crop_camera, project
from engine.stages.weak_perspective import (
    CropPose,
    crop_pose,
    face_anchor,
    pose_in_view,
    project_weakly,
)
from tests.bumpy_head import bumpy_head

ANCHOR = np.array([0.0, 0.0, 0.05])


def test_a_frontal_head_in_the_middle_has_a_plain_pose():
    camera = camera_from_focal(200.0, 100, 100)
    pose = crop_pose(camera, np.eye(3), np.array([0.0, 0.0, -0.55]), ANCHOR)
    np.testing.assert_allclose(pose.R, np.eye(3), atol=1e-12)
    # 200 px focal length at 0.5 m: 400 px per metre, of 100 px.
    np.testing.assert_allclose(pose.camera, [np.log(4.0), 0.0, 0.0], atol=1e-12)


def test_the_way_back_is_exact_for_turned_crops_far_from_the_axis():
    rng = np.random.default_rng(0)
    for _ in range(20):
        R = Rotation.random(random_state=rng).as_matrix()
        t = np.array([*rng.uniform(-0.2, 0.2, 2), rng.uniform(-1.5, -0.4)])
        turn = Rotation.from_euler("z", rng.uniform(-1, 1)).as_matrix()[:2, :2]
        crop = np.column_stack([0.3 * turn, rng.uniform(-50, 50, 2)])
        camera = crop_camera(camera_from_focal(700.0, 640, 480), crop, 128)
        found = pose_in_view(camera, crop_pose(camera, R, t, ANCHOR), ANCHOR)
        np.testing.assert_allclose(found[0], R, atol=1e-9)
        np.testing.assert_allclose(found[1], t, atol=1e-9)


def test_points_near_the_anchor_fall_where_the_camera_sees_them():
    R = Rotation.from_euler("y", 30, degrees=True).as_matrix()
    t = np.array([0.01, -0.02, -6.0])  # far away there is little perspective
    camera = camera_from_focal(2500.0, 128, 128)
    points = ANCHOR + np.random.default_rng(1).uniform(-0.05, 0.05, (20, 3))
    wanted = (project(points @ R.T + t, camera.K) + 0.5) / 128
    found = project_weakly(points, crop_pose(camera, R, t, ANCHOR), ANCHOR)
    np.testing.assert_allclose(found, wanted, atol=0.004)


def test_a_head_behind_the_camera_is_refused():
    with pytest.raises(ValueError, match="in front of the camera"):
        crop_pose(camera_from_focal(200.0, 100, 100), np.eye(3), np.zeros(3), ANCHOR)


def test_the_anchor_is_in_the_face():
    anchor = face_anchor(bumpy_head(level=2))
    assert abs(anchor[0]) < 0.005
    assert 0.04 < anchor[2] < 0.1
    flat = project_weakly(anchor[None], CropPose(np.eye(3), np.array([1.0, 0.1, -0.2])), anchor)
    np.testing.assert_allclose(flat, [[0.6, 0.3]])
