"""The landmarks' equations: a part of them is what the whole has there."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.stages.head_unknowns import unknowns_of
from engine.stages.landmark_energy import N_POSE, FitConfig, LandmarkEnergy
from engine.types import F64
from tests.rendered_faces import CAMERA, landmarks_of, random_params

pytestmark = pytest.mark.assets


def test_pose_equations_are_the_wholes_first_rows(openhead: HeadModel):
    truth = random_params(openhead, np.random.default_rng(3))
    turn = Rotation.from_euler("xyz", (4, 12, -7), degrees=True).as_matrix()
    start = truth.with_values(R=truth.R @ turn, t=truth.t + np.array([0.01, -0.02, 0.05]))
    energy = LandmarkEnergy(openhead, FitConfig())
    points = landmarks_of(openhead, truth, PosedHead(openhead).vertices(truth), CAMERA)
    seen, unknowns = energy.observe(points, CAMERA), unknowns_of(openhead, start)
    whole = energy.equations(unknowns, seen)
    H, g = energy.pose_equations(unknowns, seen)
    assert_same(H, g, whole.H[:N_POSE, :N_POSE], whole.g[:N_POSE])


def test_place_equations_are_the_wholes_rows_of_translation_and_eyes(openhead: HeadModel):
    truth = random_params(openhead, np.random.default_rng(4))
    start = truth.with_values(t=truth.t + np.array([0.01, -0.02, 0.05]), eyes=truth.eyes + 0.1)
    energy = LandmarkEnergy(openhead, FitConfig())
    points = landmarks_of(openhead, truth, PosedHead(openhead).vertices(truth), CAMERA)
    seen, unknowns = energy.observe(points, CAMERA), unknowns_of(openhead, start)
    whole = energy.equations(unknowns, seen)
    H, g = energy.place_equations(unknowns, seen)
    rows = np.r_[3:6, energy.eyes]
    assert_same(H, g, whole.H[np.ix_(rows, rows)], whole.g[rows])


def assert_same(H: F64, g: F64, wanted_H: F64, wanted_g: F64) -> None:
    """The same sums in another order, in single precision, by the size of the diagonal."""
    scale = np.sqrt(wanted_H.diagonal())
    correlation = H / scale / scale[:, None]
    np.testing.assert_allclose(correlation, wanted_H / scale / scale[:, None], atol=2e-6)
    np.testing.assert_allclose(g / scale, wanted_g / scale, atol=2e-6 * abs(wanted_g / scale).max())
    assert abs(g).max() > 1.0
