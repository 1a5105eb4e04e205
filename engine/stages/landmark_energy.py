"""The cost that the landmark fit minimises, and its normal equations.

Unknowns of a frame, in this order: rotation (3, left-multiplied), translation (3, metres),
expression, jaw (3), eyes (4), eyelids (2); then, where it is asked for, the shape.
Residuals are in standard deviations: landmarks by their noise, the rest by its prior.
"""

from dataclasses import dataclass, replace

import numpy as np

from engine.flame.lbs import rodrigues
from engine.flame.model import HeadModel, Landmarks
from engine.frames import project, project_jacobian
from engine.stages.landmark_model import LandmarkModel, LandmarkState
from engine.stages.mediapipe_points import EYE_CORNERS, FITTED, noise_mm
from engine.stages.surface_directions import outward_directions
from engine.types import F32, F64, Camera

__all__ = [
    "N_POSE",
    "Equations",
    "FitConfig",
    "LandmarkEnergy",
    "Observation",
    "Unknowns",
    "cross_matrices",
]

N_POSE = 6
_NEAREST_M = 0.18
"""Nearest that a head's origin comes to the camera: its nose, 0.13 m in front, stays before it."""


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
    identity_frame_weight: float = 0.2  # of each frame after the first: they err much alike
    n_identity_frames: int = 30  # frames that always teach the shape; later ones every tenth


@dataclass(frozen=True, slots=True, eq=False)
class Unknowns:
    """A head in front of the camera."""

    R: F64  # (3, 3) view from model
    t: F64  # (3,) metres
    state: LandmarkState


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What one frame shows."""

    pixels: F64  # (N, 2) px of the points that are fitted
    camera: Camera
    eyes_px: float  # distance of the outer eye corners, by which misses are counted
    robust: bool = True  # far misses hardly count
    doubt: float = 1.0  # what the landmarks' usual noise is multiplied by


@dataclass(frozen=True, slots=True, eq=False)
class Equations:
    """A cost near one point: cost + g d + d H d / 2 (all doubled alike)."""

    H: F64  # (P, P)
    g: F64  # (P,)
    cost: float


class LandmarkEnergy:
    """Landmarks and priors of one head model."""

    def __init__(self, model: HeadModel, config: FitConfig) -> None:
        self._model, self._config = model, config
        used = np.flatnonzero(np.isin(model.mediapipe_idx, FITTED))
        points = Landmarks(model.mediapipe.faces_idx[used], model.mediapipe.bary[used])
        self.indices = model.mediapipe_idx[used]
        self.reduced = LandmarkModel(model, points)
        self.sigma = noise_mm(self.indices) * 1e-3 * config.noise_scale
        self._outward = outward_directions(model, points)
        self.prior_mean, self.prior_precision = self._frame_prior()
        self.n_own = N_POSE + len(self.prior_mean)

    def observe(self, landmarks: F32, camera: Camera, *, robust: bool = True) -> Observation:
        """landmarks: (478, 2) MediaPipe's points, px of the camera."""
        right, left = (landmarks[EYE_CORNERS[k]].astype(np.float64) for k in (0, 3))
        eyes_px = max(float(np.linalg.norm(right - left)), 1e-6)
        return Observation(landmarks[self.indices].astype(np.float64), camera, eyes_px, robust)

    def miss(self, unknowns: Unknowns, seen: Observation) -> float:
        """Root of the mean squared miss of the fitted points, over the eye corners' distance."""
        residual = self.project(unknowns, seen.camera) - seen.pixels
        return float(np.sqrt((residual**2).sum(axis=1).mean())) / seen.eyes_px

    def project(self, unknowns: Unknowns, camera: Camera) -> F64:
        """(N, 2) px of the fitted points."""
        points = self.reduced.positions(unknowns.state)
        pixels: F64 = project(points @ unknowns.R.T + unknowns.t, camera.K)
        return pixels

    def equations(
        self,
        unknowns: Unknowns,
        seen: Observation,
        *,
        shape_information: tuple[F64, F64] | None = None,
        temporal: tuple[F64, float] | None = None,
        with_shape: bool = False,
        prior: tuple[F64, F64] | None = None,
    ) -> Equations:
        """Landmarks, priors, and what else is known.

        Args:
            shape_information: H and b of a Gaussian over the shape, which then is an unknown too.
            temporal: expression, jaw, eyes, eyelids of the frame before, and how much these count
                as a share of the prior's precision.
            with_shape: the shape is an unknown, without anything known of it.
            prior: mean and precision of expression, jaw, eyes, eyelids in place of the usual ones.
        """
        with_shape = with_shape or shape_information is not None
        H, g, cost = self._landmarks(unknowns, seen, with_shape=with_shape)
        own = slice(N_POSE, self.n_own)
        known = [prior or (self.prior_mean, self.prior_precision)]
        if temporal is not None:
            known.append((temporal[0], temporal[1] * self.prior_precision))
        for mean, precision in known:
            difference = self.own_vector(unknowns) - mean
            H[own, own] += np.diag(precision)
            g[own] += precision * difference
            cost += float(precision @ difference**2)
        cost += self._tie_eyes(H, g, unknowns)
        if shape_information is not None:
            H_shape, b_shape = shape_information
            shape = unknowns.state.shape
            H[self.n_own :, self.n_own :] += H_shape
            g[self.n_own :] += H_shape @ shape - b_shape
            cost += float(shape @ H_shape @ shape - 2 * b_shape @ shape)
        return Equations(H, g, cost)

    def _landmarks(
        self, unknowns: Unknowns, seen: Observation, *, with_shape: bool
    ) -> tuple[F64, F64, float]:
        points, d_points = self.reduced.linearise(unknowns.state, with_shape=with_shape)
        turned = points @ unknowns.R.T
        residual, weight, cost = self._weighted(unknowns.R, turned + unknowns.t, seen)
        J = np.empty((len(points), 2, N_POSE + d_points.shape[2]))
        d_pixel = _pose_columns(turned, unknowns.t, seen.camera, weight, J[:, :, :N_POSE])
        np.matmul(d_pixel @ unknowns.R, d_points, out=J[:, :, N_POSE:])
        flat = J.reshape(2 * len(points), -1)
        return flat.T @ flat, flat.T @ (residual * weight[:, None]).ravel(), cost

    def pose_equations(self, unknowns: Unknowns, seen: Observation) -> tuple[F64, F64]:
        """H (6, 6) and g (6,) of rotation and translation alone, as in `equations`."""
        turned = self.reduced.positions(unknowns.state) @ unknowns.R.T
        residual, weight, _ = self._weighted(unknowns.R, turned + unknowns.t, seen)
        J = np.empty((len(turned), 2, N_POSE))
        _pose_columns(turned, unknowns.t, seen.camera, weight, J)
        flat = J.reshape(-1, N_POSE)
        return flat.T @ flat, flat.T @ (residual * weight[:, None]).ravel()

    def _weighted(self, R: F64, view: F64, seen: Observation) -> tuple[F64, F64, float]:
        """Misses (N, 2) px, what they are multiplied by (N,), and the cost."""
        K = seen.camera.K
        residual = project(view, K) - seen.pixels
        metres = -view[:, 2] / np.sqrt(abs(np.linalg.det(K[:2, :2])))  # per px, at its depth
        weight = metres / (seen.doubt * self.sigma) * np.sqrt(self._facing(R, view))
        squared = (residual**2).sum(axis=1)
        # Geman and McClure 1987: e^2 / (1 + e^2 / c^2), and the weights that lead to its minimum.
        far = squared * (metres / (self._config.outlier_mm * 1e-3)) ** 2 if seen.robust else 0.0
        cost = float((weight**2 * squared / (1 + far)).sum())
        return residual, weight / (1 + far), cost

    def shifted(self, unknowns: Unknowns, seen: Observation, n_steps: int) -> Unknowns:
        """Some Newton steps of the translation alone."""
        turned = self.reduced.positions(unknowns.state) @ unknowns.R.T
        t = unknowns.t.copy()
        for _ in range(n_steps):
            residual, weight, _ = self._weighted(unknowns.R, turned + t, seen)
            J = project_jacobian(turned + t, seen.camera.K) * weight[:, None, None]
            flat = J.reshape(-1, 3)
            t -= np.linalg.solve(flat.T @ flat, flat.T @ (residual * weight[:, None]).ravel())
            t[2] = min(t[2], -_NEAREST_M)
        return replace(unknowns, t=t)

    def _facing(self, R: F64, view: F64) -> F64:
        """(N,) 0.05..1: how well each point is seen; those turned away are MediaPipe's guesses."""
        towards = -view / np.linalg.norm(view, axis=1, keepdims=True)
        cosine = ((self._outward @ R.T) * towards).sum(1)
        weight: F64 = np.clip((cosine + 0.15) / 0.4, 0.05, 1.0)
        return weight

    def _tie_eyes(self, H: F64, g: F64, unknowns: Unknowns) -> float:
        """The two eyes look almost the same way: down/up and left/right of each are tied."""
        first, cost = N_POSE + self._model.n_expr + 3, 0.0
        tie = 1 / self._config.eye_difference_std**2
        for axis in range(2):
            a, b = first + axis, first + 2 + axis
            gap = float(unknowns.state.eyes[0, axis] - unknowns.state.eyes[1, axis])
            H[[a, b], [a, b]] += tie
            H[[a, b], [b, a]] -= tie
            g[a] += tie * gap
            g[b] -= tie * gap
            cost += tie * gap**2
        return cost

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

    def own_vector(self, unknowns: Unknowns) -> F64:
        """Expression, jaw, eyes and eyelids in one row."""
        s = unknowns.state
        return np.concatenate([s.expr, s.jaw, s.eyes.ravel(), s.eyelids])

    def moved(self, unknowns: Unknowns, delta: F64) -> Unknowns:
        """Take a step, within what jaws, eyes and lids can do."""
        s, E = unknowns.state, self._model.n_expr
        own = delta[N_POSE:]
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
        t[2] = min(t[2], -_NEAREST_M)
        return Unknowns(rodrigues(delta[:3], xp=np) @ unknowns.R, t, state)


def _pose_columns(turned: F64, t: F64, camera: Camera, weight: F64, out: F64) -> F64:
    """Fill in, (N, 2, 6), how pixels change with rotation and translation, weighted.

    Args:
        turned: (N, 3) metres, axes of the view frame, before the translation t.
        weight: (N,) what each point's pixels are multiplied by.
    Returns: (N, 2, 3) how they change with the point.
    """
    d_pixel = project_jacobian(turned + t, camera.K) * weight[:, None, None]
    out[:, :, :3] = -d_pixel @ cross_matrices(turned)
    out[:, :, 3:] = d_pixel
    return d_pixel


def cross_matrices(vectors: F64) -> F64:
    """(N, 3) -> (N, 3, 3) with matrix @ w = vector x w."""
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    rows = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1)
    matrices: F64 = rows.reshape(-1, 3, 3)
    return matrices
