"""The landmark fit on landmarks whose truth is known: projections of the head itself."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead, surface_points
from engine.frames import camera_from_focal, project
from engine.stages.landmark_fitter import LandmarkFitter
from engine.types import F32, Camera, FlameParams

CAMERA = camera_from_focal(900.0, 1280, 720)


def true_head(model: HeadModel, seed: int, *, yaw_deg: float = 0.0) -> FlameParams:
    rng = np.random.default_rng(seed)
    eyes = np.array([0.05, 0.2, 0, 0.05, 0.2, 0], np.float32)
    return FlameParams.neutral(model.model_id, model.n_shape, model.n_expr).with_values(
        shape=rng.standard_normal(model.n_shape).astype(np.float32),
        expr=(0.7 * rng.standard_normal(model.n_expr)).astype(np.float32),
        jaw=np.array([0.15, 0.0, 0.0], np.float32),
        eyes=eyes,
        eyelids=np.array([0.3, 0.3], np.float32),
        R=Rotation.from_euler("yxz", [yaw_deg, 8.0, -6.0], degrees=True).as_matrix(),
        t=np.array([0.05, 0.02, -0.7]),
    )


def landmarks_of(model: HeadModel, params: FlameParams, camera: Camera = CAMERA) -> F32:
    """(478, 2) px; iris rings, which no fit uses, stay at zero."""
    vertices = PosedHead(model).vertices(params)
    points = surface_points(vertices, model.faces, model.mediapipe)
    pixels = np.zeros((478, 2), np.float32)
    pixels[model.mediapipe_idx] = project(points @ params.R.T + params.t, camera.K)
    return pixels


def vertex_error_mm(model: HeadModel, a: FlameParams, b: FlameParams) -> float:
    """Mean distance of the face's vertices after rigid alignment."""
    head, face = PosedHead(model), model.regions["face"]
    x, y = head.vertices(a)[face].astype(float), head.vertices(b)[face].astype(float)
    x, y = x - x.mean(0), y - y.mean(0)
    R, _ = Rotation.align_vectors(y, x)
    return float(np.linalg.norm(R.apply(x) - y, axis=1).mean() * 1e3)


@pytest.mark.parametrize("yaw_deg", [0.0, 25.0, -40.0])
def test_pose_comes_back_from_exact_landmarks(openhead: HeadModel, yaw_deg: float) -> None:
    truth = true_head(openhead, 3, yaw_deg=yaw_deg)
    fit = LandmarkFitter(openhead).fit(landmarks_of(openhead, truth), CAMERA)
    angle = np.degrees(Rotation.from_matrix(fit.params.R @ truth.R.T).magnitude())
    # Shape and pose trade off under the prior: a degree or two, and 3 % of the distance.
    assert angle < 2.5
    np.testing.assert_allclose(fit.params.t, truth.t, atol=0.025)
    assert fit.rms < 0.02  # the prior keeps the fit from following every point


def test_fit_is_nearer_to_the_truth_than_the_mean_head(openhead: HeadModel) -> None:
    errors, mean_errors = [], []
    for seed in range(4):
        truth = true_head(openhead, seed, yaw_deg=10.0)
        fit = LandmarkFitter(openhead).fit(landmarks_of(openhead, truth), CAMERA)
        neutral = FlameParams.neutral(openhead.model_id, openhead.n_shape, openhead.n_expr)
        errors.append(vertex_error_mm(openhead, fit.params, truth))
        mean_errors.append(vertex_error_mm(openhead, neutral, truth))
    # Depth is hardly seen in one picture; still most of the difference is found.
    assert np.mean(errors) < 0.55 * np.mean(mean_errors)


def test_gaze_comes_back(openhead: HeadModel) -> None:
    truth = true_head(openhead, 1)
    fit = LandmarkFitter(openhead).fit(landmarks_of(openhead, truth), CAMERA)
    # The prior pulls gently to zero: a few degrees.
    np.testing.assert_allclose(fit.params.eyes, truth.eyes, atol=0.08)


@pytest.mark.parametrize("closed", [(1.0, 1.0), (0.9, 0.0), (0.0, 0.9)])
def test_shut_eyes_are_told_from_open_ones(
    openhead: HeadModel, closed: tuple[float, float]
) -> None:
    """Small closings may be a person's shape; shut is shut, on the side where it is."""
    lids = np.array(closed, np.float32)
    truth = true_head(openhead, 1).with_values(eyelids=lids)
    fit = LandmarkFitter(openhead).fit(landmarks_of(openhead, truth), CAMERA)
    assert (fit.params.eyelids[lids > 0.5] > 0.55).all()
    assert (fit.params.eyelids[lids < 0.5] < 0.35).all()


def test_video_sharpens_the_shape(openhead: HeadModel) -> None:
    """Frames from several sides tell more of a person than one picture does."""
    first, last = [], []
    for person in (5, 6, 7, 8):
        fitter, errors = LandmarkFitter(openhead), []
        for frame, yaw in enumerate(np.linspace(-35, 35, 15)):
            truth = true_head(openhead, person, yaw_deg=float(yaw))
            noise = np.random.default_rng(frame).normal(0.0, 0.4, (478, 2)).astype(np.float32)
            landmarks = landmarks_of(openhead, truth) + noise
            fit = fitter.fit(landmarks, CAMERA, t_ns=frame * 33_000_000)
            same_face = fit.params.with_values(expr=truth.expr, jaw=truth.jaw, eyes=truth.eyes)
            errors.append(vertex_error_mm(openhead, same_face, truth))
        first.append(errors[0])
        last.append(errors[-1])
    assert np.mean(last) < 0.95 * np.mean(first)


def test_a_cut_to_another_person_is_noticed(openhead: HeadModel) -> None:
    """A film cut keeps size and time going; only the face is another one."""
    fitter, fresh = LandmarkFitter(openhead), LandmarkFitter(openhead)
    one, other = true_head(openhead, 1), true_head(openhead, 9, yaw_deg=30.0)
    for frame in range(20):
        fitter.fit(landmarks_of(openhead, one), CAMERA, t_ns=frame * 33_000_000)
    landmarks = landmarks_of(openhead, other)
    after = fitter.fit(landmarks, CAMERA, t_ns=20 * 33_000_000)
    np.testing.assert_allclose(
        after.params.shape, fresh.fit(landmarks, CAMERA).params.shape, atol=1e-6
    )


def test_outliers_do_not_pull_the_head_along(openhead: HeadModel) -> None:
    truth = true_head(openhead, 2)
    landmarks = landmarks_of(openhead, truth)
    clean = LandmarkFitter(openhead).fit(landmarks, CAMERA)
    hidden = landmarks.copy()
    hidden[[50, 101, 118, 117, 123, 147, 187, 205]] += 60.0  # a hand over one cheek
    fit = LandmarkFitter(openhead).fit(hidden, CAMERA)
    angle = np.degrees(Rotation.from_matrix(fit.params.R @ clean.params.R.T).magnitude())
    assert angle < 1.5
    assert vertex_error_mm(openhead, fit.params, clean.params) < 1.0


def test_reset_forgets_the_person(openhead: HeadModel) -> None:
    first, second = (landmarks_of(openhead, true_head(openhead, s)) for s in (1, 2))
    used, fresh = LandmarkFitter(openhead), LandmarkFitter(openhead)
    used.fit(first, CAMERA)
    used.reset()
    np.testing.assert_array_equal(
        used.fit(second, CAMERA).params.shape, fresh.fit(second, CAMERA).params.shape
    )


def test_a_fixed_jaw_stays_shut(openhead: HeadModel) -> None:
    """As in FLAME 2023 without jaw, where the joint must not be used."""
    fixed = replace(openhead, meta={**openhead.meta, "jaw_fixed": True})
    fit = LandmarkFitter(fixed).fit(landmarks_of(openhead, true_head(openhead, 0)), CAMERA)
    np.testing.assert_allclose(fit.params.jaw, 0.0, atol=1e-6)


def test_other_head_models_are_fitted_too(small_head: HeadModel) -> None:
    """The made-up head has other counts, no lids and its own landmarks."""
    truth = FlameParams.neutral(small_head.model_id, small_head.n_shape, small_head.n_expr)
    truth = truth.with_values(R=Rotation.from_euler("y", 15, degrees=True).as_matrix())
    fit = LandmarkFitter(small_head).fit(landmarks_of(small_head, truth), CAMERA)
    angle = np.degrees(Rotation.from_matrix(fit.params.R @ truth.R.T).magnitude())
    assert angle < 2.0
    np.testing.assert_array_equal(fit.params.eyelids, [0.0, 0.0])
