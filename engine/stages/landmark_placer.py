"""LandmarkPlacer: puts a head whose shape, expression and rotation are known onto landmarks.

Normals and networks tell little of where a head is and nothing of where its eyes look.
"""

from dataclasses import dataclass

import numpy as np

from engine.flame.model import HeadModel
from engine.stages.head_unknowns import params_of, unknowns_of
from engine.stages.landmark_energy import FitConfig, LandmarkEnergy, Observation, Unknowns
from engine.types import F32, Camera, FlameParams

__all__ = ["LandmarkPlacer", "Placed"]

_STEPS = 3  # of the place alone, before the eyes turn too


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A head on its landmarks."""

    params: FlameParams
    rms: float  # miss of the fitted landmarks over the outer eye corners' distance


class LandmarkPlacer:
    """For one head model; keeps nothing of a frame. BLAS should run one thread."""

    def __init__(self, model: HeadModel) -> None:
        self._model = model
        self._energy = LandmarkEnergy(model, FitConfig())
        self._solved = np.r_[3:6, self._energy.eyes]  # the place, and where the eyes look

    def place(self, params: FlameParams, landmarks: F32, camera: Camera) -> Placed:
        """Move the head, and turn its eyes, until the landmarks are met best.

        Args:
            params: t need only be in front of the camera.
            landmarks: (478, 2) MediaPipe's points, px of the camera.
        Raises: ModelContractError: if params belong to another head model.
        """
        unknowns = unknowns_of(self._model, params)
        far = self._energy.observe(landmarks, camera, robust=False)
        near = self._energy.observe(landmarks, camera)
        unknowns = self._moved(self._energy.shifted(unknowns, far, _STEPS), near)
        return Placed(params_of(self._model, unknowns), self._energy.miss(unknowns, near))

    def _moved(self, unknowns: Unknowns, seen: Observation) -> Unknowns:
        delta = np.zeros(self._energy.n_own)
        delta[self._solved] = -np.linalg.solve(*self._energy.place_equations(unknowns, seen))
        return self._energy.moved(unknowns, delta)
