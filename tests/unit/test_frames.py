"""The one home of axis flips: each sign checked against a fact that can be checked on paper."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames import (
    camera_from_focal,
    clip_from_view,
    crop_camera,
    default_camera,
    focal_px_from_35mm,
    project,
    project_columns,
    project_with_slopes,
    view_from_crop,
    view_from_model,
)

# Threads that ran a network take numbers below 1e-308 for zero (engine.stages.onnx_session).
coordinate = st.floats(-0.3, 0.3, allow_subnormal=False)
depth = st.floats(-3.0, -0.2)
turns = st.floats(-3.1, 3.1, allow_subnormal=False)


def test_point_on_the_axis_lands_on_the_middle_pixel() -> None:
    camera = camera_from_focal(500.0, 640, 480)
    np.testing.assert_allclose(project(np.array([0.0, 0.0, -1.0]), camera.K), [319.5, 239.5])


def test_up_in_the_view_is_up_in_the_picture() -> None:
    camera = camera_from_focal(500.0, 640, 480)
    u, v = project(np.array([0.1, 0.2, -1.0]), camera.K)
    assert (u, v) == pytest.approx((319.5 + 50.0, 239.5 - 100.0))


def test_subjects_left_is_image_right_for_a_frontal_head() -> None:
    left_ear = np.array([0.07, 0.0, 0.0])
    view = view_from_model(np.eye(3), np.array([0.0, 0.0, -0.6])) @ [*left_ear, 1.0]
    assert project(view[:3], default_camera(640, 480).K)[0] > 319.5


def test_focal_of_a_full_frame_50mm_lens() -> None:
    # 3:2 pictures have the film's own shape: 50 mm over 36 mm of width.
    assert focal_px_from_35mm(50.0, 3600, 2400) == pytest.approx(5000.0)


@given(x=coordinate, y=coordinate, z=depth, turn=turns, scale=st.floats(0.1, 4.0))
def test_clip_coordinates_land_on_the_pixel_of_project(
    x: float, y: float, z: float, turn: float, scale: float
) -> None:
    """The rasteriser and `project` agree, for crops' cameras too (turned, off centre)."""
    similarity = scale * np.array(
        [[np.cos(turn), -np.sin(turn), 17.0], [np.sin(turn), np.cos(turn), -5.0]]
    )
    camera = crop_camera(camera_from_focal(700.0, 1280, 720), similarity, 192)
    clip = clip_from_view(camera, 0.05, 10.0) @ [x, y, z, 1.0]
    ndc = clip[:3] / clip[3]
    pixel = [(ndc[0] + 1) * camera.width / 2 - 0.5, (1 - ndc[1]) * camera.height / 2 - 0.5]
    # float64 throughout; 1e-6 px over pictures of up to 5,000 px.
    np.testing.assert_allclose(pixel, project(np.array([x, y, z]), camera.K), atol=1e-6)
    assert -1.0 <= ndc[2] <= 1.0


def test_nearer_points_have_smaller_depth() -> None:
    matrix = clip_from_view(default_camera(640, 480), 0.1, 10.0)
    near, far = matrix @ [0, 0, -0.1, 1], matrix @ [0, 0, -10.0, 1]
    assert near[2] / near[3] == pytest.approx(-1.0)
    assert far[2] / far[3] == pytest.approx(1.0)


@given(x=coordinate, y=coordinate, z=depth)
def test_slopes_are_those_of_project(x: float, y: float, z: float) -> None:
    camera = camera_from_focal(600.0, 640, 480)
    point, step = np.array([x, y, z]), 1e-6
    pixels, slopes = project_with_slopes(point[:, None], camera.K)
    np.testing.assert_allclose(pixels[:, 0], project(point, camera.K), rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(pixels, project_columns(point[:, None], camera.K))
    for axis in range(3):
        shift = np.eye(3)[axis] * step
        slope = (project(point + shift, camera.K) - project(point - shift, camera.K)) / (2 * step)
        # Central differences of step 1e-6 m lose about nine of sixteen digits.
        np.testing.assert_allclose(slopes[:, axis, 0], slope, rtol=1e-4, atol=1e-3)


def test_crop_camera_projects_like_frame_then_crop() -> None:
    camera = camera_from_focal(800.0, 1280, 720)
    crop_from_frame = np.array([[0.3, -0.1, 12.0], [0.1, 0.3, -40.0]])
    point = np.array([0.05, -0.03, -0.7])
    pixel = crop_from_frame @ [*project(point, camera.K), 1.0]
    np.testing.assert_allclose(project(point, crop_camera(camera, crop_from_frame, 192).K), pixel)


@pytest.mark.parametrize(("near", "far"), [(0.0, 1.0), (1.0, 0.5), (-1.0, 1.0)])
def test_clip_planes_out_of_order_are_refused(near: float, far: float) -> None:
    with pytest.raises(ValueError, match="near < far"):
        clip_from_view(default_camera(64, 64), near, far)


def test_focal_length_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        camera_from_focal(0.0, 64, 64)


def test_crop_in_the_middle_and_upright_looks_along_the_camera() -> None:
    camera = default_camera(640, 480)
    crop = np.array([[0.5, 0.0, 63.5 - 0.5 * 319.5], [0.0, 0.5, 63.5 - 0.5 * 239.5]])
    np.testing.assert_allclose(view_from_crop(camera, crop, 128), np.eye(3), atol=1e-12)


def test_crop_view_frame_follows_the_crops_place_and_roll() -> None:
    camera = default_camera(640, 480)
    c, s = np.cos(0.3), np.sin(0.3)
    linear = 0.7 * np.array([[c, s], [-s, c]])
    centre = np.array([500.0, 90.0])
    crop = np.column_stack([linear, 63.5 - linear @ centre])
    rotation = view_from_crop(camera, crop, 128)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    # What lies ahead of the turned camera is on the crop's middle, what lies beside it on its row.
    np.testing.assert_allclose(project(rotation @ [0.0, 0.0, -2.0], camera.K), centre, atol=1e-9)
    seen = linear @ project(rotation @ [0.3, 0.0, -2.0], camera.K) + crop[:, 2]
    assert seen[0] > 70
    assert seen[1] == pytest.approx(63.5, abs=1e-9)
