"""Fits a head model to MediaPipe's landmarks: pose in closed form, then damped Gauss-Newton.

The shape is solved for in single pictures; in a video it comes from an information filter over the
frames of one person, and a frame costs only pose, expression, jaw, eyes and eyelids.
Source: Wood et al. 2022, "3D Face Reconstruction with Dense Landmarks" (noise per point).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from engine.flame.model import HeadModel
from engine.stages.face_pose import pose_from_points
from engine.stages.head_unknowns import params_of
from engine.stages.identity_filter import IdentityFilter
from engine.stages.landmark_energy import (
    Equations,
    FitConfig,
    LandmarkEnergy,
    Observation,
    Unknowns,
)
from engine.stages.landmark_model import LandmarkState
from engine.types import F32, F64, Camera, FlameParams

__all__ = ["FitConfig", "LandmarkFit", "LandmarkFitter"]

_GAP_S = 0.5  # after it the last frame says nothing about this one
_RETRY_FRAMES = 15  # how often a face that fits badly is looked at afresh


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkFit:
    """One face, fitted."""

    params: FlameParams
    state: LandmarkState  # the same, as the reduced model takes it
    rms: float  # reprojection error of the fitted points over the outer eye corners' distance


class LandmarkFitter:
    """Follows one face; make one for each. `fit` treats its frame as the next of a video."""

    def __init__(self, model: HeadModel, config: FitConfig | None = None) -> None:
        self._model = model
        self._config = config or FitConfig()
        self.n_persons = 0  # how often it began to learn somebody's shape
        self._energy = LandmarkEnergy(model, self._config)
        self.reset()

    def reset(self) -> None:
        """Forget the person and the last frame."""
        self._identity = IdentityFilter(self._model.n_shape, prior_weight=1.0)
        self._last: Unknowns | None = None
        self._last_t_ns = 0
        self._frame = 0
        self._n_suspect = 0
        self.n_persons += 1

    def fit(self, landmarks: F32, camera: Camera, t_ns: int = 0) -> LandmarkFit:
        """Fit one frame.

        Args:
            landmarks: (478, 2) MediaPipe's points, px of the camera.
            t_ns: capture time; sets how far the last frame binds this one.
        """
        seen = self._energy.observe(landmarks, camera)
        dt = max((t_ns - self._last_t_ns) * 1e-9, 1e-3) if self._last else np.inf
        if self._last is None or dt > _GAP_S:
            unknowns = self._solve_first(seen)
        else:
            unknowns = self._solve_next(seen, self._last, dt)
        rms = self._energy.miss(unknowns, seen)
        if self._last is not None:
            unknowns, rms = self._checked(unknowns, rms, seen)
        # A frame that does not fit the person teaches nothing about them.
        if self._learns and (rms <= self._config.suspect_rms or self._identity.n_frames == 0):
            self._learn(unknowns, seen)
        self._last, self._last_t_ns = unknowns, t_ns
        self._frame += 1
        return LandmarkFit(params_of(self._model, unknowns), unknowns.state, rms)

    @property
    def _learns(self) -> bool:
        return self._frame < self._config.n_identity_frames or self._frame % 10 == 0

    def _checked(self, unknowns: Unknowns, rms: float, seen: Observation) -> tuple[Unknowns, float]:
        """Start afresh if that fits far better: after a cut the face is another person's."""
        if rms <= self._config.suspect_rms:
            self._n_suspect = 0
            return unknowns, rms
        self._n_suspect += 1
        if self._n_suspect % _RETRY_FRAMES != 1:
            return unknowns, rms
        known = self._identity, self._last, self._frame, self._n_suspect
        self.reset()
        fresh = self._solve_first(seen)
        fresh_rms = self._energy.miss(fresh, seen)
        if fresh_rms < 0.6 * rms:
            return fresh, fresh_rms
        self._identity, self._last, self._frame, self._n_suspect = known
        self.n_persons -= 1
        return unknowns, rms

    def _solve_first(self, seen: Observation) -> Unknowns:
        energy, n_expr = self._energy, self._model.n_expr
        shape = self._identity.mean()
        rest = LandmarkState(shape, np.zeros(n_expr), np.zeros(3), np.zeros((2, 2)), np.zeros(2))
        points = energy.reduced.positions(rest).T
        R, t = pose_from_points(points, seen.pixels, seen.camera, 1 / energy.sigma**2)
        unknowns = energy.moved(Unknowns(R, t, rest), np.zeros(energy.n_own))
        # Outliers are judged only when the fit is near: at first all errors are large.
        unknowns = self._descend(unknowns, replace(seen, robust=False), n_steps=3)
        return self._descend(unknowns, seen, n_steps=self._config.n_iterations - 3)

    def _descend(self, unknowns: Unknowns, seen: Observation, n_steps: int) -> Unknowns:
        """Levenberg's steps over all unknowns: what raises the cost is taken back and damped."""
        known = self._identity.information
        now = self._energy.equations(unknowns, seen, shape_information=known)
        damping = 1e-4
        for _ in range(n_steps):
            delta = _step(now, damping)
            trial = self._energy.moved(unknowns, delta)
            then = self._energy.equations(trial, seen, shape_information=known)
            if then.cost > now.cost:
                damping *= 30
                continue
            unknowns, now, damping = trial, then, damping / 10
            if self._length(delta) < 0.01:
                break
        return unknowns

    def _solve_next(self, seen: Observation, last: Unknowns, dt: float) -> Unknowns:
        """A few steps from the frame before, which are short and need no damping."""
        shape = self._identity.mean() if self._learns else last.state.shape
        unknowns = replace(last, state=replace(last.state, shape=shape))
        temporal = (self._energy.own_vector(last), 1.0 / (self._config.temporal_std**2 * dt))
        for _ in range(self._config.n_iterations_tracking):
            delta = _step(self._energy.equations(unknowns, seen, temporal=temporal), 1e-6)
            unknowns = self._energy.moved(unknowns, delta)
            if self._length(delta) < 0.03:
                break
        return unknowns

    def _learn(self, unknowns: Unknowns, seen: Observation) -> None:
        now = self._energy.equations(unknowns, seen, with_shape=True)
        weight = self._config.identity_frame_weight if self._identity.n_frames else 1.0
        self._identity.add(now.H, now.g, unknowns.state.shape, self._energy.n_own, weight=weight)

    def _length(self, delta: F64) -> float:
        """The largest part of a step: of 0.01 rad or 0.01 m, or of a prior's standard deviation."""
        scale = np.r_[np.full(6, 0.01), np.sqrt(1 / self._energy.prior_precision)]
        return float(np.abs(delta[: self._energy.n_own] / scale).max())


def _step(equations: Equations, damping: float) -> F64:
    """(P,) the step to the minimum of the damped equations; none if they have no solution."""
    H = equations.H.copy()
    H[np.diag_indices(len(H))] *= 1 + damping
    try:
        factor = cho_factor(H, check_finite=False)
    except LinAlgError:
        return np.zeros(len(H))
    step: F64 = -cho_solve(factor, equations.g, check_finite=False)
    return step
