"""The cost that the landmark fit minimises, and its normal equations.

Unknowns of a frame, in this order: rotation (3, left-multiplied), translation (3, metres),
expression, jaw (3), eyes (4), eyelids (2); then, where it is asked for, the shape.
Residuals are in standard deviations: landmarks by their noise, the rest by its prior.
"""

from dataclasses import dataclass, replace

import numpy as np

from engine.flame.model import HeadModel, Landmarks
from engine.flame.part_normals import cross
from engine.flame.turns import turn
from engine.frames import project_columns, project_with_slopes
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
]

N_POSE = 6
_NEAREST_M = 0.18
"""Nearest that a head's origin comes to the camera: its nose, 0.13 m in front, stays before it."""
_ARRIVED_M = 1e-5
"""Steps of a head's place shorter than this change no picture."""
_EYES_OF_PLACE = slice(3, 7)
_TIED = np.kron([[1.0, -1.0], [-1.0, 1.0]], np.eye(2))
"""What the squared differences of (a, b, c, d) to (c, d, a, b) have as their Hessian."""


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
        self._outward = np.ascontiguousarray(outward_directions(model, points).T)
        self.prior_mean, self.prior_precision = self._frame_prior()
        self.n_own = N_POSE + len(self.prior_mean)
        self.eyes = slice(N_POSE + model.n_expr + 3, N_POSE + model.n_expr + 7)
        """Their place among the unknowns."""
        self._own_diagonal = (np.arange(N_POSE, self.n_own),) * 2

    def observe(self, landmarks: F32, camera: Camera, *, robust: bool = True) -> Observation:
        """landmarks: (478, 2) MediaPipe's points, px of the camera."""
        right, left = (landmarks[EYE_CORNERS[k]].astype(np.float64) for k in (0, 3))
        eyes_px = max(float(np.linalg.norm(right - left)), 1e-6)
        return Observation(landmarks[self.indices].astype(np.float64), camera, eyes_px, robust)

    def miss(self, unknowns: Unknowns, seen: Observation) -> float:
        """Root of the mean squared miss of the fitted points, over the eye corners' distance."""
        view = unknowns.R @ self.reduced.positions(unknowns.state) + unknowns.t[:, None]
        residual = project_columns(view, seen.camera.K) - seen.pixels.T
        return float(np.sqrt((residual**2).sum() / residual.shape[1])) / seen.eyes_px

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
            H[self._own_diagonal] += precision
            g[own] += precision * difference
            cost += float(precision @ difference**2)
        cost += self._tie_eyes(H, g, unknowns, self.eyes)
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
        at = self._linearised(unknowns, seen)
        n = self.n_own + (self._model.n_shape if with_shape else 0)
        J = np.empty((self.reduced.n_points, 2, n), np.float32)
        J[:, :, :3] = cross(at.turned, at.by_view).transpose(2, 0, 1)
        J[:, :, 3:N_POSE] = at.by_view.transpose(2, 0, 1)
        by_point = unknowns.R.T.astype(np.float32) @ at.by_view
        self.reduced.changes(unknowns.state, by_point, J[:, :, N_POSE:])
        return *_normal(J, at.residual), at.cost

    def pose_equations(self, unknowns: Unknowns, seen: Observation) -> tuple[F64, F64]:
        """H (6, 6) and g (6,) of rotation and translation alone, as in `equations`."""
        at = self._linearised(unknowns, seen)
        turns = cross(at.turned, at.by_view)
        return _normal(np.concatenate([turns, at.by_view], axis=1).transpose(2, 0, 1), at.residual)

    def place_equations(self, unknowns: Unknowns, seen: Observation) -> tuple[F64, F64]:
        """H (7, 7) and g (7,) of translation and eyes alone, as in `equations`."""
        at = self._linearised(unknowns, seen)
        by_point = unknowns.R.T.astype(np.float32) @ at.by_view
        eyes = self.reduced.eye_changes(unknowns.state, by_point)
        H, g = _normal(np.concatenate([at.by_view.transpose(2, 0, 1), eyes], axis=2), at.residual)
        own = slice(self.eyes.start - N_POSE, self.eyes.stop - N_POSE)
        H[_EYES_OF_PLACE, _EYES_OF_PLACE] += np.diag(self.prior_precision[own])
        gap = unknowns.state.eyes.ravel() - self.prior_mean[own]
        g[_EYES_OF_PLACE] += self.prior_precision[own] * gap
        self._tie_eyes(H, g, unknowns, _EYES_OF_PLACE)
        return H, g

    def _linearised(self, unknowns: Unknowns, seen: Observation) -> "_Linearised":
        turned = unknowns.R @ self.reduced.positions(unknowns.state)
        return self._weighted(unknowns.R, turned, unknowns.t, seen)

    def _weighted(self, R: F64, turned: F64, t: F64, seen: Observation) -> "_Linearised":
        """Args: turned: (3, N) metres, axes of the view frame, before the translation t."""
        K, view = seen.camera.K, turned + t[:, None]
        pixels, slopes = project_with_slopes(view, K)
        residual = pixels - seen.pixels.T
        # Metres per px, at each point's depth.
        metres = view[2] * (-1 / np.sqrt(abs(K[0, 0] * K[1, 1] - K[0, 1] * K[1, 0])))
        weight = metres / (seen.doubt * self.sigma) * np.sqrt(self._facing(R, view))
        squared = (residual**2).sum(axis=0)
        cost = weight**2 * squared
        if seen.robust:
            # Geman and McClure 1987: e^2 / (1 + e^2 / c^2), and the weights that lead to its
            # minimum.
            near = 1 / (1 + squared * (metres / (self._config.outlier_mm * 1e-3)) ** 2)
            cost, weight = cost * near, weight * near
        by_view = (slopes * weight).astype(np.float32)
        return _Linearised(turned, residual * weight, by_view, float(cost.sum()))

    def shifted(self, unknowns: Unknowns, seen: Observation, n_steps: int) -> Unknowns:
        """Newton steps of the translation alone, until they are short, n_steps at most."""
        turned = unknowns.R @ self.reduced.positions(unknowns.state)
        t = unknowns.t.copy()
        for _ in range(n_steps):
            at = self._weighted(unknowns.R, turned, t, seen)
            step = np.linalg.solve(*_normal(at.by_view.transpose(2, 0, 1), at.residual))
            t -= step
            t[2] = min(t[2], -_NEAREST_M)
            if np.abs(step).max() < _ARRIVED_M:
                break
        return replace(unknowns, t=t)

    def _facing(self, R: F64, view: F64) -> F64:
        """(N,) 0.05..1: how well each point is seen; those turned away are MediaPipe's guesses."""
        away = ((R @ self._outward) * view).sum(axis=0) / np.sqrt((view**2).sum(axis=0))
        weight: F64 = np.minimum(np.maximum((0.15 - away) / 0.4, 0.05), 1.0)
        return weight

    def _tie_eyes(self, H: F64, g: F64, unknowns: Unknowns, eyes: slice) -> float:
        """The two eyes look almost the same way: down/up and left/right of each are tied.

        Args: eyes: their place among the unknowns of H and g, which are added to.
        """
        tie = 1 / self._config.eye_difference_std**2
        gap = unknowns.state.eyes[0] - unknowns.state.eyes[1]
        H[eyes, eyes] += tie * _TIED
        g[eyes] += tie * np.concatenate([gap, -gap])
        return float(tie * (gap @ gap))

    def _frame_prior(self) -> tuple[F64, F64]:
        """Mean and precision of expression, jaw, eyes and eyelids."""
        c = self._config
        # FLAME 2023 without jaw moves it by expressions alone.
        jaw_std = (1e-6,) * 3 if self._model.jaw_fixed else c.jaw_std
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
        """Take a step, within what jaws, eyes and lids can do.

        Args: delta: (P,) of all unknowns, or of rotation and translation alone.
        """
        t = unknowns.t + delta[3:N_POSE]
        t[2] = min(t[2], -_NEAREST_M)
        R = turn(delta[:3]) @ unknowns.R
        if len(delta) == N_POSE:
            return Unknowns(R, t, unknowns.state)
        s, E = unknowns.state, self._model.n_expr
        own = delta[N_POSE:]
        jaw = s.jaw + own[E : E + 3]
        jaw[0] = min(max(jaw[0], -0.05), 0.7)
        state = LandmarkState(
            shape=s.shape + own[E + 9 :] if len(own) > E + 9 else s.shape,
            expr=s.expr + own[:E],
            jaw=jaw,
            eyes=(s.eyes + own[E + 3 : E + 7].reshape(2, 2)).clip(-0.9, 0.9),
            eyelids=(s.eyelids + own[E + 7 : E + 9]).clip(0.0, 1.0),
        )
        return Unknowns(R, t, state)


@dataclass(frozen=True, slots=True, eq=False)
class _Linearised:
    """Weighted misses of N landmarks, and how they change with the points."""

    turned: F64  # (3, N) metres, axes of the view frame, before the translation
    residual: F64  # (2, N) in standard deviations
    by_view: F32  # (2, 3, N) per metre of the view frame
    cost: float


def _normal(J: F32, residual: F64) -> tuple[F64, F64]:
    """H and g of derivatives (N, 2, P) of residuals (2, N)."""
    rows = J.reshape(-1, J.shape[2])
    g = rows.T @ residual.T.ravel().astype(np.float32)
    return (rows.T @ rows).astype(np.float64), g.astype(np.float64)
