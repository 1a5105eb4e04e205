"""How far two heads of one topology are apart, vertex by vertex."""

from dataclasses import dataclass

import numpy as np

from engine.errors import ModelContractError
from engine.flame.model import HeadModel
from engine.flame.registration import fit_similarity
from engine.types import F32, F64, Reconstruction

__all__ = ["Difference", "MeshDifference", "Spread"]


@dataclass(frozen=True, slots=True)
class Spread:
    """Distances over the vertices of the face, mm."""

    mean: float
    p95: float
    largest: float


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """Distances of each vertex to its own in the other head."""

    aligned_mm: F32  # (V,) in the head frame, the left head turned and shifted onto the right one
    in_view_mm: F32  # (V,) as both heads stand before the camera
    aligned: Spread
    in_view: Spread


class MeshDifference:
    """For heads of one model."""

    def __init__(self, model: HeadModel) -> None:
        self._model = model
        self._face = model.regions["face"]

    def __call__(self, left: Reconstruction, right: Reconstruction) -> Difference:
        """Raises: ModelContractError: if one of them is of another head model."""
        for fit in (left, right):
            if fit.params.model_id != self._model.model_id:
                raise ModelContractError(
                    f"a fit of head model {fit.params.model_id[:12]} cannot be compared on "
                    f"{self._model.name} ({self._model.model_id[:12]}); fit both with one model"
                )
        a, b = left.vertices.astype(np.float64), right.vertices.astype(np.float64)
        aligned = _distances_mm(self._aligned(a, b), b)
        in_view = _distances_mm(_placed(a, left), _placed(b, right))
        return Difference(aligned, in_view, self._spread(aligned), self._spread(in_view))

    def _aligned(self, source: F64, target: F64) -> F64:
        """(V, 3) turned and shifted, not scaled, so that the faces lie on each other best."""
        s, t = source[self._face], target[self._face]
        R = fit_similarity(s, t, np.ones(len(s))).R
        moved: F64 = (source - s.mean(axis=0)) @ R.T + t.mean(axis=0)
        return moved

    def _spread(self, distances_mm: F32) -> Spread:
        face = distances_mm[self._face]
        return Spread(float(face.mean()), float(np.quantile(face, 0.95)), float(face.max()))


def _placed(vertices: F64, fit: Reconstruction) -> F64:
    placed: F64 = vertices @ fit.params.R.T + fit.params.t
    return placed


def _distances_mm(a: F64, b: F64) -> F32:
    distances: F32 = (1e3 * np.linalg.norm(a - b, axis=1)).astype(np.float32)
    return distances
