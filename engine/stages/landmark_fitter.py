"""Fits a head model to MediaPipe's landmarks: pose in closed form, then damped Gauss-Newton.

Unknowns of a frame, in this order: rotation (3, left-multiplied), translation (3, metres),
expression, jaw (3), eyes (4), eyelids (2); then the shape, which is solved for in single pictures
and otherwise comes from an information filter over the frames of one person.
Source: Wood et al. 2022, "3D Face Reconstruction with Dense Landmarks" (noise per point).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.spatial import cKDTree

from engine.flame.lbs import rodrigues
from engine.flame.model import HeadModel, Landmarks
from engine.flame.normals import vertex_normals
from engine.flame.posed import surface_points
from engine.frames import project, project_jacobian
from engine.stages.face_pose import pose_from_points
from engine.stages.identity_filter import IdentityFilter
from engine.stages.landmark_model import LandmarkModel, LandmarkState
from engine.stages.mediapipe_points import EYE_CORNERS, FITTED, noise_mm
from engine.types import F32, F64, Camera, FlameParams

__all__ = ["FitConfig", "LandmarkFit", "LandmarkFitter", "point_normals"]

_N_POSE = 6


@dataclass(frozen=True, slots=True)
class FitConfig:
    """Weights and limits of the landmark fit."""

    n_iterations: int = 12  # at most, for the first frame and for single pictures
    n_iterations_tracking: int = 3  # per frame once a face is tracked
    noise_scale: float = 2.0  # neighbouring landmarks err together: they count for fewer
    jaw_std: tuple[float, float, float] = (0.15, 0.03, 0.02)  # radians, about x, y, z
    eye_std: tuple[float, float] = (0.25, 0.35)  # radians, down/up and left/right
    eye_difference_std: float = 0.10  # radians, between the two eyes
    eyelid_std: float = 1.0
    expr_std: float = 1.0  # standard units
    temporal_std: float = 3.0  # prior units per square root of a second
    outlier_mm: float = 10.0  # beyond this a landmark hardly counts
    suspect_rms: float = 0.04  # of the eye corners' distance: above it, is it the same person?
    identity_frame_weight: float = 0.1  # of each frame after the first: they err much alike
    n_identity_frames: int = 30  # frames that always teach the shape; later ones every tenth


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkFit:
    """One face, fitted."""

    params: FlameParams
    state: LandmarkState  # the same, as the reduced model takes it
    rms: float  # reprojection error of the fitted points over the outer eye corners' distance


@dataclass(frozen=True, slots=True, eq=False)
class _Unknowns:
    R: F64
    t: F64
    state: LandmarkState


class LandmarkFitter:
    """Follows one face; make one for each. `fit` treats its frame as the next of a video."""

    def __init__(self, model: HeadModel, config: FitConfig | None = None) -> None:
        self._model = model
        self._config = config or FitConfig()
        used = np.flatnonzero(np.isin(model.mediapipe_idx, FITTED))
        points = Landmarks(model.mediapipe.faces_idx[used], model.mediapipe.bary[used])
        self._indices = model.mediapipe_idx[used]
        self._reduced = LandmarkModel(model, points)
        self._outward = _outward(model, points)
        self._sigma = noise_mm(self._indices) * 1e-3 * self._config.noise_scale
        self._prior_mean, self._prior_precision = self._frame_prior()
        self.reset()

    def reset(self) -> None:
        """Forget the person and the last frame."""
        self._identity = IdentityFilter(self._model.n_shape, prior_weight=1.0)
        self._last: _Unknowns | None = None
        self._last_t_ns = 0
        self._frame = 0

    def fit(self, landmarks: F32, camera: Camera, t_ns: int = 0) -> LandmarkFit:
        """Fit one frame.

        Args:
            landmarks: (478, 2) MediaPipe's points, px of the camera.
            t_ns: capture time; sets how far the last frame binds this one.
        """
        pixels = landmarks[self._indices].astype(np.float64)
        dt = max((t_ns - self._last_t_ns) * 1e-9, 1e-3) if self._last else np.inf
        if self._last is None or dt > 0.5:
            unknowns = self._solve_first(pixels, camera)
        else:
            unknowns = self._solve_next(pixels, camera, self._last, dt)
        iod = float(np.linalg.norm(landmarks[EYE_CORNERS[0]] - landmarks[EYE_CORNERS[3]]))
        rms = self._miss(unknowns, pixels, camera) / max(iod, 1e-6)
        if self._last is not None and rms > self._config.suspect_rms:
            unknowns, rms = self._someone_else(unknowns, rms, pixels, camera, iod)
        self._last, self._last_t_ns = unknowns, t_ns
        self._frame += 1
        return LandmarkFit(self._params(unknowns), unknowns.state, rms)

    def _someone_else(
        self, unknowns: _Unknowns, rms: float, pixels: F64, camera: Camera, iod: float
    ) -> tuple[_Unknowns, float]:
        """Start afresh if that fits far better: after a cut the face is another person's."""
        known = self._identity, self._last, self._frame
        self.reset()
        fresh = self._solve_first(pixels, camera)
        fresh_rms = self._miss(fresh, pixels, camera) / max(iod, 1e-6)
        if fresh_rms < 0.6 * rms:
            return fresh, fresh_rms
        self._identity, self._last, self._frame = known
        return unknowns, rms

    def _miss(self, unknowns: _Unknowns, pixels: F64, camera: Camera) -> float:
        """Root of the mean squared distance, px, of the fitted points."""
        residual = self._project(unknowns, camera) - pixels
        return float(np.sqrt((residual**2).sum(1).mean()))

    def _solve_first(self, pixels: F64, camera: Camera) -> _Unknowns:
        shape = self._identity.mean() if self._identity.n_frames else np.zeros(self._model.n_shape)
        state = LandmarkState(
            shape, np.zeros(self._model.n_expr), np.zeros(3), np.zeros((2, 2)), np.zeros(2)
        )
        weights = 1 / self._sigma**2
        R, t = pose_from_points(self._reduced.positions(state), pixels, camera, weights)
        unknowns = _Unknowns(R, t, state)
        for i in range(self._config.n_iterations):
            # Outliers are judged only when the fit is near: at first all errors are large.
            unknowns, moved = self._step(unknowns, pixels, camera, robust=i >= 3, learn=True)
            if moved < 0.01 and i >= 4:
                break
        self._learn(unknowns, pixels, camera)
        return unknowns

    def _solve_next(self, pixels: F64, camera: Camera, last: _Unknowns, dt: float) -> _Unknowns:
        shape = last.state.shape
        frame = self._frame
        learns = frame < self._config.n_identity_frames or frame % 10 == 0
        if learns:
            shape = self._identity.mean()
        unknowns = replace(last, state=replace(last.state, shape=shape))
        temporal = (self._own_vector(last), 1.0 / (self._config.temporal_std**2 * dt))
        for _ in range(self._config.n_iterations_tracking):
            unknowns, moved = self._step(unknowns, pixels, camera, temporal=temporal)
            if moved < 0.03:
                break
        if learns:
            self._learn(unknowns, pixels, camera)
        return unknowns

    def _learn(self, unknowns: _Unknowns, pixels: F64, camera: Camera) -> None:
        H, g = self._normal_equations(unknowns, pixels, camera, robust=True, with_shape=True)
        n_other = len(H) - self._model.n_shape
        self._add_prior(H, g, unknowns)
        weight = self._config.identity_frame_weight if self._identity.n_frames else 1.0
        self._identity.add(H, g, unknowns.state.shape, n_other, weight=weight)

    def _step(
        self,
        unknowns: _Unknowns,
        pixels: F64,
        camera: Camera,
        *,
        robust: bool = True,
        learn: bool = False,
        temporal: tuple[F64, float] | None = None,
    ) -> tuple[_Unknowns, float]:
        """One Gauss-Newton step; also how far it went, in prior standard deviations (largest)."""
        H, g = self._normal_equations(unknowns, pixels, camera, robust=robust, with_shape=learn)
        self._add_prior(H, g, unknowns)
        n_own = len(self._prior_mean) + _N_POSE
        if learn:
            H_known, b_known = self._identity.information
            H[n_own:, n_own:] += H_known
            g[n_own:] += H_known @ unknowns.state.shape - b_known
        if temporal is not None:
            mean, precision = temporal
            own = slice(_N_POSE, n_own)
            weight = precision * self._prior_precision
            H[own, own] += np.diag(weight)
            g[own] += weight * (self._own_vector(unknowns) - mean)
        H[np.diag_indices(len(H))] += 1e-6 * np.diag(H)
        try:
            delta = -cho_solve(cho_factor(H, check_finite=False), g, check_finite=False)
        except LinAlgError:
            return unknowns, 0.0
        scale = np.r_[np.full(3, 0.01), np.full(3, 0.01), np.sqrt(1 / self._prior_precision)]
        return self._moved(unknowns, delta), float(np.abs(delta[:n_own] / scale).max())

    def _normal_equations(
        self, unknowns: _Unknowns, pixels: F64, camera: Camera, *, robust: bool, with_shape: bool
    ) -> tuple[F64, F64]:
        """Hessian and gradient of the landmarks' part; residuals in standard deviations."""
        R, t = unknowns.R, unknowns.t
        points, d_points = self._reduced.linearise(unknowns.state, with_shape=with_shape)
        turned = points @ R.T
        view = turned + t
        residual = project(view, camera.K) - pixels
        d_pixel = project_jacobian(view, camera.K)
        metres = -view[:, 2] / np.sqrt(abs(np.linalg.det(camera.K[:2, :2])))  # per px, at its depth
        weight = metres / self._sigma * np.sqrt(self._facing(R, view))
        if robust:
            error = np.linalg.norm(residual, axis=1) * metres
            weight = weight / (1 + (error / (self._config.outlier_mm * 1e-3)) ** 2)
        d_pixel = d_pixel * weight[:, None, None]
        J = np.empty((len(points), 2, _N_POSE + d_points.shape[2]))
        J[:, :, :3] = -d_pixel @ _cross_matrices(turned)
        J[:, :, 3:6] = d_pixel
        J[:, :, 6:] = (d_pixel @ R) @ d_points
        flat = J.reshape(2 * len(points), -1)
        r = (residual * weight[:, None]).ravel()
        return flat.T @ flat, flat.T @ r

    def _facing(self, R: F64, view: F64) -> F64:
        """(N,) 0.05..1: how well each point is seen; those turned away are MediaPipe's guesses."""
        towards = -view / np.linalg.norm(view, axis=1, keepdims=True)
        cosine = ((self._outward @ R.T) * towards).sum(1)
        weight: F64 = np.clip((cosine + 0.15) / 0.4, 0.05, 1.0)
        return weight

    def _add_prior(self, H: F64, g: F64, unknowns: _Unknowns) -> None:
        own = slice(_N_POSE, _N_POSE + len(self._prior_mean))
        difference = self._own_vector(unknowns) - self._prior_mean
        H[own, own] += np.diag(self._prior_precision)
        g[own] += self._prior_precision * difference
        # The two eyes look almost the same way: tie (down/up, left/right) of left and right.
        E = self._model.n_expr
        tie = 1 / self._config.eye_difference_std**2
        for axis in range(2):
            a, b = _N_POSE + E + 3 + axis, _N_POSE + E + 5 + axis
            gap = unknowns.state.eyes[0, axis] - unknowns.state.eyes[1, axis]
            H[[a, b], [a, b]] += tie
            H[[a, b], [b, a]] -= tie
            g[a] += tie * gap
            g[b] -= tie * gap

    def _frame_prior(self) -> tuple[F64, F64]:
        """Mean and precision of expression, jaw, eyes and eyelids."""
        c = self._config
        # FLAME 2023 without jaw moves it by expressions alone.
        jaw_std = (1e-6,) * 3 if self._model.meta.get("jaw_fixed") else c.jaw_std
        std = np.r_[
            np.full(self._model.n_expr, c.expr_std), jaw_std, c.eye_std, c.eye_std,
            np.full(2, c.eyelid_std),
        ]  # fmt: skip
        return np.zeros(len(std)), 1 / std**2

    def _own_vector(self, unknowns: _Unknowns) -> F64:
        s = unknowns.state
        return np.concatenate([s.expr, s.jaw, s.eyes.ravel(), s.eyelids])

    def _moved(self, unknowns: _Unknowns, delta: F64) -> _Unknowns:
        s, E = unknowns.state, self._model.n_expr
        own = delta[_N_POSE:]
        jaw = s.jaw + own[E : E + 3]
        jaw[0] = np.clip(jaw[0], -0.05, 0.7)
        state = LandmarkState(
            shape=s.shape + own[E + 9 :] if len(own) > E + 9 else s.shape,
            expr=s.expr + own[:E],
            jaw=jaw,
            eyes=np.clip(s.eyes + own[E + 3 : E + 7].reshape(2, 2), -0.9, 0.9),
            eyelids=np.clip(s.eyelids + own[E + 7 : E + 9], 0.0, 1.0),
        )
        t = unknowns.t + delta[3:6]
        t[2] = min(t[2], -0.05)  # never through the camera
        return _Unknowns(rodrigues(delta[:3], xp=np) @ unknowns.R, t, state)

    def _project(self, unknowns: _Unknowns, camera: Camera) -> F64:
        points = self._reduced.positions(unknowns.state)
        pixels: F64 = project(points @ unknowns.R.T + unknowns.t, camera.K)
        return pixels

    def _params(self, unknowns: _Unknowns) -> FlameParams:
        s = unknowns.state
        eyes = np.zeros((2, 3), np.float32)
        eyes[:, :2] = s.eyes
        has_lids = self._model.eyelid_dirs is not None
        U, _, Vt = np.linalg.svd(unknowns.R)  # steps leave rounding errors: back to a rotation
        return FlameParams(
            model_id=self._model.model_id,
            shape=s.shape.astype(np.float32),
            expr=s.expr.astype(np.float32),
            neck=np.zeros(3, np.float32),
            jaw=s.jaw.astype(np.float32),
            eyes=eyes.ravel(),
            eyelids=s.eyelids.astype(np.float32) if has_lids else np.zeros(2, np.float32),
            R=U @ Vt,
            t=unknowns.t.copy(),
        )


def _cross_matrices(vectors: F64) -> F64:
    """(N, 3) -> (N, 3, 3) with matrix @ w = vector x w."""
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    rows = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1)
    matrices: F64 = rows.reshape(-1, 3, 3)
    return matrices


def _outward(model: HeadModel, points: Landmarks) -> F64:
    """(N, 3) which way the face looks around each point: normals averaged over 15 mm.

    The skin's own normal would not do: on the rims of lids and lips it points into the gap.
    """
    face = model.regions["face"]
    normals = vertex_normals(model.v_template, model.faces)[face]
    places = surface_points(model.v_template, model.faces, points)
    near = cKDTree(model.v_template[face]).query_ball_point(places, 0.015)
    own = point_normals(model, points)
    mean = np.array([normals[n].sum(0) if n else own[i] for i, n in enumerate(near)], np.float64)
    unit: F64 = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return unit


def point_normals(model: HeadModel, points: Landmarks) -> F64:
    """(N, 3) unit normals of surface points on the template head, model frame."""
    corners = vertex_normals(model.v_template, model.faces)[model.faces[points.faces_idx]]
    normals = np.einsum("nk,nkc->nc", points.bary.astype(np.float64), corners)
    unit: F64 = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return unit
