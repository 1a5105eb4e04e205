"""openhead on a finer mesh: what is carried over, and refusals of another source."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from engine.errors import AssetError
from engine.flame.model import Contour, Landmarks, load_head_model
from engine.openhead.mesh import PARTS, Mesh
from engine.synth import openhead_full
from engine.synth.openhead_full import build_openhead_full
from tests.unit.synth.makehuman_files import openhead, write_ict

_SHIPPED = Path("assets/openhead.npz")
_NONE = np.zeros(0, np.int32)


def _mesh(carry: np.ndarray) -> Mesh:
    n = len(carry)
    return Mesh(csr_array(carry), np.zeros((1, 3), np.int32), np.arange(n), _NONE, _NONE)


def _own_mesh() -> tuple[Mesh, np.ndarray]:
    """openhead's mesh as if it were the full one, and its vertices."""
    model = openhead()
    part = np.zeros(model.n_vertices, np.int32)
    part[model.regions["gums"]] = PARTS.index("gums_tongue")
    part[model.regions["teeth"]] = PARTS.index("upper_teeth")
    part[model.regions["eyeballs"]] = PARTS.index("eye_left")
    v = model.v_template.astype(np.float64)
    return Mesh(csr_array((len(v), 0)), model.faces, _NONE, part, _NONE), v


def _places(points: Landmarks, faces: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.einsum("nk,nkc->nc", points.bary, v[faces[points.faces_idx]])


def test_shared_vertices_are_the_same_mixtures_in_any_order() -> None:
    full = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.25, 0.75, 0], [0.75, 0.25, 0]])
    shared = openhead_full._shared_vertices(_mesh(full[[3, 0, 4, 2]]), _mesh(full))
    np.testing.assert_array_equal(shared, [3, 0, 4, 2])


def test_shared_vertices_do_not_depend_on_how_mixtures_are_stored() -> None:
    full = _mesh(np.array([[0.25, 0.75], [1.0, 0]]))
    stored = csr_array((np.array([0.75, 0.25]), np.array([1, 0]), np.array([0, 2])), shape=(1, 2))
    coarse = Mesh(stored, full.triangles, _NONE, _NONE, _NONE)
    np.testing.assert_array_equal(openhead_full._shared_vertices(coarse, full), [0])


def test_a_region_takes_what_lies_nearer_to_it() -> None:
    spread = csr_array(np.array([[1.0, 0], [0, 1], [0.6, 0.4], [0.4, 0.6], [0.5, 0.5]]))
    found = openhead_full._spread_region(spread, np.array([0], np.int32), 2)
    np.testing.assert_array_equal(found, [0, 2])


def test_landmarks_stay_in_place_on_a_mesh_of_the_same_vertices() -> None:
    model, (mesh, v) = openhead(), _own_mesh()
    chosen = slice(None, None, 6)
    points = Landmarks(
        model.mediapipe.faces_idx[chosen].copy(), model.mediapipe.bary[chosen].copy()
    )
    found = openhead_full._carried(points, model, mesh, v, model.lbs_weights[:, 2])
    before = _places(points, model.faces, v)
    away = np.linalg.norm(_places(found, mesh.triangles, v) - before, axis=1)
    # float32 weights on coordinates of a decimetre; a point in a triangle of which the jaw leads
    # about half may be taken for the other lip's and go to the next triangle's edge.
    assert (away < 1e-7).mean() > 0.95
    assert away.max() < 0.0005
    np.testing.assert_allclose(found.bary.sum(axis=1), 1, atol=1e-6)


def test_points_of_a_lip_stay_on_it_where_both_lips_touch() -> None:
    # Two sheets a tenth of a millimetre apart, the lower one led by the jaw; the point of the
    # lower lip lies a little over the upper sheet's height, as after a rounding.
    model = openhead()
    sheet = np.array([[0.0, 0, 0], [0.01, 0, 0], [0, 0.01, 0]])
    v = np.concatenate([sheet + np.array([0, 0, z]) for z in (0.1, 0.1001)])
    faces = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    mesh = Mesh(csr_array((6, 0)), faces, _NONE, np.zeros(6, np.int32), _NONE)
    jaw = np.array([1.0, 1, 1, 0, 0, 0])
    lower = np.flatnonzero((model.lbs_weights[model.faces, 2] > 0.5).all(axis=1))
    lower = lower[~np.isin(model.faces[lower], model.regions["eyeballs"]).any(axis=1)][:2]
    upper = np.flatnonzero((model.lbs_weights[model.faces, 2] < 0.5).all(axis=1))
    upper = upper[~np.isin(model.faces[upper], model.regions["eyeballs"]).any(axis=1)][:2]
    rows = np.concatenate([lower, upper]).astype(np.int32)
    points = Landmarks(rows, np.full((4, 3), 1 / 3, np.float32))
    found = openhead_full._carried(points, model, mesh, v, jaw)
    np.testing.assert_array_equal(found.faces_idx, [0, 0, 1, 1])


def test_the_contour_keeps_its_yaws_and_shape() -> None:
    model, (mesh, v) = openhead(), _own_mesh()
    assert model.contour is not None
    few = Contour(
        model.contour.yaw_deg[:3].copy(),
        model.contour.faces_idx[:3].copy(),
        model.contour.bary[:3].copy(),
    )
    coarse = replace(model, contour=few)
    found = openhead_full._carried_contour(coarse, mesh, v, model.lbs_weights[:, 2])
    assert found is not None
    np.testing.assert_array_equal(found.yaw_deg, few.yaw_deg)
    for k in range(3):
        before = np.einsum("nk,nkc->nc", few.bary[k], v[model.faces[few.faces_idx[k]]])
        after = np.einsum("nk,nkc->nc", found.bary[k], v[mesh.triangles[found.faces_idx[k]]])
        np.testing.assert_allclose(after, before, atol=1e-7)


def test_a_head_without_contour_gets_none() -> None:
    mesh, v = _own_mesh()
    without = replace(openhead(), contour=None)
    assert openhead_full._carried_contour(without, mesh, v, v[:, 0]) is None


def test_a_missing_shipped_head_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"gone\.npz cannot be read"):
        build_openhead_full(tmp_path, tmp_path / "gone.npz")


def test_a_shipped_file_that_is_no_head_is_named(tmp_path: Path) -> None:
    (tmp_path / "head.npz").write_bytes(b"no head")
    with pytest.raises(AssetError, match=r"head\.npz is not a readable head model"):
        build_openhead_full(tmp_path, tmp_path / "head.npz")


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"ict_facekit does not hold the ICT source.*expected"):
        build_openhead_full(tmp_path, _SHIPPED)


@pytest.mark.parametrize("moved", [None, 1e-4])
def test_a_head_of_another_source_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: float | None
) -> None:
    write_ict(tmp_path / "ict_facekit")
    target = load_head_model(_SHIPPED).v_template.astype(np.float64)
    if moved is None:
        target = target[:-1]  # a vertex less
    else:
        target[7, 1] += moved  # one vertex, a tenth of a millimetre off
    source = openhead_full.load_ict(tmp_path / "ict_facekit")
    ends = replace(source, vertices=np.eye(3))
    monkeypatch.setattr(openhead_full, "load_ict", lambda folder: ends)
    monkeypatch.setattr(openhead_full, "mesh_of", lambda ict, full_skin=False: _mesh(target))
    with pytest.raises(
        AssetError, match=r"openhead\.npz was not built from .*build openhead again"
    ):
        build_openhead_full(tmp_path, _SHIPPED)
