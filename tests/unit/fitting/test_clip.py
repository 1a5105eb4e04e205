"""A made clip whose truth is known: one person who turns and speaks, seen with noise."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.fitting.clip_gauss_newton import Blocks, solved
from engine.fitting.curve import CurvePoint, JointFit
from engine.fitting.optimiser import FittedFace, Optimiser
from engine.fitting.settings import FitSettings
from engine.flame.face_distance import FaceDistance
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.render.context import headless_context
from engine.render.renderer import MeshRenderer
from engine.types import FlameParams
from tests.rendered_faces import Face, crop_of, random_params, rendered_face, with_noise

QUICK = FitSettings(
    optimizer="gn", gn_steps=8, global_gn_steps=4, global_iters=60, batch_size=4, refresh_every=10,
    w_shape_general=0.02, w_exp=0.02,
)  # fmt: skip
N = 5
NOISE_DEG, NOISE_PX = 6.0, 1.0


def speaking(model: HeadModel) -> list[FlameParams]:
    """N frames a 25th of a second apart: some degrees and a millimetre a frame."""
    first = random_params(model, np.random.default_rng(3), max_yaw_deg=10)
    sway = np.random.default_rng(4).standard_normal(model.n_expr).astype(np.float32)
    return [
        first.with_values(
            R=Rotation.from_euler("y", 1.5 * k, degrees=True).as_matrix() @ first.R,
            t=first.t + np.array([0.001 * k, 0.0, 0.0]),
            expr=(first.expr + 0.05 * k * sway).astype(np.float32),
            jaw=first.jaw + np.array([0.01 * k, 0.0, 0.0], np.float32),
        )
        for k in range(N)
    ]


@pytest.fixture(scope="module")
def faces(openhead: HeadModel) -> list[Face]:
    """As a network sees them: normals and points with errors of their own in each frame."""
    ctx = headless_context()
    renderer = MeshRenderer(ctx, openhead.faces, samples=0)
    rng = np.random.default_rng(8)
    seen = []
    for params in speaking(openhead):
        face = rendered_face(openhead, renderer, params, size=96)
        noise = rng.normal(0, NOISE_PX, face.landmarks.shape)
        landmarks = (face.landmarks + noise).astype(np.float32)
        seen.append(
            replace(face, normals=with_noise(face.normals, NOISE_DEG, rng), landmarks=landmarks)
        )
    renderer.release()
    ctx.release()
    return seen


@pytest.fixture(scope="module")
def quick(openhead: HeadModel) -> Iterator[Optimiser]:
    optimiser = Optimiser(openhead, QUICK)
    yield optimiser
    optimiser.close()


@pytest.fixture(scope="module")
def alone(quick: Optimiser, faces: list[Face]) -> list[FittedFace]:
    """Frame by frame, each tied to the one before."""
    fitted: list[FittedFace] = []
    for face in faces:
        before = fitted[-1].params if fitted else None
        fit = quick.fit(crop_of(face), face.camera, face.normals, before=before)
        fitted.append(FittedFace(crop_of(face), face.camera, face.normals, fit.params))
    return fitted


@pytest.fixture(scope="module")
def together(quick: Optimiser, alone: list[FittedFace]) -> JointFit:
    return quick.fit_joint(alone)


def distance_mm(model: HeadModel, found: list[FlameParams], true: list[Face]) -> float:
    head, distance = PosedHead(model), FaceDistance(model, scaled=True)
    return float(
        np.mean(
            [
                distance(head.vertices(a).copy(), head.vertices(b.params).copy())[0]
                for a, b in zip(found, true, strict=True)
            ]
        )
    )


def jitter(found: list[FlameParams], name: str) -> float:
    """Root mean square of second differences: none for what moves evenly."""
    values = np.stack([np.asarray(getattr(params, name), float).ravel() for params in found])
    return float(np.sqrt(np.square(np.diff(values, n=2, axis=0)).mean()))


@pytest.mark.assets
@pytest.mark.gl
@pytest.mark.slow
def test_frames_together_are_nearer_the_truth_and_steadier(
    openhead: HeadModel, faces: list[Face], alone: list[FittedFace], together: JointFit
) -> None:
    before, after = [face.params for face in alone], list(together.params)
    assert together.energy < together.start_energy
    for params in after:
        np.testing.assert_array_equal(params.shape, after[0].shape)
    assert distance_mm(openhead, after, faces) < distance_mm(openhead, before, faces)
    for name in ("R", "t", "expr"):
        assert jitter(after, name) < jitter(before, name), name


@pytest.mark.assets
@pytest.mark.gl
@pytest.mark.slow
def test_adam_goes_down_the_same_energy(
    openhead: HeadModel, alone: list[FittedFace], together: JointFit
) -> None:
    adam = Optimiser(openhead, replace(QUICK, optimizer="adam"))
    fit = adam.fit_joint(alone)
    adam.close()
    assert fit.start_energy == pytest.approx(together.start_energy, rel=1e-3)
    assert together.energy < fit.energy < fit.start_energy
    assert [point.iteration for point in fit.curve] == [0, 10, 20, 30, 40, 50, 59]
    # Ties count in every other batch after the first 15 %.
    assert {"smooth_R" in point.terms for point in fit.curve} == {False, True}


@pytest.mark.assets
@pytest.mark.gl
@pytest.mark.slow
def test_told_to_stop_it_keeps_the_best_so_far(quick: Optimiser, alone: list[FittedFace]) -> None:
    seen = []

    def until_second(point: CurvePoint, n: int) -> bool:
        seen.append((point.iteration, n))
        return len(seen) < 2

    fit = quick.fit_joint(alone, on_progress=until_second)
    assert fit.stopped
    assert seen == [(0, 4), (1, 4)]
    assert fit.energy < fit.start_energy


@pytest.mark.assets
@pytest.mark.gl
@pytest.mark.slow
def test_a_later_part_keeps_the_shape_of_the_one_before(
    quick: Optimiser, alone: list[FittedFace], together: JointFit
) -> None:
    last = together.params[1]
    fit = quick.fit_joint(alone[2:4], before=last)
    for params in fit.params:
        np.testing.assert_array_equal(params.shape, last.shape)
    assert "smooth_t" in fit.terms


def test_blocks_are_solved_as_the_whole_matrix() -> None:
    rng = np.random.default_rng(0)
    n, m, s = 4, 3, 2
    whole = np.zeros((n * m + s, n * m + s))
    root = rng.standard_normal((40, n * m + s))
    for k in range(n):
        for other in range(n):
            if abs(k - other) > 1 or {k, other} == {1, 2}:  # frames 1 and 2 are not tied
                continue
            a, b = slice(k * m, k * m + m), slice(other * m, other * m + m)
            whole[a, b] = root[:, a].T @ root[:, b]
    border = slice(n * m, None)
    whole[:, border] = root.T @ root[:, border]
    whole[border, :] = whole[:, border].T
    whole += 20 * np.eye(len(whole))
    g = rng.standard_normal(len(whole))

    def part(rows: int, columns: int) -> torch.Tensor:
        return torch.tensor(whole[rows * m : rows * m + m, columns * m : columns * m + m])

    blocks = Blocks(
        own=[part(k, k) for k in range(n)],
        tie=[None, part(1, 0), None, part(3, 2)],
        border=[torch.tensor(whole[k * m : k * m + m, border]) for k in range(n)],
        g=[torch.tensor(g[k * m : k * m + m]) for k in range(n)],
        shape=torch.tensor(whole[border, border]),
        g_shape=torch.tensor(g[border]),
    )
    found = solved(blocks, 0.1)
    assert found is not None
    damped = whole + 0.1 * np.diag(np.diag(whole) + 1e-9)
    np.testing.assert_allclose(
        torch.cat([*found[0], found[1]]).numpy(), np.linalg.solve(damped, -g), atol=1e-12
    )
