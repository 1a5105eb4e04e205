import numpy as np
import pytest

from engine.benchmark.nme import landmark_values, normalisers
from engine.errors import ScoreError


def face():
    points = np.zeros((68, 2))
    points[0], points[16], points[8] = (0, 0), (200, 0), (100, 162)
    points[36:42] = [(40, 50), (50, 45), (60, 45), (70, 50), (60, 55), (50, 55)]
    points[42:48] = [(130, 50), (140, 45), (150, 45), (160, 50), (150, 55), (140, 55)]
    return points


def test_lengths_are_those_of_each_convention():
    assert normalisers(face()) == pytest.approx(
        {"interocular": 120.0, "interpupil": 90.0, "box": np.sqrt(200 * 162)}
    )


def test_three_pixels_are_three_over_the_length():
    values = landmark_values(face() + np.array([3.0, 0.0]), face())
    assert values["nme_interocular_percent"] == pytest.approx(2.5)
    assert values["nme_interpupil_percent"] == pytest.approx(100 / 30)
    assert values["nme_box_percent"] == pytest.approx(300 / 180)
    assert values["nme51_interocular_percent"] == pytest.approx(2.5)


def test_the_jaw_line_counts_in_the_68_alone():
    found = face()
    found[:17] += [0.0, 12.0]
    values = landmark_values(found, face())
    assert values["nme_interocular_percent"] == pytest.approx(10 * 17 / 68)
    assert values["nme51_interocular_percent"] == 0.0


def test_unknown_points_and_collapsed_truth_are_refused():
    found = face()
    found[3] = np.nan
    with pytest.raises(ScoreError, match="predicted landmarks are not all finite"):
        landmark_values(found, face())
    with pytest.raises(ScoreError, match="no interocular extent"):
        landmark_values(face(), np.zeros((68, 2)))
