"""Refiner: a start, a map of normals and landmarks in; a better fit and its certainty out.

A few Gauss-Newton steps on head-frame normals, view-frame normals, landmarks and the start's own
mean and variance. In a video the shape comes from an information filter over the frames of one
person, as in the fit of landmarks; a frame then costs pose, expression, jaw, eyes and eyelids.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

from engine.flame.model import HeadModel
from engine.stages.head_unknowns import params_of
from engine.stages.identity_filter import IdentityFilter
from engine.stages.landmark_energy import (
    N_POSE,
    FitConfig,
    LandmarkEnergy,
    Observation,
    Unknowns,
)
from engine.stages.normal_energy import NormalConfig, NormalEnergy, NormalEquations
from engine.stages.normal_samples import NormalSampler
from engine.stages.normal_surface import NormalSurface
from engine.stages.refine_quality import refined_quality
from engine.stages.refine_start import RefineStart, StartPrior
from engine.types import F32, F64, Camera, FlameParams, NormalMap

__all__ = ["FOR_PREDICTED", "RefineConfig", "RefineStart", "RefinedFit", "Refiner"]

_LEAST_SEEN = 20.0
"""Fewer vertices in the map say nothing: a fit of landmarks then stays what it is."""

_PLACING_STEPS = 2


@dataclass(frozen=True, slots=True)
class RefineConfig:
    """Steps and weights of the refinement."""

    n_steps: int = 2  # more hardly help
    normals: NormalConfig = field(default_factory=NormalConfig)
    landmarks: FitConfig = field(default_factory=lambda: FitConfig(noise_scale=3.0))  # err alike
    placed_rms: float = 0.03  # landmarks missed by more: the start is turned and moved onto them
    usual_rms: float = 0.02  # landmarks missed by more, after a step, are doubted as much more
    most_doubt: float = 4.0
    memory: float = 0.98  # what a frame's say on the shape shrinks by with each further frame
    identity_frame_weight: float = 0.2  # of each frame after the first: they err much alike
    n_identity_frames: int = 30  # frames that always teach the shape; later ones every tenth


FOR_PREDICTED = RefineConfig(
    normals=NormalConfig(
        head_noise_deg=12.0, view_noise_deg=12.0, common_deg=6.0, slope_deg=6.0, turn_deg=2.0
    ),
    landmarks=FitConfig(noise_scale=5.0),
)
"""For the shipped normal network, whose errors are larger, and more alike over a map, than the
usual values have it. Chosen near the best of some trials on 80 synthetic faces (`turn_deg`: on
120), others than those that figures are given of."""


@dataclass(frozen=True, slots=True, eq=False)
class RefinedFit:
    """One face, refined."""

    params: FlameParams
    rms: float  # miss of the fitted landmarks over the outer eye corners' distance
    normal_residual_deg: float  # mean angle to the map's normals before the last step; NaN: none
    share_seen: float  # 0..1 of the face's vertices, by how well the map shows them
    std: F64  # (P,) posterior deviations: rotation, translation, expr, jaw, eyes, lids (, shape)
    std_mm: float  # root mean square deviation of the face's points in the head, by `std`
    quality: float  # 0..1, see `refine_quality`


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """The cost of all terms near one point."""

    H: F64
    g: F64
    H_data: F64  # without what is known of the shape from elsewhere
    g_data: F64
    normals: NormalEquations


class Refiner:
    """Follows one face; make one for each, with a shared surface. BLAS should run one thread."""

    def __init__(
        self,
        model: HeadModel,
        config: RefineConfig | None = None,
        *,
        surface: NormalSurface | None = None,
        tracking: bool = False,
    ) -> None:
        """Args:
        surface: of the same model, for several refiners to share; made here if None.
        tracking: calls are frames of one person's video; False: each is a picture of its own.
        """
        self._model, self._config = model, config or RefineConfig()
        self._surface = surface or NormalSurface(model)
        self._landmarks = LandmarkEnergy(model, self._config.landmarks)
        self._normals = NormalEnergy(self._surface, self._config.normals)
        changes = self._surface.d_points.reshape(-1, self._surface.d_points.shape[2])
        self._gram = (changes.T @ changes).astype(np.float64) / len(self._surface.d_points)
        self._tracking = tracking
        self.reset()

    def reset(self) -> None:
        """Forget the person."""
        self._identity: IdentityFilter | None = None
        self._identity_spread = 0.0  # square metres
        self._frame = 0

    def refine(
        self, start: RefineStart, normals: NormalMap, landmarks: F32, camera: Camera
    ) -> RefinedFit:
        """Refine one frame.

        Args:
            landmarks: (478, 2) MediaPipe's points, px of the camera.
            camera: of the frame; the map's crop is from it.
        Raises: ValueError: if the map holds a number that is not finite, or the start's deviations
            do not fit. ModelContractError: if the start is another head model's.
        """
        sampler, prior = NormalSampler(normals), StartPrior(self._model, start)
        seen = self._landmarks.observe(landmarks, camera)
        unknowns, known = prior.unknowns, self._identity
        if known is not None:
            unknowns = replace(unknowns, state=replace(unknowns.state, shape=known.mean()))
        unknowns = self._placed(unknowns, seen)
        solves_shape = known is None
        learns = self._tracking and self._learns
        n_steps = max(self._config.n_steps, 1)
        for k in range(n_steps):
            is_last = k == n_steps - 1
            with_shape = solves_shape or (learns and is_last)
            step = self._step(unknowns, seen, sampler, prior, with_shape=with_shape)
            if solves_shape and step.normals.seen.sum() < _LEAST_SEEN:
                return self._result(start.params, prior.unknowns, seen, step, _factor(step.H))
            size = len(step.H) if solves_shape else self._landmarks.n_own
            factor = _factor(step.H[:size, :size])
            delta = _solved(factor, step.g[:size])
            if is_last and learns and step.normals.seen.sum() >= _LEAST_SEEN:
                self._learn(step, unknowns, prior)
            unknowns = self._landmarks.moved(unknowns, delta)
            if not is_last:
                seen = self._doubted(unknowns, seen)
        self._frame += 1
        return self._result(params_of(self._model, unknowns), unknowns, seen, step, factor)

    @property
    def _learns(self) -> bool:
        return self._frame < self._config.n_identity_frames or self._frame % 10 == 0

    def _placed(self, unknowns: Unknowns, seen: Observation) -> Unknowns:
        """Turned and moved onto the landmarks, where it is not: normals are read where it lies."""
        for _ in range(_PLACING_STEPS):
            if self._landmarks.miss(unknowns, seen) < self._config.placed_rms:
                break
            H, g = self._landmarks.pose_equations(unknowns, seen)
            delta = _solved(_factor(H), g)
            unknowns = self._landmarks.moved(unknowns, delta)
        return unknowns

    def _doubted(self, unknowns: Unknowns, seen: Observation) -> Observation:
        """Where a head cannot follow its landmarks, these are off, not the head: on drawn faces,
        in the dark and under hands MediaPipe misses by several times as much as on clear photos.
        """
        c = self._config
        doubt = self._landmarks.miss(unknowns, seen) / c.usual_rms
        return replace(seen, doubt=float(np.clip(doubt, 1.0, c.most_doubt)))

    def _step(
        self,
        unknowns: Unknowns,
        seen: Observation,
        sampler: NormalSampler,
        prior: StartPrior,
        *,
        with_shape: bool,
    ) -> _Step:
        marks = self._landmarks.equations(unknowns, seen, with_shape=with_shape, prior=prior.own)
        normals = self._normals.equations(unknowns, seen.camera, sampler, with_shape=with_shape)
        H_data, g_data = marks.H + normals.H, marks.g + normals.g
        prior.add_pose(H_data, g_data, unknowns)
        H, g = H_data, g_data
        if with_shape and self._identity is None:
            H, g = H_data.copy(), g_data.copy()
            mean, precision = prior.shape
            shape = np.arange(self._landmarks.n_own, len(g))
            H[shape, shape] += precision
            g[shape] += precision * (unknowns.state.shape - mean)
        return _Step(H, g, H_data, g_data, normals)

    def _learn(self, step: _Step, unknowns: Unknowns, prior: StartPrior) -> None:
        weight = self._config.identity_frame_weight
        if self._identity is None:
            mean, precision = prior.shape
            self._identity = IdentityFilter(
                len(mean), prior_weight=precision, prior_mean=mean, memory=self._config.memory
            )
            weight = 1.0
        shape, n_own = unknowns.state.shape, self._landmarks.n_own
        self._identity.add(step.H_data, step.g_data, shape, n_own, weight=weight)
        _, self._identity_spread = self._posterior(
            _factor(self._identity.information[0]), slice(-len(shape), None)
        )

    def _result(
        self, params: FlameParams, unknowns: Unknowns, seen: Observation, step: _Step, factor: F64
    ) -> RefinedFit:
        rms = self._landmarks.miss(unknowns, seen)
        variance, spread = self._posterior(factor, slice(0, len(factor) - N_POSE))
        if len(factor) == self._landmarks.n_own:
            spread += self._identity_spread
        std_mm = 1e3 * float(np.sqrt(spread))
        share = float(step.normals.seen.mean())
        angle = step.normals.angle_deg
        return RefinedFit(
            params=params,
            rms=rms,
            normal_residual_deg=angle,
            share_seen=share,
            std=np.sqrt(variance),
            std_mm=std_mm,
            quality=refined_quality(rms, angle, share, std_mm),
        )

    def _posterior(self, factor: F64, columns: slice) -> tuple[F64, float]:
        """(P,) variances, and the mean squared deviation of the face's points, square metres.

        Args:
            factor: of the equations, see `_factor`.
            columns: of the points' derivatives, that the last unknowns of the equations belong to.
        """
        half, _ = dpotri(factor, lower=True)
        variance = half.diagonal().copy()
        gram = self._gram[columns, columns]
        n = len(gram)
        inside = half[-n:, -n:]  # above the diagonal, where the factor is 0, it stays 0
        # Both are symmetric, and only the lower half of one is there.
        spread = 2 * float(np.vdot(gram, inside)) - float(gram.diagonal() @ variance[-n:])
        return variance, max(spread, 0.0)


def _factor(H: F64) -> F64:
    """(P, P) Cholesky's lower triangle of H; NaN where H is not positive definite."""
    factor, failed = dpotrf(H, lower=True, clean=True)
    if failed:
        return np.full_like(H, np.nan)
    lower: F64 = factor
    return lower


def _solved(factor: F64, g: F64) -> F64:
    """(P,) the step to the minimum; none if the equations have no solution."""
    if np.isnan(factor[0, 0]):
        return np.zeros(len(g))
    step, _ = dpotrs(factor, -g, lower=True)
    lead: F64 = step
    return lead
