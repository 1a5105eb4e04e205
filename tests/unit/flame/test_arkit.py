"""The 52 strengths: known ones come back, others stay in bounds and are the best there are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from engine.errors import ModelContractError
from engine.flame.arkit import ARKIT_NAMES, ArkitSolver, linear_motion, motion_of
from engine.flame.arkit_transfer import arkit_map_of
from engine.flame.model import HeadModel, load_head_model
from engine.types import FlameParams

pytestmark = pytest.mark.assets

OPENHEAD = Path(__file__).parents[3] / "assets" / "openhead.npz"
FRAME_NS = 33_333_333


@pytest.fixture(scope="module")
def openhead() -> HeadModel:
    return load_head_model(OPENHEAD)


@pytest.fixture(scope="module")
def solver(openhead: HeadModel) -> ArkitSolver:
    return ArkitSolver(openhead)


def shapes(model: HeadModel) -> np.ndarray:
    """(52, P) each shape's parameters, in the order of ARKIT_NAMES."""
    arkit = model.arkit
    rows = [arkit.names.index(name) for name in ARKIT_NAMES]
    return np.concatenate([arkit.expr, arkit.jaw, arkit.eyes, arkit.eyelids], axis=1)[rows]


def params(model: HeadModel, strengths: np.ndarray) -> FlameParams:
    values = (strengths @ shapes(model)).astype(np.float32)
    expr, jaw, eyes, lids = np.split(values, np.cumsum([model.n_expr, 3, 6]))
    neutral = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)
    return neutral.with_values(expr=expr, jaw=jaw, eyes=eyes, eyelids=lids)


@pytest.mark.parametrize("seed", range(4))
def test_known_strengths_come_back(openhead: HeadModel, solver: ArkitSolver, seed: int):
    rng = np.random.default_rng(seed)
    given = np.where(rng.random(52) < 0.4, rng.random(52), 0.0)
    solver.reset()
    got = solver.solve(params(openhead, given), 0)
    # Parameters are float32 and shapes nearly alike: a condition number of 1e5 leaves 1e-4.
    np.testing.assert_allclose(got, given, atol=1e-4)


@pytest.mark.parametrize("name", ["jawOpen", "eyeBlinkLeft", "mouthSmileRight", "eyeLookOutLeft"])
def test_one_shape_alone_stays_alone(openhead: HeadModel, solver: ArkitSolver, name: str):
    given = np.zeros(52)
    given[ARKIT_NAMES.index(name)] = 1.0
    solver.reset()
    np.testing.assert_allclose(solver.solve(params(openhead, given), 0), given, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_an_expression_beyond_the_shapes_gets_the_best_within_bounds(
    openhead: HeadModel, solver: ArkitSolver, seed: int
):
    rng = np.random.default_rng(seed)
    wild = params(openhead, np.zeros(52)).with_values(
        expr=rng.normal(size=openhead.n_expr).astype(np.float32)
    )
    solver.reset()
    got = solver.solve(wild, 0)
    assert got.min() >= 0.0
    assert got.max() <= 1.0
    motion = linear_motion(openhead)
    moved = motion @ shapes(openhead).T.astype(np.float64)
    # An independent solver, reduced to 52 rows: the same squares up to a constant.
    Q, R = np.linalg.qr(moved)
    best = lsq_linear(R, Q.T @ motion @ motion_of(wild), (0, 1), method="bvls").x

    def misfit(strengths: np.ndarray) -> float:
        return float(np.linalg.norm(moved @ strengths - motion @ motion_of(wild)))

    assert misfit(got) == pytest.approx(misfit(best), rel=1e-5)


def test_a_held_expression_is_reached_within_a_second_and_noise_is_damped(
    openhead: HeadModel, solver: ArkitSolver
):
    rng = np.random.default_rng(5)
    given = np.where(rng.random(52) < 0.3, rng.random(52), 0.0)
    still = params(openhead, given)
    solver.reset()
    solver.solve(params(openhead, np.zeros(52)), 0)
    for frame in range(1, 31):
        got = solver.solve(still, frame * FRAME_NS)
    np.testing.assert_allclose(got, given, atol=0.01)

    def shaking(steady: bool) -> np.ndarray:
        """(52,) mean change from frame to frame under the same noise."""
        noise = np.random.default_rng(1)
        rows = []
        for frame in range(30):
            shaken = still.expr + noise.normal(0, 0.3, openhead.n_expr).astype(np.float32)
            if frame == 0 or not steady:
                solver.reset()
            rows.append(solver.solve(still.with_values(expr=shaken), frame * FRAME_NS))
        return np.abs(np.diff(np.stack(rows[5:]), axis=0)).mean(axis=0)

    loose, held = shaking(steady=False), shaking(steady=True)
    shakiest = np.argsort(-loose)[:10]
    assert held[shakiest].mean() < 0.8 * loose[shakiest].mean()


def test_a_gap_in_time_is_a_new_start(openhead: HeadModel, solver: ArkitSolver):
    given = np.zeros(52)
    given[ARKIT_NAMES.index("jawOpen")] = 0.8
    solver.reset()
    solver.solve(params(openhead, np.zeros(52)), 0)
    got = solver.solve(params(openhead, given), 2_000_000_000)
    np.testing.assert_allclose(got, given, atol=1e-4)


def test_parameters_of_another_head_and_heads_without_shapes_are_refused(
    openhead: HeadModel, solver: ArkitSolver
):
    foreign = replace(openhead, model_id="f" * 64)
    with pytest.raises(ModelContractError, match="make one for the model"):
        solver.solve(params(foreign, np.zeros(52)), 0)
    with pytest.raises(ModelContractError, match="arkit_transfer"):
        ArkitSolver(replace(openhead, arkit=None))


@pytest.mark.slow
def test_shapes_carried_over_to_a_head_that_has_none_move_it_alike(openhead: HeadModel):
    # The same head without its map, in a file of its own: what should come out is known.
    bare = replace(openhead, arkit=None, model_id="b" * 64)
    carried = replace(bare, arkit=arkit_map_of(bare, openhead))
    motion = linear_motion(openhead)
    right, got = motion @ shapes(openhead).T, motion @ shapes(carried).T
    off = np.linalg.norm(got - right, axis=0) / np.linalg.norm(right, axis=0)
    # The tongue lies inside, where nothing is carried over.
    seen = [name != "tongueOut" for name in ARKIT_NAMES]
    assert off[seen].max() < 0.05
    given = np.zeros(52)
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp", "eyeBlinkRight"):
        given[ARKIT_NAMES.index(name)] = 0.6
    strengths = ArkitSolver(carried).solve(
        params(openhead, given).with_values(model_id=carried.model_id), 0
    )
    np.testing.assert_allclose(strengths, given, atol=0.05)
