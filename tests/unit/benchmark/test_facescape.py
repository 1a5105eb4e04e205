import numpy as np
import pytest

from engine.benchmark.facescape import facescape_values
from engine.benchmark.surface import MeshSurface
from tests.bench_made import RADIUS, ball_truth


def size():
    """How much the measure enlarges the ball: its eyes' middles become 62.85 mm apart."""
    marks = ball_truth().landmarks68
    apart = (marks[42] + marks[45] - marks[36] - marks[39]) / 2
    return 0.06285 / np.linalg.norm(apart)


def values(vertices, faces):
    truth = ball_truth()
    true = MeshSurface(truth.vertices, truth.faces)
    return facescape_values(MeshSurface(vertices, faces), true, truth)


def test_the_truth_itself_covers_itself():
    truth = ball_truth()
    found = values(truth.vertices, truth.faces)
    assert found["facescape_cd_mm"] == pytest.approx(0.0, abs=1e-9)
    assert found["facescape_mne_rad"] == pytest.approx(0.0, abs=1e-9)
    assert found["facescape_cr"] == 1.0


def test_a_bigger_ball_is_off_by_its_growth():
    truth = ball_truth()
    found = values(truth.vertices * (1 + 1e-3 / RADIUS), truth.faces)
    # In the measure's own size; where rays graze the ball, cells are far apart and flat.
    assert found["facescape_cd_mm"] == pytest.approx(size(), rel=0.06)
    assert found["facescape_mne_plain_rad"] < 0.05


def test_half_a_ball_covers_half_the_cells():
    truth = ball_truth()
    front = truth.faces[(truth.vertices[truth.faces][..., 0] > 0).all(axis=1)]
    assert values(truth.vertices, front)["facescape_cr"] == pytest.approx(0.5, abs=0.05)


def test_the_quirk_presses_angles_together():
    truth = ball_truth()
    rough = truth.vertices + np.random.default_rng(0).normal(0, 3e-4, truth.vertices.shape)
    found = values(rough, truth.faces)
    assert 0.01 < found["facescape_mne_rad"] < 0.7 * found["facescape_mne_plain_rad"]
