"""The placer: a known head goes back to where its landmarks were drawn."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.errors import ModelContractError
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.stages.landmark_placer import LandmarkPlacer
from engine.types import FlameParams
from tests.rendered_faces import CAMERA, landmarks_of, random_params

pytestmark = pytest.mark.assets


def seen(model: HeadModel, truth: FlameParams) -> np.ndarray:
    return landmarks_of(model, truth, PosedHead(model).vertices(truth), CAMERA)


def test_a_shifted_head_goes_back(openhead: HeadModel):
    placer = LandmarkPlacer(openhead)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        truth = random_params(openhead, rng)
        shifted = truth.with_values(t=truth.t + rng.normal(0, [0.05, 0.05, 0.1]))
        placed = placer.place(shifted, seen(openhead, truth), CAMERA)
        # Three Newton steps from 10 cm away; the prior on the eyes holds them a little.
        np.testing.assert_allclose(placed.params.t, truth.t, atol=2e-3)
        np.testing.assert_allclose(placed.params.R, truth.R, atol=1e-9)
        np.testing.assert_array_equal(placed.params.shape, truth.shape)
        assert placed.rms < 0.01


def test_a_wrong_turn_shows_in_the_miss(openhead: HeadModel):
    truth = random_params(openhead, np.random.default_rng(0))
    turn = Rotation.from_euler("y", 15, degrees=True).as_matrix()
    placed = LandmarkPlacer(openhead).place(
        truth.with_values(R=truth.R @ turn), seen(openhead, truth), CAMERA
    )
    assert placed.rms > 0.04


def test_parameters_of_another_head_are_refused(openhead: HeadModel):
    truth = random_params(openhead, np.random.default_rng(0))
    with pytest.raises(ModelContractError, match="belong to head model"):
        LandmarkPlacer(openhead).place(
            truth.with_values(model_id="1" * 64), seen(openhead, truth), CAMERA
        )
