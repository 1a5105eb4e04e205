"""Followers of one face each: a crop and what is seen of its normals in, parameters out.

By landmarks, or by a network whose answer is put onto the landmarks; either may be refined.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.flame.model import HeadModel
from engine.stages.flame_regressor import FlameRegressor, Regressed
from engine.stages.landmark_fitter import LandmarkFitter
from engine.stages.landmark_placer import LandmarkPlacer
from engine.stages.normal_surface import NormalSurface
from engine.stages.refiner import FOR_PREDICTED, RefinedFit, Refiner, RefineStart
from engine.timing import StageClock
from engine.types import F32, F64, Camera, FaceCrop, FlameParams, NormalMap

__all__ = [
    "FaceFit",
    "FaceFollower",
    "FaceSight",
    "LandmarkFollower",
    "NetworkFollower",
    "network_quality",
]

# Landmark misses, as a share of the eye corners' distance, at which quality is 1 and 0: on the
# portraits that MediaPipe's points were calibrated with, nearly all faces stay under the first.
_RMS_GOOD, _RMS_BAD = 0.025, 0.075
# A network alone bends the head less to the landmarks than a fit does.
_NETWORK_GOOD, _NETWORK_BAD = 0.06, 0.15

_N_SHAPE_FRAMES = 60
"""Frames of a video after which a network's shape of a person stays as it is."""

_SUSPECT_RMS = 0.04
"""Of the eye corners' distance: a refined fit that misses by more may be of another person."""
_RETRY_FRAMES = 15
"""How often such a face is looked at afresh."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceSight:
    """What is seen of one face in one frame."""

    crop: FaceCrop
    camera: Camera  # of the frame
    normals: NormalMap | None  # None: no network looked
    t_ns: int = 0  # capture time


@dataclass(frozen=True, slots=True, eq=False)
class FaceFit:
    """What a follower says of one frame."""

    params: FlameParams
    rms: float  # miss of the fitted landmarks over the outer eye corners' distance
    quality: float  # 0 (do not trust) .. 1, before it is asked whether the frame cuts the face


class FaceFollower(Protocol):
    """Follows one face through a video, or looks at pictures one by one with `reset` between."""

    def fit(self, sight: FaceSight, clock: StageClock) -> FaceFit: ...

    def reset(self) -> None:
        """Forget the person."""
        ...


class LandmarkFollower:
    """By landmarks, refined where there is a refiner."""

    def __init__(self, model: HeadModel, refiner: Refiner | None = None) -> None:
        self._fitter, self._refiner = LandmarkFitter(model), refiner
        self._n_persons = 0

    def reset(self) -> None:
        self._fitter.reset()

    def fit(self, sight: FaceSight, clock: StageClock) -> FaceFit:
        landmarks, camera = sight.crop.landmarks, sight.camera
        with clock.stage("fit"):
            fit = self._fitter.fit(landmarks, camera, sight.t_ns)
        if self._refiner is None or sight.normals is None:
            return FaceFit(fit.params, fit.rms, _falling(fit.rms, _RMS_GOOD, _RMS_BAD))
        if self._fitter.n_persons != self._n_persons:
            self._refiner.reset()
            self._n_persons = self._fitter.n_persons
        with clock.stage("refine"):
            start = RefineStart.of_landmarks(fit.params)
            refined = self._refiner.refine(start, sight.normals, landmarks, camera)
        return FaceFit(refined.params, refined.rms, refined.quality)


class NetworkFollower:
    """By a network, placed on the landmarks, and refined where there is a surface to do it with."""

    def __init__(
        self,
        model: HeadModel,
        regressor: FlameRegressor,
        placer: LandmarkPlacer,
        *,
        surface: NormalSurface | None = None,
        tracking: bool = False,
    ) -> None:
        """Args:
        regressor, placer, surface: of the model, shared between followers.
        surface: None: the network's answer is not refined.
        tracking: calls are frames of one person's video.
        """
        self._model, self._regressor, self._placer = model, regressor, placer
        self._surface, self._tracking = surface, tracking
        self._refiner = self._new_refiner()
        self.reset()

    def reset(self) -> None:
        self._shape = _MeanShape(self._model.n_shape)
        if self._refiner is not None:
            self._refiner.reset()
        self._n_suspect = 0

    def fit(self, sight: FaceSight, clock: StageClock) -> FaceFit:
        with clock.stage("n2fnet"):
            found = self._regressor.run(sight.crop, sight.camera, sight.normals)
            params = found.params
            if self._tracking and self._refiner is None:
                params = params.with_values(shape=self._shape.add(found))
            placed = self._placer.place(params, sight.crop.landmarks, sight.camera)
        if self._refiner is None or sight.normals is None:
            return FaceFit(placed.params, placed.rms, network_quality(placed.rms))
        with clock.stage("refine"):
            start = found.start(placed.params)
            refined = self._refined(self._refiner, start, sight.normals, sight)
        return FaceFit(refined.params, refined.rms, refined.quality)

    def _refined(
        self, refiner: Refiner, start: RefineStart, normals: NormalMap, sight: FaceSight
    ) -> RefinedFit:
        """Refined; after a cut, when the face is another person's, with all forgotten."""
        landmarks, camera = sight.crop.landmarks, sight.camera
        refined = refiner.refine(start, normals, landmarks, camera)
        if not self._tracking or refined.rms <= _SUSPECT_RMS:
            self._n_suspect = 0
            return refined
        self._n_suspect += 1
        if self._n_suspect % _RETRY_FRAMES != 1:
            return refined
        afresh = self._new_refiner()
        if afresh is None:
            return refined
        other = afresh.refine(start, normals, landmarks, camera)
        if other.rms < 0.6 * refined.rms:
            self._refiner, self._n_suspect = afresh, 0
            return other
        return refined

    def _new_refiner(self) -> Refiner | None:
        if self._surface is None:
            return None
        return Refiner(self._model, FOR_PREDICTED, surface=self._surface, tracking=self._tracking)


class _MeanShape:
    """A person's shape from the answers of many frames, each by how sure the network is."""

    def __init__(self, n_shape: int) -> None:
        self._sum: F64 = np.zeros(n_shape)
        self._weight: F64 = np.zeros(n_shape)
        self._n = 0

    def add(self, found: Regressed) -> F32:
        """(n_shape,) the mean with this frame's; after some frames it stays as it is."""
        if self._n < _N_SHAPE_FRAMES:
            weight = found.std["shape"].astype(np.float64) ** -2
            self._sum = self._sum + weight * found.params.shape
            self._weight = self._weight + weight
            self._n += 1
        mean: F32 = (self._sum / self._weight).astype(np.float32)
        return mean


def network_quality(rms: float) -> float:
    """0..1 of a network's answer that nothing refined, by its miss (see `FaceFit.rms`)."""
    return _falling(rms, _NETWORK_GOOD, _NETWORK_BAD)


def _falling(value: float, good: float, bad: float) -> float:
    """1 up to good, 0 from bad on, linear between."""
    return float(np.clip((bad - value) / (bad - good), 0, 1))
