import time

import numpy as np
import pytest
import trimesh

from engine.benchmark.surface import MeshSurface, angles, check_mesh, exact_normals
from engine.errors import ScoreError
from engine.flame.closest import closest_on_triangles
from tests.bench_made import ball


def test_closest_points_are_those_of_a_search_through_all_triangles():
    vertices, faces = ball(subdivisions=2)
    points = np.random.default_rng(1).normal(0, 0.1, (300, 3))
    found = MeshSurface(vertices, faces).closest(points)
    corners = vertices[faces]
    for point, distance, on_surface in zip(points, found.distances, found.points, strict=True):
        feet = np.einsum("kc,kcd->kd", closest_on_triangles(point[None], corners), corners)
        best = np.linalg.norm(feet - point, axis=1).min()
        assert distance == pytest.approx(best, abs=1e-12)
        assert np.linalg.norm(on_surface - point) == pytest.approx(best, abs=1e-12)


def test_distances_are_never_above_trimesh_and_mostly_equal():
    # trimesh looks among triangles near the nearest vertex alone, so that it may overshoot.
    vertices, faces = ball(subdivisions=3)
    stretched = vertices * [1.0, 2.0, 0.5]
    points = np.random.default_rng(2).normal(0, 0.1, (500, 3))
    ours = MeshSurface(stretched, faces).closest(points).distances
    mesh = trimesh.Trimesh(stretched, faces, process=False)
    _, theirs, _ = trimesh.proximity.closest_point(mesh, points)
    assert (ours <= theirs + 1e-12).all()
    assert np.isclose(ours, theirs, atol=1e-12).mean() > 0.95


def test_normals_of_a_ball_point_outwards():
    vertices, faces = ball()
    surface = MeshSurface(vertices, faces)
    outside = 1.5 * vertices
    found = surface.closest(outside)
    # Icosphere triangles are not all alike: weights by area are off by some hundredths of a degree.
    assert angles(found.normals, outside / 0.15).max() < np.radians(0.5)


def test_normals_of_a_cube_stand_on_its_sides():
    cube = trimesh.creation.box((2, 2, 2))
    surface = MeshSurface(cube.vertices, cube.faces.astype(np.int32), np.zeros((8, 3)))
    found = surface.closest(np.array([[0.3, 0.2, 5.0], [0.1, -3.0, 0.4]]))
    assert found.distances == pytest.approx([4.0, 2.0])
    assert found.points == pytest.approx(np.array([[0.3, 0.2, 1.0], [0.1, -1.0, 0.4]]))


def test_small_angles_are_exact():
    turn = 1e-9
    a, b = np.array([[1.0, 0, 0]]), np.array([[np.cos(turn), np.sin(turn), 0]])
    assert angles(a, b) == pytest.approx([turn], rel=1e-6)


def test_a_vertex_without_triangles_has_no_normal():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], np.float64)
    normals = exact_normals(vertices, np.array([[0, 1, 2]], np.int32))
    assert normals[:3] == pytest.approx(np.tile([0, 0, 1.0], (3, 1)))
    assert not normals[3].any()


@pytest.mark.parametrize(
    ("faces", "spoil", "message"),
    [
        (np.zeros((0, 3), np.int32), False, "prediction has no faces"),
        (np.array([[0, 1, 9]], np.int32), False, "faces name vertices 0..9, but there are 3"),
        (np.array([[0, 1, 2]], np.int32), True, "1 of 3 vertices are not finite"),
    ],
)
def test_a_mesh_that_cannot_be_measured_is_refused(faces, spoil, message):
    vertices = np.eye(3)
    if spoil:
        vertices[1, 1] = np.nan
    with pytest.raises(ScoreError, match=message):
        check_mesh("prediction", vertices, faces)


def test_searching_a_head_is_fast():
    vertices, faces = ball(subdivisions=5)  # 20,480 triangles
    points = np.resize(vertices * 1.01, (7306, 3))
    surface = MeshSurface(vertices, faces)
    least = min(_seconds(surface, points) for _ in range(3))
    assert least < 0.5  # some 0.03 s on an idle core; a search without a tree takes 10 s


def _seconds(surface, points):
    start = time.perf_counter()
    surface.closest(points)
    return time.perf_counter() - start
