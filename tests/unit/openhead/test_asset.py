"""What the shipped head model must be, measured on the file itself."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.flame.model import REGIONS, HeadModel, load_head_model, save_head_model
from engine.flame.posed import PosedHead, surface_points
from engine.io.assets import asset_path
from engine.types import F32, FlameParams

pytestmark = pytest.mark.assets

# MediaPipe's left lids, from the inner corner outwards.
UPPER_LID = (362, 398, 384, 385, 386, 387, 388, 466, 263)
LOWER_LID = (362, 382, 381, 380, 374, 373, 390, 249, 263)


def neutral(model: HeadModel) -> FlameParams:
    return FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)


def mediapipe(model: HeadModel, vertices: F32, indices: tuple[int, ...]) -> F32:
    rows = [int(np.flatnonzero(model.mediapipe_idx == i)[0]) for i in indices]
    return surface_points(vertices, model.faces, model.mediapipe)[rows]


def _lid_gap(model: HeadModel, vertices: F32) -> F32:
    """Metres, at places across the middle of the left eye: how far the lids are apart; never
    below zero, as lids that overlap are shut."""
    upper, lower = (mediapipe(model, vertices, lid) for lid in (UPPER_LID, LOWER_LID))
    x = np.linspace(0.026, 0.037, 12)
    gap = np.interp(x, upper[:, 0], upper[:, 1]) - np.interp(x, lower[:, 0], lower[:, 1])
    return np.maximum(gap, 0.0)


def test_counts_and_size(openhead: HeadModel) -> None:
    assert 4900 <= openhead.n_vertices <= 5300
    assert openhead.n_shape == 100
    assert asset_path("openhead.npz").stat().st_size < 12e6


def test_template_is_exactly_symmetric(openhead: HeadModel) -> None:
    assert openhead.mirror is not None
    mirrored = openhead.v_template[openhead.mirror] * np.array([-1, 1, 1], np.float32)
    np.testing.assert_array_equal(mirrored, openhead.v_template)


def test_triangles_are_symmetric(openhead: HeadModel) -> None:
    assert openhead.mirror is not None
    own = {tuple(sorted(f)) for f in openhead.faces.tolist()}
    mirrored = {tuple(sorted(f)) for f in openhead.mirror[openhead.faces].tolist()}
    assert own == mirrored


def test_pupils_are_as_far_apart_as_peoples(openhead: HeadModel) -> None:
    right, left = mediapipe(openhead, openhead.v_template, (468, 473))
    assert 0.062 <= np.linalg.norm(left - right) <= 0.065
    assert left[0] > 0  # +x is the subject's left


def test_face_looks_along_positive_z(openhead: HeadModel) -> None:
    nose = mediapipe(openhead, openhead.v_template, (4,))[0]
    assert nose[2] > openhead.v_template[openhead.regions["scalp"], 2].max()
    assert abs(nose[0]) < 1e-6


def test_surface_is_turned_outwards(openhead: HeadModel) -> None:
    """The signed volume of the closed eyeballs is that of two spheres of 12.5 mm."""
    balls = openhead.faces[np.isin(openhead.faces, openhead.regions["eyeballs"]).all(axis=1)]
    a, b, c = (openhead.v_template[balls[:, k]].astype(float) for k in range(3))
    volume = (a * np.cross(b, c)).sum() / 6
    # Flat triangles inside the sphere: some per cent less.
    assert volume == pytest.approx(2 * 4 / 3 * np.pi * 0.0125**3, rel=0.08)


def test_lids_close_in_a_blink_and_cover_the_eyeballs(openhead: HeadModel) -> None:
    shut = PosedHead(openhead).vertices(
        neutral(openhead).with_values(eyelids=np.ones(2, np.float32))
    )
    open_gap, shut_gap = (_lid_gap(openhead, v) for v in (openhead.v_template, shut))
    assert open_gap.min() > 0.004
    assert shut_gap.max() < 0.0005
    centres = openhead.J_regressor[3:] @ openhead.v_template
    eyes = shut[openhead.regions["eyes"]]
    for centre in centres:
        assert np.linalg.norm(eyes - centre, axis=1).min() > 0.0124  # nothing inside the ball


def test_jaw_carries_lower_teeth_rigidly_and_leaves_upper_ones(openhead: HeadModel) -> None:
    teeth = openhead.regions["teeth"]
    lower = teeth[openhead.lbs_weights[teeth, 2] == 1.0]
    upper = teeth[openhead.lbs_weights[teeth, 1] == 1.0]
    assert len(lower) + len(upper) == len(teeth)
    opened = PosedHead(openhead).vertices(
        neutral(openhead).with_values(jaw=np.array([0.3, 0, 0], np.float32))
    )
    assert np.abs(opened[upper] - openhead.v_template[upper]).max() < 1e-4
    rest = openhead.v_template[lower] - openhead.v_template[lower].mean(0)
    moved = opened[lower] - opened[lower].mean(0)
    # Rigid: distances from the middle stay, to the corrective's 0.3 mm.
    difference = np.linalg.norm(moved, axis=1) - np.linalg.norm(rest, axis=1)
    assert np.abs(difference).max() < 3e-4


def test_regions_are_there_and_apart(openhead: HeadModel) -> None:
    assert set(REGIONS) <= set(openhead.regions)
    assert all(len(openhead.regions[r]) > 30 for r in REGIONS)
    outer = [set(openhead.regions[r].tolist()) for r in ("face", "ears", "scalp", "neck")]
    assert sum(map(len, outer)) == len(set.union(*outer))
    for part in ("eyes", "nose", "mouth", "forehead"):
        assert set(openhead.regions[part].tolist()) <= outer[0]


def test_weights_are_partitions_of_one(openhead: HeadModel) -> None:
    np.testing.assert_allclose(openhead.lbs_weights.sum(axis=1), 1.0, atol=1e-6)
    assert openhead.lbs_weights.min() >= 0


def test_arkit_shapes_do_what_their_names_say(openhead: HeadModel) -> None:
    assert openhead.arkit is not None
    assert len(openhead.arkit.names) == 52

    def moved(name: str) -> F32:
        row = openhead.arkit.names.index(name)  # type: ignore[union-attr]
        a = openhead.arkit
        assert a is not None
        posed = neutral(openhead).with_values(
            expr=a.expr[row], jaw=a.jaw[row], eyes=a.eyes[row], eyelids=a.eyelids[row]
        )
        return PosedHead(openhead).vertices(posed) - openhead.v_template

    def at(name: str, point: int) -> F32:
        return (
            mediapipe(openhead, moved(name) + openhead.v_template, (point,))[0]
            - mediapipe(openhead, openhead.v_template, (point,))[0]
        )

    assert at("jawOpen", 152)[1] < -0.02  # the chin goes down
    assert at("jawLeft", 152)[0] > 0.003  # to the subject's left
    assert at("mouthSmileLeft", 291)[1] > 0.003  # the left corner rises
    assert abs(at("mouthSmileLeft", 61)[1]) < 0.002  # the right one hardly
    assert at("browInnerUp", 107)[1] > 0.002
    assert at("eyeBlinkRight", 159)[1] < -0.004
    assert at("eyeLookUpLeft", 473)[1] > 0.004  # the pupil rises
    assert at("eyeLookInLeft", 473)[0] < -0.004  # towards the nose
    assert at("eyeLookOutRight", 468)[0] < -0.004  # away from it
    assert at("mouthPucker", 13)[2] > 0.002  # lips come forward
    assert np.abs(moved("tongueOut")).max() > 0.02


def test_texture_coordinates_fit_in_the_texture(openhead: HeadModel) -> None:
    assert openhead.uv is not None
    assert openhead.uv_faces is not None
    assert openhead.uv.min() >= 0
    assert openhead.uv.max() <= 1
    corners = openhead.uv[openhead.uv_faces]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    # No triangle is stretched across a seam of the texture.
    assert np.quantile(edges, 0.995) < 0.1


def test_saved_model_reads_back_the_same_and_twice_alike(
    openhead: HeadModel, tmp_path: Path
) -> None:
    first = save_head_model(openhead, tmp_path / "a.npz")
    second = save_head_model(openhead, tmp_path / "b.npz")
    assert first == second
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = load_head_model(tmp_path / "a.npz")
    assert again.model_id == first
    np.testing.assert_array_equal(again.shapedirs, openhead.shapedirs)
    np.testing.assert_array_equal(again.contour.bary, openhead.contour.bary)
    assert again.arkit.names == openhead.arkit.names
    assert dict(again.meta) == dict(openhead.meta)


@pytest.mark.parametrize(
    ("content", "cause"),
    [(b"", "not a readable"), (b"PK\x03\x04 and then nonsense", "not a readable")],
)
def test_damaged_models_are_refused(tmp_path: Path, content: bytes, cause: str) -> None:
    path = tmp_path / "head.npz"
    path.write_bytes(content)
    with pytest.raises(AssetError, match=cause):
        load_head_model(path)


def test_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"nowhere\.npz"):
        load_head_model(tmp_path / "nowhere.npz")
