from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.benchmark.scoring import Scorer, rotation_deg
from engine.benchmark.types import Truth
from engine.errors import ScoreError
from engine.types import FlameParams
from tests.bench_made import (
    PLATE_SHARE,
    RADIUS,
    ball_truth,
    plate_moved,
    plated_truth,
    returned,
)


@pytest.mark.parametrize("alignment", ["A", "B", "C"])
def test_the_truth_itself_has_no_error(alignment):
    truth = ball_truth()
    score = Scorer("mesh", alignment)(Truth(mesh=truth), returned(truth))
    for prefix in ("", "eyes_"):
        assert score.values[f"{prefix}cd_mm"] == pytest.approx(0.0, abs=1e-9)
        assert score.values[f"{prefix}mne_rad"] == pytest.approx(0.0, abs=1e-9)
        assert score.values[f"{prefix}vertex_mm"] == pytest.approx(0.0, abs=1e-9)
        assert score.values[f"{prefix}cr"] == 1.0
    assert score.warnings == ()
    assert np.nanmax(score.errors_mm) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("alignment", ["A", "B", "C"])
def test_a_known_error_has_exactly_its_figures(alignment):
    truth = plated_truth()
    face = returned(truth, vertices=plate_moved(truth, 2.2e-3))
    values = Scorer("mesh", alignment)(Truth(mesh=truth), face).values
    assert values["nose_cd_mm"] == pytest.approx(2.2, abs=1e-6)
    assert (values["nose_cr"], values["nose_r2_5"], values["nose_mne_rad"]) == (0.0, 1.0, 0.0)
    for key in ("cd_mm", "cd_acc_mm", "cd_comp_mm", "l1_mm", "vertex_mm"):
        assert values[key] == pytest.approx(2.2 * PLATE_SHARE, abs=1e-6)
    assert values["l2_mm"] == pytest.approx(2.2 * np.sqrt(PLATE_SHARE), abs=1e-6)
    assert values["cr"] == pytest.approx(1 - PLATE_SHARE, abs=1e-12)
    assert values["r2_5"] == 1.0


def test_a_millimetre_along_the_normals_is_a_millimetre():
    truth = ball_truth()
    grown = truth.vertices * (1 + 1e-3 / RADIUS)
    values = Scorer("mesh", "C")(Truth(mesh=truth), returned(truth, vertices=grown)).values
    # The grown ball is of flat triangles too: their middles lie some micrometres lower.
    assert values["cd_mm"] == pytest.approx(1.0, rel=2e-3)


def test_scale_is_free_in_b_alone_and_then_hides_a_wrong_size():
    truth = ball_truth()
    face = returned(truth, vertices=truth.vertices * 1.03)  # its landmarks do not tell
    b = Scorer("mesh", "B")(Truth(mesh=truth), face).values
    assert b["cd_mm"] == pytest.approx(0.0, abs=1e-4)
    assert b["scale"] == pytest.approx(1 / 1.03, rel=1e-4)
    for alignment in ("A", "C"):
        values = Scorer("mesh", alignment)(Truth(mesh=truth), face).values
        assert values["scale"] == pytest.approx(1.0)
        assert values["cd_mm"] > 2.0


def test_regions_not_known_on_both_sides_are_not_made_up():
    truth = ball_truth()
    face = returned(truth, regions={"face": truth.regions["face"]})
    values = Scorer("mesh")(Truth(mesh=truth), face).values
    assert "cd_mm" in values
    assert not [key for key in values if key.startswith(("eyes_", "nose_"))]


def test_beyond_the_rim_of_a_partial_prediction_nothing_counts():
    truth = ball_truth()
    front = truth.faces[(truth.vertices[truth.faces][..., 2] > 0.02).all(axis=1)]
    rows = np.unique(front).astype(np.int32)
    face = returned(truth, faces=front, regions={"face": rows})
    whole = Scorer("mesh", "C")(Truth(mesh=truth), face).values
    assert whole["cd_acc_mm"] > 20.0
    partial = Scorer("mesh", "C")(Truth(mesh=truth), replace(face, partial=True))
    assert partial.values["cd_mm"] == pytest.approx(0.0, abs=1e-6)
    assert partial.values["cr"] == 1.0
    scored = np.isfinite(partial.errors_mm)
    assert scored.sum() < len(rows) < len(truth.vertices) / 2


def test_what_a_scan_cannot_see_does_not_count():
    truth = ball_truth()
    hidden = np.flatnonzero(truth.vertices[:, 2] < -0.05).astype(np.int32)
    dented = truth.vertices.copy()
    dented[hidden] *= 0.5
    face = returned(truth, vertices=dented, regions=truth.regions | {"eyeballs": hidden})
    kept = np.setdiff1d(truth.regions["face"], hidden).astype(np.int32)
    seen = replace(truth, regions={"face": kept, "teeth": hidden})
    values = Scorer("mesh", "C")(Truth(mesh=seen), face).values
    assert values["cd_mm"] == pytest.approx(0.0, abs=1e-6)


def test_millimetres_for_metres_are_named():
    truth = ball_truth()
    face = returned(truth, vertices=1e3 * truth.vertices, landmarks68=1e3 * truth.landmarks68)
    score = Scorer("mesh", "A")(Truth(mesh=truth), face)
    assert "look like millimetres, expected metres" in score.warnings[0]
    assert score.values["scale"] == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("factor", "said"), [(1e-3, "are metres, taken for millimetres"), (1e3, "millimetres, taken")]
)
@pytest.mark.parametrize("kind", ["mesh", "now"])
def test_a_truth_in_another_unit_scores_nothing(kind: str, factor: float, said: str):
    truth = ball_truth()
    wrong = replace(
        truth,
        vertices=factor * truth.vertices,
        landmarks68=factor * truth.landmarks68,
        landmarks7=factor * truth.landmarks7,
    )
    with pytest.raises(ScoreError, match=f"outer eye corners lie .* {said}"):
        Scorer(kind)(Truth(mesh=wrong), returned(truth))
    unknown = replace(wrong, metric=False)
    assert np.isfinite(Scorer("mesh", "B")(Truth(mesh=unknown), returned(truth)).values["cd_mm"])


def test_exchanged_axes_are_named():
    truth = ball_truth()
    face = returned(
        truth,
        vertices=truth.vertices[:, [0, 2, 1]],
        landmarks68=truth.landmarks68[:, [0, 2, 1]],
    )
    warnings = " ".join(Scorer("mesh")(Truth(mesh=truth), face).warnings)
    assert "mirrored against each other: two axes of one of them are exchanged" in warnings
    assert "triangles face inwards" in warnings


def test_a_head_turned_far_from_the_true_one_is_named():
    truth = ball_truth()
    params = FlameParams.neutral("ball", 1, 1)
    quarter = Rotation.from_euler("x", 90, degrees=True).as_matrix()
    score = Scorer("mesh")(Truth(mesh=truth, params=params), returned(truth, R=quarter))
    assert score.values["rotation_deg"] == pytest.approx(90.0)
    assert "turned 90 degrees" in score.warnings[0]


@pytest.mark.parametrize("degrees", [0.0, 1e-6, 10.0, 179.0, 180.0])
def test_angles_between_rotations_are_exact(degrees):
    turn = Rotation.from_rotvec(np.radians(degrees) * np.array([0.6, 0.0, 0.8])).as_matrix()
    assert rotation_deg(turn @ np.eye(3), np.eye(3)) == pytest.approx(degrees, abs=1e-9, rel=1e-6)


def test_meshes_that_cannot_be_measured_are_refused():
    truth = ball_truth()
    spoilt = truth.vertices.copy()
    spoilt[5] = np.nan
    with pytest.raises(ScoreError, match="prediction: 1 of 2562 vertices are not finite"):
        Scorer("mesh")(Truth(mesh=truth), returned(truth, vertices=spoilt))
    with pytest.raises(ScoreError, match="prediction has no faces"):
        Scorer("mesh")(Truth(mesh=truth), returned(truth, faces=np.zeros((0, 3), np.int32)))
    with pytest.raises(ScoreError, match="no true mesh"):
        Scorer("mesh")(Truth(), returned(truth))


def test_landmarks_alone_are_scored_alone():
    truth = ball_truth()
    marks = 100 * truth.landmarks68[:, :2]
    face = returned(truth, landmarks68_px=marks)
    values = Scorer("landmarks")(Truth(landmarks68_px=marks), face).values
    assert values["nme_interocular_percent"] == 0.0
    assert "cd_mm" not in values
    with pytest.raises(ScoreError, match="no 68 landmarks in the picture"):
        Scorer("landmarks")(Truth(landmarks68_px=marks), returned(truth))
