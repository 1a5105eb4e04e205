"""FLAME's maths: known answers on a small head, numpy/torch parity, gradients, speed."""

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.errors import ModelContractError
from engine.flame.lbs import pose_feature, posed_vertices, rodrigues
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.types import F32, FlameParams

_FIELDS = (
    "v_template", "shapedirs", "exprdirs", "posedirs", "J_regressor", "lbs_weights", "eyelid_dirs",
)  # fmt: skip


def random_params(model: HeadModel, seed: int) -> FlameParams:
    rng = np.random.default_rng(seed)

    def normal(n: int, std: float) -> F32:
        return (std * rng.standard_normal(n)).astype(np.float32)

    return FlameParams(
        model_id=model.model_id,
        shape=normal(model.n_shape, 1.0),
        expr=normal(model.n_expr, 1.0),
        neck=normal(3, 0.2),
        jaw=normal(3, 0.1),
        eyes=normal(6, 0.2),
        eyelids=rng.random(2).astype(np.float32),
        R=np.eye(3),
        t=np.array([0.0, 0.0, -0.6]),
    )


def arguments(params: FlameParams) -> dict[str, F32]:
    names = ("shape", "expr", "neck", "jaw", "eyes", "eyelids")
    return {name: getattr(params, name) for name in names}


@pytest.mark.parametrize("seed", range(5))
def test_rodrigues_is_scipys_rotation(seed: int) -> None:
    vector = np.random.default_rng(seed).standard_normal(3) * 2
    expected = Rotation.from_rotvec(vector).as_matrix()
    np.testing.assert_allclose(rodrigues(vector, xp=np), expected, atol=1e-12)


def test_rodrigues_of_zero_is_identity_with_a_finite_gradient() -> None:
    vector = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    R = rodrigues(vector, xp=torch)
    R[2, 1].backward()
    np.testing.assert_array_equal(R.detach().numpy(), np.eye(3))
    np.testing.assert_allclose(vector.grad.numpy(), [1.0, 0.0, 0.0], atol=1e-9)


def test_pose_feature_is_row_major_per_joint() -> None:
    rotations = np.stack([np.eye(3)] * 5)
    rotations[2, 1, 2] = 7.0  # jaw, row 1, column 2
    feature = pose_feature(rotations, xp=np)
    assert feature[9 + 5] == 7.0
    assert np.count_nonzero(feature) == 1


def test_neutral_parameters_give_the_template(openhead: HeadModel) -> None:
    params = FlameParams.neutral(openhead.model_id, openhead.n_shape, openhead.n_expr)
    vertices = PosedHead(openhead).vertices(params)
    np.testing.assert_allclose(vertices, openhead.v_template, atol=1e-7)  # float32 rounding


def test_jaw_opens_downwards_and_leaves_the_scalp(openhead: HeadModel) -> None:
    params = FlameParams.neutral(openhead.model_id, openhead.n_shape, openhead.n_expr)
    jaw = np.array([0.3, 0.0, 0.0], np.float32)
    opened = PosedHead(openhead).vertices(params.with_values(jaw=jaw))
    moved = opened - openhead.v_template
    chin = openhead.faces[openhead.landmarks68.faces_idx[8], 0]
    # The chin is about 9 cm in front of the jaw joint: 0.3 rad lower it by some 2.5 cm.
    assert -0.035 < moved[chin, 1] < -0.015
    # What lies above the eyes does not turn; the temples' muscle bulges by half a millimetre.
    top = openhead.v_template[:, 1] > 0.05
    assert np.abs(moved[top]).max() < 1e-3


def test_positive_eye_yaw_looks_to_the_subjects_left(openhead: HeadModel) -> None:
    params = FlameParams.neutral(openhead.model_id, openhead.n_shape, openhead.n_expr)
    eyes = np.array([0, 0.3, 0, 0, 0, 0], np.float32)
    vertices = PosedHead(openhead).vertices(params.with_values(eyes=eyes))
    moved = vertices - openhead.v_template
    pole = openhead.faces[openhead.mediapipe.faces_idx[openhead.mediapipe_idx == 473][0]]
    bary = openhead.mediapipe.bary[openhead.mediapipe_idx == 473][0]
    # The pupil lies 12.5 mm in front of the joint: sin(0.3) of that, to the subject's left.
    assert bary @ moved[pole, 0] == pytest.approx(0.0125 * np.sin(0.3), abs=2e-4)
    right_eye = openhead.lbs_weights[:, 4] == 1.0
    assert np.abs(moved[right_eye]).max() < 1e-7


@pytest.mark.parametrize("seed", range(4))
def test_fast_path_equals_the_whole_formula(openhead: HeadModel, seed: int) -> None:
    params = random_params(openhead, seed)
    expected = posed_vertices(openhead, **arguments(params), xp=np)
    # float32 sums in another order: a micrometre over a head of 0.3 m.
    np.testing.assert_allclose(PosedHead(openhead).vertices(params), expected, atol=2e-6)


@pytest.mark.parametrize("seed", range(3))
def test_torch_gives_what_numpy_gives(openhead: HeadModel, seed: int) -> None:
    params = random_params(openhead, seed)
    fields = {f: torch.from_numpy(getattr(openhead, f)) for f in _FIELDS}
    in_torch = SimpleNamespace(**fields, parents=openhead.parents)
    tensors = {k: torch.from_numpy(v) for k, v in arguments(params).items()}
    found = posed_vertices(in_torch, **tensors, xp=torch).numpy()
    expected = posed_vertices(openhead, **arguments(params), xp=np)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_batches_are_single_heads_side_by_side(openhead: HeadModel) -> None:
    params = [random_params(openhead, seed) for seed in (1, 2)]
    batch = {k: np.stack([arguments(p)[k] for p in params]) for k in arguments(params[0])}
    together = posed_vertices(openhead, **batch, xp=np)
    for one, p in zip(together, params, strict=True):
        np.testing.assert_allclose(one, posed_vertices(openhead, **arguments(p), xp=np), atol=2e-6)


def test_torch_gradients_are_the_slopes(small_head: HeadModel) -> None:
    params = random_params(small_head, 0)
    fields = {
        f: None
        if getattr(small_head, f) is None
        else torch.from_numpy(getattr(small_head, f)).double()
        for f in _FIELDS
    }
    model = SimpleNamespace(**fields, parents=small_head.parents)
    leaves = [torch.from_numpy(v).double().requires_grad_() for v in arguments(params).values()]

    def total(*values: torch.Tensor) -> torch.Tensor:
        named = dict(zip(arguments(params), values, strict=True))
        return (posed_vertices(model, **named, xp=torch) ** 2).sum()

    assert torch.autograd.gradcheck(total, leaves, eps=1e-6, atol=1e-5)


def test_parameters_of_another_model_are_refused(openhead: HeadModel) -> None:
    params = replace(random_params(openhead, 0), model_id="f" * 64)
    with pytest.raises(ModelContractError, match="ffffffffffff"):
        PosedHead(openhead).vertices(params)


def test_a_frame_costs_under_a_millisecond_on_one_core(openhead: HeadModel) -> None:
    head, params = PosedHead(openhead), random_params(openhead, 0)
    head.vertices(params)
    times = []
    for _ in range(200):
        start = time.perf_counter()
        head.vertices(params)
        times.append(time.perf_counter() - start)
    # The fastest fifth: what the code costs when nothing else wants the core.
    assert np.quantile(times, 0.2) < 1e-3
