"""Derivatives of normals and of their cost, against finite differences."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.flame.lbs import rodrigues
from engine.flame.model import HeadModel
from engine.flame.normals import vertex_normals
from engine.flame.posed import PosedHead
from engine.frames import camera_from_focal, project_columns
from engine.stages.head_unknowns import params_of
from engine.stages.landmark_energy import Unknowns
from engine.stages.landmark_model import LandmarkState
from engine.stages.normal_energy import NormalConfig, NormalEnergy
from engine.stages.normal_samples import NormalSampler
from engine.stages.normal_surface import NormalSurface
from engine.types import F32, F64, NormalMap

pytestmark = pytest.mark.assets

CAMERA = camera_from_focal(500.0, 640, 480)
SIZE = 128
CROP = np.c_[0.4 * Rotation.from_euler("z", 20, degrees=True).as_matrix()[:2, :2], [-20.0, -76.0]]


@pytest.fixture(scope="module")
def surface(openhead: HeadModel) -> NormalSurface:
    return NormalSurface(openhead)


def rest(model: HeadModel) -> LandmarkState:
    zeros = np.zeros
    return LandmarkState(
        zeros(model.n_shape), zeros(model.n_expr), zeros(3), zeros((2, 2)), zeros(2)
    )


def random_state(model: HeadModel) -> LandmarkState:
    rng = np.random.default_rng(4)
    return LandmarkState(
        rng.standard_normal(model.n_shape),
        0.5 * rng.standard_normal(model.n_expr),
        np.array([0.25, 0.02, -0.01]),
        np.array([[0.1, 0.2], [0.1, 0.2]]),
        np.array([0.4, 0.2]),
    )


def with_step(model: HeadModel, state: LandmarkState, column: int, step: float) -> LandmarkState:
    """One of expr, jaw, eyes, eyelids, shape moved."""
    E = model.n_expr
    own = np.concatenate([state.expr, state.jaw, state.eyes.ravel(), state.eyelids, state.shape])
    own[column] += step
    return LandmarkState(
        own[E + 9 :], own[:E], own[E : E + 3], own[E + 3 : E + 7].reshape(2, 2), own[E + 7 : E + 9]
    )


def test_places_and_normals_are_the_full_heads(openhead: HeadModel, surface: NormalSurface) -> None:
    state = random_state(openhead)
    patches = surface.at(state)
    params = params_of(openhead, Unknowns(np.eye(3), np.zeros(3), state))
    vertices = PosedHead(openhead).vertices(params)
    np.testing.assert_allclose(patches.points.T, vertices[surface.vertices], atol=2e-6)
    normals = vertex_normals(vertices, openhead.faces)[surface.vertices]
    np.testing.assert_allclose(patches.normals.T, normals, atol=2e-3)
    frame = np.concatenate([patches.across, patches.normals[None]]).transpose(2, 0, 1)
    identity = np.broadcast_to(np.eye(3), frame.shape)
    np.testing.assert_allclose(frame @ frame.transpose(0, 2, 1), identity, atol=1e-5)


def test_changes_at_the_mean_head_match_differences(
    openhead: HeadModel, surface: NormalSurface
) -> None:
    """Every column: expression, jaw, eyes and lids (which normals leave alone), shape."""
    mean, E = surface.at(rest(openhead)), openhead.n_expr
    for column in (0, 7, E - 1, E, E + 1, E + 2, E + 4, E + 8, E + 9, E + 30, E + 8 + 100):
        step = 0.01 if E <= column < E + 9 else 0.05
        plus, minus = (
            surface.at(with_step(openhead, rest(openhead), column, sign * step)) for sign in (1, -1)
        )
        moved = (plus.points - minus.points).T / (2 * step)
        turned = (mean.across * (plus.normals - minus.normals)).sum(axis=1).T / (2 * step)
        left_out = E + 3 <= column < E + 9
        if left_out:
            assert not surface.d_normals[:, :, column].any()
            assert np.abs(moved).max() < 3e-4  # chosen vertices keep off eyes and lids
            continue
        np.testing.assert_allclose(surface.d_points[:, :, column], moved, atol=2e-5)
        size = np.abs(turned).max()
        np.testing.assert_allclose(surface.d_normals[:, :, column], turned, atol=0.01 * size + 1e-4)


def smooth_map(openhead: HeadModel, truth: F64, *, head: bool, view: bool) -> NormalMap:
    """Normals that change smoothly, not far from a head's."""
    y, x = (np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2) / SIZE
    n = np.stack([1.6 * x, -1.2 * y + 0.2 * x * y, np.ones_like(x) - x**2], axis=-1)
    n /= np.linalg.norm(n, axis=-1, keepdims=True)
    ones = np.ones((SIZE, SIZE), np.float32)
    turned: F32 = (n @ truth.T).astype(np.float32)
    return NormalMap(
        n.astype(np.float32) if head else None, turned if view else None, ones, ones, None, CROP
    )


def residuals(
    openhead: HeadModel, surface: NormalSurface, sampler: NormalSampler, at: Unknowns, across: F32
) -> tuple[F64, F64]:
    """(M, 2) of head and of view normals, in fixed directions across."""
    patches = surface.at(at.state)
    pixels = project_columns(at.R @ patches.points + at.t[:, None], CAMERA.K)
    head, view, _ = sampler.at(pixels)
    assert head is not None
    assert view is not None
    r_head = head[0] - patches.normals
    r_view = at.R.T @ view[0] - patches.normals
    return tuple((across * r).sum(axis=1).T for r in (r_head, r_view))


LOOSE = NormalConfig(
    common_deg=1e-3, slope_deg=1e-3, turn_deg=1e-3, outlier=1e6, hidden_from_deg=180
)


def moved(model: HeadModel, at: Unknowns, column: int, step: float) -> Unknowns:
    if column < 3:
        return replace(at, R=rodrigues(step * np.eye(3)[column], xp=np) @ at.R)
    if column < 6:
        return replace(at, t=at.t + step * np.eye(3)[column - 3])
    return replace(at, state=with_step(model, at.state, column - 6, step))


@pytest.mark.parametrize("maps", ["head", "view", "both"])
def test_equations_match_differences_of_the_residuals(
    openhead: HeadModel, surface: NormalSurface, maps: str
) -> None:
    """Gradient and Hessian of rotation, translation, expression, jaw and shape, with weights held.

    At the mean head, where the frozen derivatives are exact but for the slopes of maps.
    """
    truth = Rotation.from_euler("yx", [12, -7], degrees=True).as_matrix()
    at = Unknowns(truth, np.array([0.02, 0.01, -0.6]), rest(openhead))
    both = smooth_map(openhead, truth, head=True, view=True)
    one = replace(
        both,
        head=both.head if maps != "view" else None,
        view=both.view if maps != "head" else None,
    )
    # With `common_deg` near 0 nothing is solved for beside the head.
    energy = NormalEnergy(surface, replace(LOOSE, head_noise_deg=5.0, view_noise_deg=8.0))
    found = energy.equations(at, CAMERA, NormalSampler(one), with_shape=True)
    across = surface.at(at.state).across
    E = openhead.n_expr
    columns = [0, 1, 2, 3, 4, 5, 6, 9, 6 + E, 7 + E, 15 + E, 25 + E]
    sampler = NormalSampler(both)
    plain = residuals(openhead, surface, sampler, at, across)
    precision = np.radians([5.0, 8.0]) ** -2.0 * (maps != "view", maps != "head")
    derivatives = []
    for column in columns:
        step = 0.02 if column >= 6 else 0.004
        a, b = (
            residuals(openhead, surface, sampler, moved(openhead, at, column, s * step), across)
            for s in (1, -1)
        )
        derivatives.append([(p - q) / (2 * step) for p, q in zip(a, b, strict=True)])
    J = np.array(derivatives)  # (C, 2 maps, M, 2)
    weighted = found.weight[:, None] * precision[:, None, None]
    H = np.einsum("akmr,bkmr,kmr->ab", J, J, np.broadcast_to(weighted, J.shape[1:]))
    g = np.einsum("akmr,kmr->a", J, weighted * np.array(plain))
    scale = np.sqrt(H.diagonal())
    ours = found.H[np.ix_(columns, columns)] / scale / scale[:, None]
    np.testing.assert_allclose(ours, H / scale / scale[:, None], atol=0.04)
    residual_length = np.sqrt(np.einsum("kmr,kmr->", weighted * np.array(plain), np.array(plain)))
    np.testing.assert_allclose(found.g[columns] / scale, g / scale, atol=0.02 * residual_length)


def test_a_turn_of_the_whole_map_hardly_counts(openhead: HeadModel, surface: NormalSurface) -> None:
    """Common errors are solved for: the head's normals turned by 4 degrees pull little."""
    at = Unknowns(np.eye(3), np.array([0.0, 0.0, -0.6]), rest(openhead))
    normals = smooth_map(openhead, np.eye(3), head=True, view=False)
    turn = Rotation.from_euler("x", 4, degrees=True).as_matrix().astype(np.float32)
    assert normals.head is not None
    turned = replace(normals, head=normals.head @ turn.T)
    pulls = []
    for common in (0.01, 30.0):
        config = replace(LOOSE, common_deg=common, slope_deg=0.01)
        energy = NormalEnergy(surface, config)
        a, b = (
            energy.equations(at, CAMERA, NormalSampler(m), with_shape=True)
            for m in (normals, turned)
        )
        pulls.append(np.linalg.norm((a.g - b.g)[6:]))
    # Not nothing: the map is not this head, whose own normals are what is turned.
    assert pulls[1] < 0.25 * pulls[0]


def test_the_turn_between_the_maps_counts_as_its_deviation_says(
    openhead: HeadModel, surface: NormalSurface
) -> None:
    """What it adds is a rotation known to `turn_deg` about each axis, however many pixels agree."""
    at = Unknowns(np.eye(3), np.array([0.0, 0.0, -0.6]), rest(openhead))
    exact = replace(LOOSE, head_noise_deg=0.5, view_noise_deg=0.5)
    seen = Rotation.from_euler("x", 2, degrees=True)
    sampler = NormalSampler(smooth_map(openhead, seen.as_matrix(), head=True, view=True))
    loose, firm = (
        NormalEnergy(surface, replace(exact, turn_deg=deg)).equations(
            at, CAMERA, sampler, with_shape=False
        )
        for deg in (1e3, 2.0)
    )
    added = firm.H - loose.H
    np.testing.assert_allclose(added[:3, :3], np.radians(2.0) ** -2 * np.eye(3), rtol=0.05, atol=30)
    assert not added[3:].any()
    # Alone it turns the head onto the turn of the maps.
    step = -np.linalg.solve(added[:3, :3], (firm.g - loose.g)[:3])
    np.testing.assert_allclose(step, seen.as_rotvec(), atol=np.radians(0.2))


def test_what_faces_away_does_not_count(openhead: HeadModel, surface: NormalSurface) -> None:
    normals = smooth_map(openhead, np.eye(3), head=True, view=True)
    energy, sampler = NormalEnergy(surface), NormalSampler(normals)
    shares = {}
    for yaw in (0, 60, 180):
        R = Rotation.from_euler("y", yaw, degrees=True).as_matrix()
        at = Unknowns(R, np.array([0.0, 0.0, -0.6]), rest(openhead))
        found = energy.equations(at, CAMERA, sampler, with_shape=False)
        shares[yaw] = found.seen
    assert shares[0].mean() > 0.7
    left = openhead.v_template[surface.vertices][:, 0] > 0.02
    # Positive yaw turns the left cheek away.
    assert shares[60][left].mean() < 0.25 * shares[60][~left].mean()
    assert shares[180].mean() == 0
