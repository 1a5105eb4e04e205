"""Derivatives of the optimiser against differences of what they are derivatives of."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import ModelContractError
from engine.fitting.energy import project, sampled
from engine.fitting.equations import crosses, project_jacobian
from engine.fitting.linear_head import HeadLinearizer
from engine.fitting.state import HeadState, params_from, state_from
from engine.fitting.torch_head import TorchHead
from engine.flame.normals import vertex_normals
from engine.flame.posed import PosedHead
from engine.frames import project as project_numpy
from engine.types import FlameParams
from tests.bumpy_head import bumpy_head

HEAD = bumpy_head(level=3)
STEP = 1e-5


def posed(seed: int = 0) -> FlameParams:
    rng = np.random.default_rng(seed)
    return FlameParams.neutral(HEAD.model_id, HEAD.n_shape, HEAD.n_expr).with_values(
        shape=rng.standard_normal(HEAD.n_shape).astype(np.float32),
        expr=rng.standard_normal(HEAD.n_expr).astype(np.float32),
        jaw=np.array([0.2, 0.05, 0.02], np.float32),
        eyes=np.array([0.1, 0.2, 0, 0.1, 0.1, 0], np.float32),
        R=np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]]),
        t=np.array([0.02, -0.01, -0.5]),
    )


@pytest.fixture(scope="module")
def head() -> TorchHead:
    return TorchHead(HEAD, "cpu", torch.float64)


@pytest.fixture
def state() -> HeadState:
    return state_from(HEAD, posed(), "cpu", torch.float64)


def test_points_and_normals_are_those_of_the_head_model(head: TorchHead, state: HeadState) -> None:
    vertices = PosedHead(HEAD).vertices(posed())
    skin = head.skin(state)
    np.testing.assert_allclose(skin.points.numpy(), vertices[head.kept], atol=2e-7)
    normals = vertex_normals(vertices, HEAD.faces)[head.kept]
    whole = head.has_normal
    assert whole.sum() > 100
    np.testing.assert_allclose(skin.normals.numpy()[whole], normals[whole], atol=1e-3)


def test_every_column_is_the_change_it_stands_for(head: TorchHead, state: HeadState) -> None:
    linear = HeadLinearizer(head).at(state, with_shape=True)
    n = linear.d_points.shape[2]
    assert n == HEAD.n_expr + 9 + HEAD.n_shape
    for column in range(n):
        step = torch.zeros(6 + n, dtype=torch.float64)
        step[6 + column] = STEP
        after, before = head.skin(state.moved(step)), head.skin(state.moved(-step))
        lids = HEAD.n_expr + 7 <= column < HEAD.n_expr + 9
        scale = STEP if lids else 2 * STEP  # open lids do not open further
        for found, a, b in (
            (linear.d_points, after.points, before.points),
            (linear.d_normals, after.normals, before.normals),
        ):
            change = (a - b) / scale
            limit = 1e-4 * max(float(change.abs().max()), 1e-3)
            assert float((change - found[..., column]).abs().max()) < limit, column


def test_parameters_come_back_from_their_state(state: HeadState) -> None:
    back, there = params_from(HEAD, state), posed()
    for name in ("shape", "expr", "jaw", "eyes", "eyelids", "R", "t"):
        np.testing.assert_allclose(getattr(back, name), getattr(there, name), atol=1e-6)


def test_a_fit_that_is_not_finite_is_no_result(state: HeadState) -> None:
    with pytest.raises(ModelContractError, match="not finite: expr"):
        params_from(HEAD, replace(state, expr=state.expr * float("nan")))


def test_tensors_are_projected_as_arrays_are() -> None:
    K = np.array([[900.0, 3.0, 500.0], [0.0, 880.0, 300.0], [0.0, 0.0, 1.0]])
    view = np.array([[0.1, 0.2, -0.7], [-0.3, 0.0, -2.0]])
    points = torch.tensor(view, requires_grad=True)
    px = project(points, torch.tensor(K[:2]))
    np.testing.assert_allclose(px.detach().numpy(), project_numpy(view, K))
    jacobian = project_jacobian(points.detach(), torch.tensor(K[:2]))
    for axis in range(2):
        (slope,) = torch.autograd.grad(px[:, axis].sum(), points, retain_graph=True)
        np.testing.assert_allclose(jacobian[:, axis].numpy(), slope.numpy())


def test_maps_are_read_between_pixels_with_the_first_centre_at_zero() -> None:
    ramp = torch.arange(4.0).expand(4, 4)[None]
    px = torch.tensor([[0.0, 0.0], [1.25, 3.0], [9.0, 0.0]])
    np.testing.assert_allclose(sampled(ramp, px)[:, 0].numpy(), [0.0, 1.25, 3.0])


def test_cross_matrices_multiply_as_the_vector_does() -> None:
    a, b = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([-2.0, 0.5, 4.0])
    np.testing.assert_allclose((crosses(a) @ b)[0], torch.linalg.cross(a[0], b))
