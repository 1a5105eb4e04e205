from dataclasses import replace

import numpy as np
import pytest

from engine.benchmark.now_protocol import now_crop, now_errors_mm, now_values
from engine.benchmark.scoring import Scorer
from engine.benchmark.types import Truth
from engine.errors import ScoreError
from tests.bench_made import RADIUS, ball_truth, returned


def scan():
    return replace(ball_truth(), landmarks68=None)


def test_the_crop_is_a_ball_around_the_nose():
    marks = np.zeros((7, 3))
    marks[0], marks[3] = (-45, 0, 0), (45, 0, 0)
    marks[1], marks[2] = (-15, 0, 0), (15, 0, 0)
    marks[4] = (0, -50, 0)
    # Centre (0, -35, 0), radius 1.4 (90 + 50) / 2 = 98.
    points = np.array([[0, 62.9, 0], [0, 63.1, 0], [97.9, -35, 0], [0, -35, -98.1]])
    assert now_crop(points, marks).tolist() == [True, False, True, False]


@pytest.mark.parametrize("metrical", [False, True])
def test_the_scan_itself_has_no_error(metrical):
    errors = now_errors_mm(returned(ball_truth()), scan(), metrical=metrical)
    crop = now_crop(scan().vertices, scan().landmarks7)
    assert np.array_equal(np.isfinite(errors), crop)
    assert 0 < crop.sum() < len(crop)
    assert errors[crop] == pytest.approx(0.0, abs=1e-6)


def whole(marks7):
    """Landmarks so far apart that the crop holds the whole ball."""
    return marks7 * [10.0, 1.0, 1.0]


def test_a_bigger_ball_is_off_by_a_millimetre_where_size_counts():
    truth = scan()
    marks = whole(truth.landmarks7)
    truth = replace(truth, landmarks7=marks)
    all68 = np.zeros((68, 3))
    all68[[36, 39, 42, 45, 33, 48, 54]] = marks
    grown = returned(ball_truth(), vertices=truth.vertices * (1 + 1e-3 / RADIUS), landmarks68=all68)
    metrical = now_values([now_errors_mm(grown, truth, metrical=True)])
    # The ball turns until its points lie over flat middles of triangles, 0.08 mm lower.
    assert 0.92 <= metrical["now_median_mm"] <= 1.0
    assert 0.92 <= metrical["now_mean_mm"] <= 1.0
    free = now_values([now_errors_mm(grown, truth, metrical=False)])
    assert free["now_median_mm"] == pytest.approx(0.0, abs=1e-4)


def test_errors_of_all_scans_are_pooled():
    values = now_values([np.array([1, np.nan, 2], np.float32), np.array([6], np.float32)])
    assert values == pytest.approx(
        {"now_median_mm": 2.0, "now_mean_mm": 3.0, "now_std_mm": np.sqrt(14 / 3)}
    )
    with pytest.raises(ValueError, match="no errors"):
        now_values([np.array([np.nan], np.float32)])


def test_the_scorer_takes_c_for_the_metrical_variant():
    truth = scan()
    far = replace(returned(ball_truth()), vertices=truth.vertices * 1.2)
    far = replace(far, landmarks68=ball_truth().landmarks68 * 1.2)
    free = Scorer("now", "A")(Truth(mesh=truth), far)
    assert free.values["now_mean_mm"] == pytest.approx(0.0, abs=1e-4)
    assert Scorer("now", "C")(Truth(mesh=truth), far).values["now_mean_mm"] > 1.0


def test_landmarks_of_another_scan_are_refused():
    truth = replace(scan(), landmarks7=scan().landmarks7 + 10.0)
    with pytest.raises(ScoreError, match="they are of another scan"):
        now_errors_mm(returned(ball_truth()), truth, metrical=False)
    with pytest.raises(ScoreError, match="no seven landmarks"):
        now_errors_mm(returned(ball_truth()), replace(truth, landmarks7=None), metrical=False)
