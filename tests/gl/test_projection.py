"""What `frames` projects is where the renderer draws."""

import moderngl
import numpy as np
import pytest

from engine.frames import camera_from_focal, crop_camera, default_camera, project
from engine.render.renderer import MeshRenderer, RenderMode
from engine.types import Camera
from tests.gl.shapes import quad, rotation

pytestmark = pytest.mark.gl


def _off_centre() -> Camera:
    K = np.array([[310.0, 0.0, 90.3], [0.0, 290.0, 171.8], [0.0, 0.0, 1.0]])
    return Camera(K, 320, 240)


def _crop() -> Camera:
    turn, scale = np.deg2rad(-28.0), 0.8
    rows = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return crop_camera(default_camera(640, 480), np.column_stack([rows, [-190.0, 30.0]]), 256)


def _sheared() -> Camera:
    K = np.array([[300.0, 25.0, 150.0], [-10.0, 320.0, 110.0], [0.0, 0.0, 1.0]])
    return Camera(K, 301, 223)


CAMERAS = {
    "centred": default_camera(320, 240),
    "odd size": camera_from_focal(280.0, 301, 223),
    "off-centre": _off_centre(),
    "rotated crop": _crop(),
    "sheared": _sheared(),
}


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())
@pytest.mark.parametrize("samples", [0, 4])
def test_a_vertex_is_drawn_on_its_pixel(
    ctx: moderngl.Context, camera: Camera, samples: int
) -> None:
    R, t = rotation(20.0, 8.0, -5.0), np.array([0.01, 0.0, -0.6])
    for point in np.array([[0.0, 0.0, 0.0], [0.05, -0.04, 0.03], [-0.04, 0.05, -0.02]]):
        # A square of 8 px that faces the camera, its centre at the point; its centroid is the mean
        # of the pixels' centres weighted by coverage.
        placed, faces = quad((0.0, 0.0, 0.0), 0.008)
        vertices = (placed @ R + point).astype(np.float32)
        renderer = MeshRenderer(ctx, faces, samples=samples)
        renderer.draw(camera, vertices, R, t, mode=RenderMode.SHADED, background=None)
        alpha = renderer.read(alpha=True)[..., 3].astype(np.float64)
        renderer.release()
        y, x = np.mgrid[0 : camera.height, 0 : camera.width]
        centroid = np.array([(x * alpha).sum(), (y * alpha).sum()]) / alpha.sum()
        expected = project((R @ point + t), camera.K)
        # One sample a pixel rounds each edge by up to half a pixel, both edges alike at worst.
        assert np.abs(centroid - expected).max() < (0.5 if samples == 0 else 0.2)


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())
def test_a_landmark_dot_is_drawn_on_its_pixel(ctx: moderngl.Context, camera: Camera) -> None:
    _, faces = quad((0.0, 0.0, 0.0), 0.01)
    renderer = MeshRenderer(ctx, faces)
    points = np.array([[60.25, 40.5], [200.0, 170.0]], np.float32)
    for point in points:
        renderer.draw(
            camera,
            np.zeros((4, 3), np.float32),
            np.eye(3),
            np.zeros(3),
            mode=RenderMode.LANDMARKS,
            background=None,
            landmarks_px=point[None],
        )
        alpha = renderer.read(alpha=True)[..., 3].astype(np.float64)
        y, x = np.mgrid[0 : camera.height, 0 : camera.width]
        centroid = np.array([(x * alpha).sum(), (y * alpha).sum()]) / alpha.sum()
        # The edge is smoothed over one pixel, which keeps the centroid to a few hundredths.
        np.testing.assert_allclose(centroid, point, atol=0.05)
    renderer.release()
