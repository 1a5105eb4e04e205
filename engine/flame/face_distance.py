"""How far two faces of one head model are apart after rigid alignment: the chamfer distance."""

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.flame.closest import Surface
from engine.flame.model import HeadModel
from engine.flame.normals import vertex_normals
from engine.flame.registration import fit_similarity
from engine.types import F32, F64

__all__ = ["FaceDistance"]

_NORMAL_SCALE_M = 0.01  # keeps lips and lids on their own side


class FaceDistance:
    """Distances between two faces of one head model, after rigid alignment by their vertices."""

    def __init__(self, model: HeadModel, *, scaled: bool = False) -> None:
        """scaled: align the size too; one picture hardly shows how large a head is."""
        self._scaled = scaled
        self._faces, self._region = model.faces, model.regions["face"]
        inside = np.zeros(model.n_vertices, np.bool_)
        inside[self._region] = True
        self._use = inside[model.faces].all(axis=1)

    def __call__(self, found: F32, true: F32) -> tuple[float, float]:
        """Of (V, 3) metres: chamfer distance, the mean of both directions' means of points to
        surface, and the mean distance of vertices to their own; mm.
        """
        moved = self._aligned(found, true)
        there = self._to_surface(moved, true)
        back = self._to_surface(true.astype(np.float64), moved)
        own = np.linalg.norm((moved - true)[self._region], axis=1).mean()
        return 1e3 * (there + back) / 2, 1e3 * float(own)

    def _aligned(self, found: F32, true: F32) -> F64:
        source, target = (v[self._region].astype(np.float64) for v in (found, true))
        best = fit_similarity(source, target, np.ones(len(source)))
        scale = best.scale if self._scaled else 1.0
        moved: F64 = scale * (found - source.mean(axis=0)) @ best.R.T + target.mean(axis=0)
        return moved

    def _to_surface(self, vertices: F64, other: npt.NDArray[Any]) -> float:
        normals = vertex_normals(vertices.astype(np.float32), self._faces)[self._region]
        surface = Surface(other.astype(np.float64), self._faces, use=self._use)
        points = vertices[self._region]
        match = surface.closest(points, normals.astype(np.float64), _NORMAL_SCALE_M)
        return float(np.linalg.norm(match.points - points, axis=1).mean())
