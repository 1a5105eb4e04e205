"""The head reduced to landmarks: it must be the full head's surface points and their slopes."""

import numpy as np
import pytest

from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead, surface_points
from engine.stages.landmark_model import LandmarkModel, LandmarkState
from engine.types import FlameParams


def random_state(model: HeadModel, seed: int) -> LandmarkState:
    rng = np.random.default_rng(seed)
    return LandmarkState(
        shape=rng.standard_normal(model.n_shape),
        expr=rng.standard_normal(model.n_expr),
        jaw=rng.normal(0.1, 0.05, 3),
        eyes=rng.normal(0.0, 0.2, (2, 2)),
        eyelids=rng.random(2),
    )


def vector(state: LandmarkState) -> np.ndarray:
    return np.concatenate([state.expr, state.jaw, state.eyes.ravel(), state.eyelids, state.shape])


def state_of(values: np.ndarray, n_expr: int) -> LandmarkState:
    expr, jaw, eyes, lids, shape = np.split(values, [n_expr, n_expr + 3, n_expr + 7, n_expr + 9])
    return LandmarkState(shape, expr, jaw, eyes.reshape(2, 2), lids)


@pytest.mark.parametrize("seed", range(3))
def test_points_are_the_full_heads(openhead: HeadModel, seed: int) -> None:
    state = random_state(openhead, seed)
    eyes = np.zeros((2, 3), np.float32)
    eyes[:, :2] = state.eyes
    params = FlameParams.neutral(openhead.model_id, openhead.n_shape, openhead.n_expr).with_values(
        shape=state.shape.astype(np.float32),
        expr=state.expr.astype(np.float32),
        jaw=state.jaw.astype(np.float32),
        eyes=eyes.ravel(),
        eyelids=state.eyelids.astype(np.float32),
    )
    vertices = PosedHead(openhead).vertices(params)
    expected = surface_points(vertices, openhead.faces, openhead.mediapipe)
    found = LandmarkModel(openhead, openhead.mediapipe).positions(state)
    # Weights are interpolated apart from positions: under 0.1 mm where triangles are large.
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_derivatives_are_the_slopes(openhead: HeadModel) -> None:
    reduced = LandmarkModel(openhead, openhead.mediapipe)
    state = random_state(openhead, 7)
    start, n_expr = vector(state), openhead.n_expr
    _, derivatives = reduced.linearise(state, with_shape=True)
    step = 1e-5
    for i in [0, 5, *range(n_expr, n_expr + 9), n_expr + 9, n_expr + 40]:
        shift = np.eye(len(start))[i] * step
        ahead = reduced.positions(state_of(start + shift, n_expr))
        behind = reduced.positions(state_of(start - shift, n_expr))
        slope = (ahead - behind) / (2 * step)
        # Metres per unit; central differences are good to 1e-9, the largest slope is about 0.1.
        np.testing.assert_allclose(derivatives[:, :, i], slope, atol=1e-7, err_msg=f"column {i}")


def test_without_shape_the_last_columns_are_left_out(openhead: HeadModel) -> None:
    reduced, state = LandmarkModel(openhead, openhead.mediapipe), random_state(openhead, 1)
    _, whole = reduced.linearise(state, with_shape=True)
    _, part = reduced.linearise(state, with_shape=False)
    np.testing.assert_array_equal(part, whole[:, :, : openhead.n_expr + 9])
