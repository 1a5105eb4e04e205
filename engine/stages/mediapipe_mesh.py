"""Constants of MediaPipe's face mesh: its triangles, which meet at each point, and its symmetry."""

from functools import cache
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from engine.types import F64, I32, N_MEDIAPIPE

__all__ = ["N_SURFACE", "canonical_vertices", "mesh_triangles", "mirrored_points", "triangles_at"]

N_SURFACE = 468
"""The points that the triangles span; those after them are the irises'."""

_IRIS_MIRROR = (473, 476, 475, 474, 477, 468, 471, 470, 469, 472)
"""Each iris: centre, then its picture-right, upper, picture-left and lower rim."""


@cache
def _lines() -> tuple[str, ...]:
    return tuple((Path(__file__).parent / "mediapipe_mesh.obj").read_text().splitlines())


def canonical_vertices() -> F64:
    """(468, 3) MediaPipe's canonical face, centimetres, axes of the model frame."""
    return np.array([[float(x) for x in s.split()[1:]] for s in _lines() if s[0] == "v"])


def mesh_triangles() -> I32:
    """(898, 3) points of each triangle, counter-clockwise seen from outside."""
    rows = [[int(x) - 1 for x in s.split()[1:]] for s in _lines() if s[0] == "f"]
    return np.array(rows, np.int32)


def triangles_at() -> I32:
    """(468, 8) triangles around each point; 898, one past the last, where there are fewer."""
    triangles = mesh_triangles()
    around: list[list[int]] = [[] for _ in range(N_SURFACE)]
    for t, corners in enumerate(triangles.tolist()):
        for point in corners:
            around[point].append(t)
    table = np.full((N_SURFACE, max(map(len, around))), len(triangles), np.int32)
    for point, found in enumerate(around):
        table[point, : len(found)] = found
    return table


def mirrored_points() -> I32:
    """(478,) which point takes each one's place when the picture is mirrored."""
    vertices = canonical_vertices()
    _, mirror = cKDTree(vertices).query(vertices * [-1, 1, 1])
    found: I32 = np.concatenate([mirror, _IRIS_MIRROR]).astype(np.int32)
    if len(found) != N_MEDIAPIPE:
        raise ValueError(f"mirror table of {len(found)} points, expected {N_MEDIAPIPE}")
    return found
