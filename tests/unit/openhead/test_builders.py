"""The parts that openhead is built with, on small inputs whose answer is known."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.openhead.calibration_file import load_offsets, save_offsets
from engine.openhead.decimate import decimate
from engine.openhead.expressions import expression_basis, strength_root
from engine.openhead.ict import load_ict
from engine.openhead.points import closest_on_mesh
from tests.bumpy_head import icosphere


def grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """A flat n x n grid of vertices in the plane z = 0."""
    x, y = np.meshgrid(np.arange(n, dtype=float), np.arange(n, dtype=float))
    v = np.stack([x.ravel(), y.ravel(), np.zeros(n * n)], axis=1)
    i = np.arange(n * n).reshape(n, n)
    a, b, c, d = i[:-1, :-1].ravel(), i[:-1, 1:].ravel(), i[1:, 1:].ravel(), i[1:, :-1].ravel()
    return v, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)


def area(v: np.ndarray, tri: np.ndarray) -> float:
    normal = np.cross(v[tri[:, 1]] - v[tri[:, 0]], v[tri[:, 2]] - v[tri[:, 0]])
    return float(np.linalg.norm(normal, axis=1).sum() / 2)


def test_decimated_sphere_stays_closed_round_and_outwards() -> None:
    v, tri = icosphere(3)
    kept, small = decimate(
        v[None], tri, 200, np.ones(len(v)), np.zeros(len(v), bool), np.zeros(len(v), np.int32)
    )
    assert len(kept) == 200
    assert len(small) == 2 * 200 - 4  # Euler, closed surface
    points = v[kept]
    a, b, c = (points[small[:, k]] for k in range(3))
    assert ((np.cross(b - a, c - a) * (a + b + c)).sum(1) > 0).all()
    # 200 points on a unit sphere: triangles dip in by about 2 pi / (200 sqrt(3)).
    assert np.linalg.norm((a + b + c) / 3, axis=1).min() > 0.95


def test_flat_grid_keeps_its_outline_and_locked_vertices() -> None:
    v, tri = grid(12)
    locked = np.zeros(len(v), bool)
    corners = [0, 11, 132, 143]
    locked[[*corners, 65]] = True
    edge = (v[:, 0] == 0) | (v[:, 0] == 11) | (v[:, 1] == 0) | (v[:, 1] == 11)
    kept, small = decimate(v[None], tri, 12, np.ones(len(v)), locked, edge.astype(np.int32))
    assert set(np.flatnonzero(locked)) <= set(kept.tolist())
    assert area(v[kept], small) == pytest.approx(121.0)
    assert (v[kept][small][:, :, 2] == 0).all()


def test_closest_point_on_a_triangle_is_exact() -> None:
    v = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    tri = np.array([[0, 1, 2]], np.int32)
    points = np.array([[0.2, 0.2, 5.0], [-1, -1, 0], [2, 0, 0], [1.0, 1.0, 0], [0.5, -3, 1]])
    found = closest_on_mesh(points, v, tri)
    expected = [[0.6, 0.2, 0.2], [1, 0, 0], [0, 1, 0], [0, 0.5, 0.5], [0.5, 0.5, 0]]
    np.testing.assert_allclose(found.bary, expected, atol=1e-6)


def test_expression_basis_holds_every_shape_exactly() -> None:
    rng = np.random.default_rng(0)
    names = ("browDown_L", "browDown_R", "mouthPucker", "noseSneer_L", "noseSneer_R")
    shapes = {n: rng.standard_normal((30, 3)) for n in names}
    basis = expression_basis(shapes)
    for row, name in enumerate(basis.names):
        np.testing.assert_allclose(basis.dirs @ basis.coefficients[row], shapes[name], atol=1e-9)


def test_expression_components_have_unit_deviation_under_the_strengths() -> None:
    """Coefficients of random strengths are white noise: what FLAME's priors assume."""
    rng = np.random.default_rng(1)
    names = ("browDown_L", "browDown_R", "mouthPucker")
    basis = expression_basis({n: rng.standard_normal((30, 3)) for n in names})
    mixed = basis.coefficients.T @ strength_root(basis.names)
    np.testing.assert_allclose(mixed @ mixed.T, np.eye(3), atol=1e-9)


def test_offsets_come_back_to_a_hundredth_of_a_millimetre(tmp_path: Path) -> None:
    offsets = np.random.default_rng(0).normal(0, 0.002, (468, 3))
    path = tmp_path / "offsets.csv"
    save_offsets(offsets, path)
    text = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    read = np.array([row.split(",") for row in text], float) * 1e-3
    np.testing.assert_allclose(read, offsets, atol=0.0051e-3)


def test_shipped_offsets_are_small_and_mostly_symmetric() -> None:
    offsets = load_offsets()
    assert offsets.shape == (468, 3)
    # The bent canonical mesh is right to a few centimetres even on the forehead.
    assert np.abs(offsets).max() < 0.06
    assert np.abs(offsets[:, 0].mean()) < 2e-4


def test_missing_source_is_told(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"ict_geometry\.npz"):
        load_ict(tmp_path)
