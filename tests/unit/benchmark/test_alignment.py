from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.benchmark.alignment import align, common_landmarks
from engine.errors import ScoreError
from tests.bench_made import ball_truth, returned

TURN = Rotation.from_rotvec([0.3, -0.8, 0.5]).as_matrix()
SHIFT = np.array([0.2, -0.1, 1.4])


def bumpy():
    """A ball pressed out of shape, so that only one placement fits."""
    truth = ball_truth()
    bent = truth.vertices * [0.8, 1.2, 1.0] + 0.1 * truth.vertices[:, [1, 2, 0]] ** 2 / 0.1
    nearest = [int(np.linalg.norm(truth.vertices - m, axis=1).argmin()) for m in truth.landmarks68]
    return replace(truth, vertices=bent, landmarks68=bent[nearest], landmarks7=None)


def moved(truth, scale=1.0, noise=0.0):
    marks = truth.landmarks68 + np.random.default_rng(3).normal(0, noise, (68, 3))
    return returned(
        truth,
        vertices=scale * truth.vertices @ TURN.T + SHIFT,
        landmarks68=scale * marks @ TURN.T + SHIFT,
    )


@pytest.mark.parametrize(("alignment", "scale"), [("A", 1.3), ("B", 1.3), ("C", 1.0)])
def test_a_moved_truth_is_laid_back(alignment, scale):
    truth = bumpy()
    face = moved(truth, scale)
    placed = align(face, truth, alignment)
    assert placed.apply(face.vertices) == pytest.approx(truth.vertices, abs=1e-7)


def test_closest_points_mend_what_landmarks_get_wrong():
    truth = bumpy()
    face = moved(truth, noise=0.002)
    placed = align(face, truth, "C")
    assert placed.apply(face.vertices) == pytest.approx(truth.vertices, abs=1e-6)


def test_only_b_mends_a_wrong_size_of_landmarks():
    truth = bumpy()
    face = moved(truth)
    centre = face.landmarks68.mean(axis=0)
    wrong = replace(face, landmarks68=centre + 1.03 * (face.landmarks68 - centre))
    assert align(wrong, truth, "A").scale == pytest.approx(1 / 1.03, rel=1e-9)
    assert align(wrong, truth, "B").scale == pytest.approx(1.0, rel=1e-5)
    assert align(wrong, truth, "C").scale == 1.0


def test_a_tenth_of_wild_points_does_not_count():
    truth = bumpy()
    wild = truth.vertices.copy()
    wild[::20] *= 1.4
    placed = align(returned(truth), replace(truth, vertices=wild), "A")
    assert placed.apply(truth.vertices) == pytest.approx(truth.vertices, abs=1e-6)


def test_c_needs_a_truth_of_known_size():
    truth = replace(ball_truth(), metric=False)
    with pytest.raises(ScoreError, match="alignment C needs a truth of known size"):
        align(returned(truth), truth, "C")


def test_landmarks_unknown_on_either_side_are_left_out():
    truth = ball_truth()
    marks = truth.landmarks68.copy()
    marks[[36, 57]] = np.nan
    found, true = common_landmarks(returned(truth, landmarks68=marks), truth)
    assert found.shape == true.shape == (8, 3)
    marks[[39, 42, 45, 48, 54, 30]] = np.nan
    with pytest.raises(ScoreError, match="share 2 landmarks"):
        common_landmarks(returned(truth, landmarks68=marks), truth)


def test_landmarks_in_one_point_align_nothing():
    truth = ball_truth()
    collapsed = np.full((68, 3), 0.3)
    with pytest.raises(ScoreError, match="prediction's landmarks lie on one line or point"):
        align(returned(truth, landmarks68=collapsed), truth, "A")


def test_without_landmarks_there_is_nothing_to_begin_with():
    truth = ball_truth()
    with pytest.raises(ScoreError, match="prediction has no 3D landmarks"):
        common_landmarks(returned(truth, landmarks68=None), truth)
    bare = replace(truth, landmarks68=None, landmarks7=None)
    with pytest.raises(ScoreError, match="truth has no 3D landmarks"):
        common_landmarks(returned(truth), bare)


def test_seven_points_will_do():
    truth = replace(ball_truth(), landmarks68=None)
    found, true = common_landmarks(returned(ball_truth()), truth)
    assert np.array_equal(found, true)
    assert len(found) == 7
