"""Closed-form pose against poses that are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.flame.model import HeadModel
from engine.flame.posed import surface_points
from engine.frames import camera_from_focal, project
from engine.stages.face_pose import pose_from_points


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (30, -10, 5), (-40, 15, -20), (10, 20, 170), (0, 0, -90)]
)
def test_pose_of_a_distant_head_is_recovered(
    openhead: HeadModel, yaw: float, pitch: float, roll: float
) -> None:
    points = surface_points(openhead.v_template, openhead.faces, openhead.mediapipe).astype(float)
    R = Rotation.from_euler("zyx", [roll, yaw, pitch], degrees=True).as_matrix()
    t = np.array([0.3, -0.2, -6.0])
    camera = camera_from_focal(4000.0, 1280, 720)
    found_R, found_t = pose_from_points(
        points, project(points @ R.T + t, camera.K), camera, np.ones(len(points))
    )
    # At 6 m the depth of a head, 0.1 m, bends the scaled orthography by under 2 per cent.
    assert np.degrees(Rotation.from_matrix(found_R @ R.T).magnitude()) < 1.5
    np.testing.assert_allclose(found_t, t, atol=0.1)


def test_result_is_a_rotation_whatever_the_noise(openhead: HeadModel) -> None:
    points = surface_points(openhead.v_template, openhead.faces, openhead.mediapipe).astype(float)
    pixels = np.random.default_rng(0).normal(300.0, 50.0, (len(points), 2))
    camera = camera_from_focal(800.0, 640, 480)
    R, t = pose_from_points(points, pixels, camera, np.ones(len(points)))
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1.0)
    assert t[2] < 0
