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
    found = LandmarkModel(openhead, openhead.mediapipe).positions(state).T
    # Weights are interpolated apart from positions: under 0.1 mm where triangles are large.
    np.testing.assert_allclose(found, expected, atol=1e-4)


def derivatives_of(reduced: LandmarkModel, state: LandmarkState, n: int) -> np.ndarray:
    """(N, 3, n) metres per unit, of the points themselves."""
    found = np.empty((reduced.n_points, 3, n), np.float32)
    by_point = np.broadcast_to(np.eye(3, dtype=np.float32)[..., None], (3, 3, reduced.n_points))
    reduced.changes(state, by_point, found)
    return found


def test_derivatives_are_the_slopes(openhead: HeadModel) -> None:
    reduced = LandmarkModel(openhead, openhead.mediapipe)
    state = random_state(openhead, 7)
    start, n_expr = vector(state), openhead.n_expr
    derivatives = derivatives_of(reduced, state, len(start))
    step = 1e-5
    for i in [0, 5, *range(n_expr, n_expr + 9), n_expr + 9, n_expr + 40]:
        shift = np.eye(len(start))[i] * step
        ahead = reduced.positions(state_of(start + shift, n_expr))
        behind = reduced.positions(state_of(start - shift, n_expr))
        slope = (ahead - behind).T / (2 * step)
        # Metres per unit; central differences are good to 1e-9, the largest slope is about 0.1.
        np.testing.assert_allclose(derivatives[:, :, i], slope, atol=1e-7, err_msg=f"column {i}")


def test_without_shape_the_last_columns_are_left_out(openhead: HeadModel) -> None:
    reduced, state = LandmarkModel(openhead, openhead.mediapipe), random_state(openhead, 1)
    n_own = openhead.n_expr + 9
    whole = derivatives_of(reduced, state, n_own + openhead.n_shape)
    part = derivatives_of(reduced, state, n_own)
    # The products of matrices of other sizes add up in another order: rounding only, of 0.1 m.
    np.testing.assert_allclose(part, whole[:, :, :n_own], atol=1e-7)


def test_columns_of_the_eyes_alone_are_the_wholes(openhead: HeadModel) -> None:
    reduced, state = LandmarkModel(openhead, openhead.mediapipe), random_state(openhead, 2)
    by_point = np.random.default_rng(0).standard_normal((2, 3, reduced.n_points), np.float32)
    whole = np.empty((reduced.n_points, 2, openhead.n_expr + 9), np.float32)
    reduced.changes(state, by_point, whole)
    eyes = reduced.eye_changes(state, by_point)
    first = openhead.n_expr + 3
    joints = np.abs(whole[:, :, first : first + 4]).max()
    assert joints > 1e-3
    np.testing.assert_allclose(eyes, whole[:, :, first : first + 4], atol=1e-6 * joints)
