"""The landmarks' equations: a part of them is what the whole has there."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.stages.head_unknowns import unknowns_of
from engine.stages.landmark_energy import N_POSE, FitConfig, LandmarkEnergy
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
    # The products add up in another order: rounding only.
    np.testing.assert_allclose(H, whole.H[:N_POSE, :N_POSE], rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(g, whole.g[:N_POSE], rtol=1e-9, atol=1e-6)
    assert abs(g).max() > 1.0
