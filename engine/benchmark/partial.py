"""What of a true face a mesh covers that ends on the face, as MediaPipe's does on the forehead."""

from dataclasses import replace

import numpy as np

from engine.benchmark.alignment import landmark_alignment
from engine.benchmark.surface import MeshSurface
from engine.benchmark.types import PredictedFace, TruthMesh
from engine.types import I32

__all__ = ["covered_truth"]

_NEAR_M = 1e-4
"""True points nearer to the mesh than this are on it."""
_STRAIGHT = 0.9
"""Least cosine between the way to the mesh and its normal there, at its end."""


def covered_truth(truth: TruthMesh, face: PredictedFace, rim: I32) -> TruthMesh:
    """The truth with no more of its face than lies straight over or under the mesh.

    Args:
        face: of the predicted mesh; put onto the truth by landmarks alone.
        rim: vertices where it ends.
    Raises: ScoreError: as for `landmark_alignment`, or where nothing is left.
    """
    moved = landmark_alignment(face, truth, scaled=True).apply(face.vertices)
    surface = MeshSurface(moved, face.faces)
    region = truth.regions["face"]
    points = truth.vertices[region]
    found = surface.closest(points)
    way = points - found.points
    along = np.abs((way * found.normals).sum(axis=1))
    at_end = np.isin(surface.faces[found.faces_idx], rim).any(axis=1)
    beyond = at_end & (found.distances > _NEAR_M) & (along < _STRAIGHT * found.distances)
    return replace(truth, regions={**truth.regions, "face": region[~beyond]})
