import numpy as np
import pytest
import trimesh

from engine.benchmark.metrics import (
    Distances,
    cumulative_share,
    named,
    region_values,
    vertex_error_mm,
)
from engine.benchmark.surface import MeshSurface
from engine.errors import ScoreError
from tests.bench_made import ball


def distances(vertices, faces, other, other_faces):
    a, b = MeshSurface(vertices, faces), MeshSurface(other, other_faces)
    return (
        Distances.between(vertices, a.normals, b),
        Distances.between(other, b.normals, a),
    )


def plane(z, n=21):
    """A square of side 1 at height z, facing up."""
    x, y = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n))
    vertices = np.stack([x, y, np.full_like(x, z)], axis=-1).reshape(-1, 3)
    index = np.arange(n * n).reshape(n, n)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (b, d, c))])
    return vertices, faces.astype(np.int32)


def test_a_bigger_ball_is_away_by_the_difference_of_radii():
    small, faces = ball(0.1)
    big, _ = ball(0.1015)
    values = region_values(*distances(small, faces, big, faces))
    # From a small vertex the big ball's nearest triangle is a little nearer than its vertex.
    assert values["cd_acc_mm"] == pytest.approx(1.5, rel=1e-3)
    assert values["cd_comp_mm"] == pytest.approx(1.5, rel=1e-3)
    assert values["cd_mm"] == pytest.approx(1.5, rel=1e-3)
    assert values["l2_mm"] == pytest.approx(1.5, rel=1e-3)
    assert values["mne_rad"] == pytest.approx(0.0, abs=2e-3)
    assert values["nc"] == pytest.approx(1.0, abs=1e-5)
    assert (values["r1"], values["cr"], values["r2"], values["r2_5"]) == (0, 1, 1, 1)


def test_a_shifted_plane_is_away_by_its_shift_and_parallel():
    a, faces = plane(0.0)
    b, _ = plane(2.2e-3)
    values = region_values(*distances(a, faces, b, faces))
    assert values["cd_mm"] == pytest.approx(2.2, abs=1e-9)
    assert values["l1_mm"] == values["cd_acc_mm"] == pytest.approx(2.2, abs=1e-9)
    assert values["mne_rad"] == pytest.approx(0.0, abs=1e-12)
    assert (values["cr"], values["r2_5"]) == (0.0, 1.0)


def test_a_turned_plane_differs_by_its_angle():
    a, faces = plane(0.0)
    turn = 0.2
    R = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    values = region_values(*distances(a, faces, a @ R.T, faces))
    assert values["mne_rad"] == pytest.approx(turn, abs=1e-9)
    assert values["nc"] == pytest.approx(np.cos(turn), abs=1e-9)


def test_a_cube_turned_by_45_degrees_is_away_as_geometry_says():
    cube = trimesh.creation.box((2, 2, 2))
    faces = cube.faces.astype(np.int32)
    turned = cube.vertices @ trimesh.transformations.rotation_matrix(np.pi / 4, (0, 0, 1))[:3, :3].T
    there, back = distances(cube.vertices, faces, turned, faces)
    # Corners stand sqrt(2) off the axis, the other's sides 1.
    assert there.distances == pytest.approx(np.full(8, np.sqrt(2) - 1))
    assert back.distances == pytest.approx(np.full(8, np.sqrt(2) - 1))


def test_directions_are_reported_apart():
    a, faces = plane(0.0)
    half = a[a[:, 0] <= 0.5 + 1e-9]
    surface = MeshSurface(a, faces)
    kept = np.isin(faces, np.flatnonzero(a[:, 0] <= 0.5 + 1e-9)).all(axis=1)
    smaller = MeshSurface(a, faces[kept])
    up = np.tile([0, 0, 1.0], (len(a), 1))
    values = region_values(
        Distances.between(a, up, smaller), Distances.between(half, up[: len(half)], surface)
    )
    # Columns at 0, .05 .. 1: the eleven up to .5 are at 0, the rest .05 .. .5 off: mean 2.75 / 21.
    assert values["cd_acc_mm"] == pytest.approx(1e3 * 2.75 / 21)
    assert values["cd_comp_mm"] == 0.0
    assert values["cd_mm"] == pytest.approx(1e3 * 2.75 / 42)


def test_error_by_vertex_needs_one_topology():
    a = np.zeros((4, 3))
    assert vertex_error_mm(a + np.array([0, 3e-3, 4e-3]), a) == pytest.approx(np.full(4, 5.0))
    with pytest.raises(ScoreError, match="5 vertices against 4"):
        vertex_error_mm(np.zeros((5, 3)), a)


def test_parts_are_named_and_the_face_is_not():
    assert named("nose", {"cd_mm": 1.0}) == {"nose_cd_mm": 1.0}
    assert named("face", {"cd_mm": 1.0}) == {"cd_mm": 1.0}
    with pytest.raises(ValueError, match="region 'chin'"):
        named("chin", {})


def test_cumulative_share_counts_errors_up_to_each_threshold():
    share = cumulative_share(np.array([0.5, 1.0, 1.5, 3.0]), (0.0, 1.0, 2.0, 3.0))
    assert share.tolist() == [0.0, 0.5, 0.75, 1.0]
