"""The data path against closed-form answers."""

import moderngl
import numpy as np
import pytest

from engine.frames import crop_camera, default_camera, project
from engine.render.maps import SurfaceMaps
from engine.render.renderer import MeshRenderer
from engine.types import F64, Bool, Camera
from tests.gl.shapes import quad, rotation, sphere

pytestmark = pytest.mark.gl

RADIUS = 0.1
R = rotation(25.0, -10.0, 5.0)
T = np.array([0.02, -0.03, -0.5])
CAMERA = default_camera(320, 240)


def _rays(camera: Camera) -> F64:
    """(H, W, 3) view-frame points at depth 1 that project to the pixels' centres."""
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    plane = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(camera.K).T
    rays: F64 = plane * [1.0, -1.0, -1.0]
    return rays


def _sphere_hits(camera: Camera) -> tuple[F64, Bool]:
    """(H, W, 3) where rays first meet the sphere, view frame; and which do."""
    rays = _rays(camera)
    a = (rays**2).sum(-1)
    b = (rays * T).sum(-1)
    root = b**2 - a * ((T**2).sum() - RADIUS**2)
    hit = root > 0
    depth = (b - np.sqrt(np.maximum(root, 0.0))) / a
    return rays * depth[..., None], hit


@pytest.fixture
def maps(ctx: moderngl.Context) -> SurfaceMaps:
    vertices, faces = sphere(RADIUS)
    renderer = MeshRenderer(ctx, faces)
    result = renderer.render_maps(CAMERA, vertices, R, T)
    renderer.release()
    return result


def _angles_deg(a: F64, b: F64) -> F64:
    cross = np.linalg.norm(np.cross(a, b), axis=-1)
    angles: F64 = np.degrees(np.arctan2(cross, (a * b).sum(-1)))
    return angles


def test_view_normals_of_a_sphere_are_the_analytic_ones(maps: SurfaceMaps) -> None:
    points, hit = _sphere_hits(CAMERA)
    inside = hit & maps.mask
    truth = (points - T) / RADIUS
    facing = -(truth * points).sum(-1) / np.linalg.norm(points, axis=-1)
    angles = _angles_deg(maps.view_normals[inside].astype(np.float64), truth[inside])
    # A facet spans 3.75 deg and lies at most radius x 0.0005 inside the sphere, which moves the
    # point seen by that over the cosine: below 0.1 deg where the surface is not nearly edge-on.
    assert angles[facing[inside] > 0.5].max() < 0.15
    # At the silhouette one pixel spans several degrees.
    assert angles.mean() < 0.15


def test_head_normals_are_view_normals_turned_back(maps: SurfaceMaps) -> None:
    back = maps.view_normals[maps.mask].astype(np.float64) @ R
    # Each is normalised on its own, with a reciprocal root that is good to about 1e-5.
    np.testing.assert_allclose(back, maps.head_normals[maps.mask], atol=5e-5)


def test_normals_are_unit_vectors_on_the_mesh_and_zero_elsewhere(maps: SurfaceMaps) -> None:
    for normals in (maps.head_normals, maps.view_normals):
        lengths = np.linalg.norm(normals, axis=-1)
        np.testing.assert_allclose(lengths[maps.mask], 1.0, atol=5e-5)  # as above
        assert (lengths[~maps.mask] == 0.0).all()


def test_depth_of_a_sphere_is_the_analytic_one(maps: SurfaceMaps) -> None:
    points, hit = _sphere_hits(CAMERA)
    truth = (points - T) / RADIUS
    facing = -(truth * points).sum(-1) / np.linalg.norm(points, axis=-1)
    inside = hit & maps.mask & (facing > 0.5)
    error = np.abs(maps.depth - -points[..., 2])[inside]
    # Facets are inside the sphere by at most r (1 - cos(half their diagonal)) = 0.11 mm, along the
    # ray by that over the cosine.
    assert error.max() < 0.25e-3


def test_mask_is_the_silhouette(maps: SurfaceMaps) -> None:
    _, hit = _sphere_hits(CAMERA)
    overlap = (hit & maps.mask).sum() / (hit | maps.mask).sum()
    # The outline is a polygon inside the circle by less than 0.1 px of 60: 0.2 % of the area.
    assert overlap > 0.995


@pytest.mark.parametrize("kind", ["plain", "crop"])
def test_interpolated_positions_project_to_their_pixels(ctx: moderngl.Context, kind: str) -> None:
    camera = CAMERA
    if kind == "crop":
        turn, scale = np.deg2rad(20.0), 1.3
        rows = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        crop_from_frame = np.column_stack([rows, [40.0, -120.0]])
        camera = crop_camera(CAMERA, crop_from_frame, 200)
    vertices, faces = sphere(RADIUS)
    renderer = MeshRenderer(ctx, faces)
    maps = renderer.render_maps(camera, vertices, R, T)
    renderer.release()
    placed = (vertices @ R.T + T).astype(np.float32)
    positions = maps.interpolate(placed, faces)[maps.mask]
    y, x = np.nonzero(maps.mask)
    assert len(x) > 5000
    error = project(positions, camera.K) - np.stack([x, y], axis=-1)
    # Rasterisers snap vertices to 1/256 px; edge-on triangles magnify that along their normal, so
    # single silhouette pixels may be off by more.
    assert np.median(np.abs(error)) < 0.01
    assert np.quantile(np.abs(error), 0.99) < 0.05


def test_triangle_numbers_are_rows_of_faces(ctx: moderngl.Context) -> None:
    left, faces = quad((-0.1, 0.0, 0.0), 0.05)
    right, _ = quad((0.1, 0.0, 0.0), 0.05)
    renderer = MeshRenderer(ctx, np.vstack([faces, faces + 4]))
    maps = renderer.render_maps(CAMERA, np.vstack([left, right]), np.eye(3), T * [0, 0, 1])
    renderer.release()
    centre = CAMERA.width // 2
    assert set(np.unique(maps.triangles[:, :centre])) == {-1, 0, 1}
    assert set(np.unique(maps.triangles[:, centre:])) == {-1, 2, 3}
    assert (maps.depth[maps.mask] == np.float32(0.5)).all()


def test_a_face_that_turns_away_is_not_drawn(ctx: moderngl.Context) -> None:
    vertices, faces = quad((0.0, 0.0, 0.0), 0.05)
    renderer = MeshRenderer(ctx, faces)
    drawn = [renderer.render_maps(CAMERA, vertices, rotation(yaw), T).mask for yaw in (0, 180)]
    renderer.release()
    assert drawn[0].sum() > 1000
    assert not drawn[1].any()


def test_inside_out_a_sphere_shows_its_far_wall_only(ctx: moderngl.Context) -> None:
    vertices, faces = sphere(RADIUS)
    renderer = MeshRenderer(ctx, np.ascontiguousarray(faces[:, ::-1]))
    maps = renderer.render_maps(CAMERA, vertices, np.eye(3), T * [0, 0, 1])
    renderer.release()
    middle = maps.depth[CAMERA.height // 2, CAMERA.width // 2]
    assert middle == pytest.approx(0.5 + RADIUS, abs=0.2e-3)  # facets' sagitta: 0.11 mm


def test_a_mesh_behind_the_camera_gives_empty_maps(ctx: moderngl.Context) -> None:
    vertices, faces = sphere(RADIUS, 12, 24)
    renderer = MeshRenderer(ctx, faces)
    maps = renderer.render_maps(CAMERA, vertices, np.eye(3), np.array([0.0, 0.0, 0.5]))
    renderer.release()
    assert not maps.mask.any()
