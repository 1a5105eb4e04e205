"""The regions that are scored: what of them can be seen from outside.

Behind lids and lips and in nostrils the skin folds: the nearest surface of another head there is as
often as not another sheet, turned the other way. Scans end where the folds begin, so folds count on
neither side.
"""

from collections.abc import Mapping

import igl
import numpy as np

from engine.benchmark.surface import exact_normals
from engine.benchmark.types import INSIDE, REGIONS
from engine.flame.model import HeadModel
from engine.types import F64, I32, Bool

__all__ = ["head_regions", "seen_from_outside", "seen_regions"]

_DIRECTIONS = 48
_STEEPEST = 0.3  # cosine between a normal and the directions that it is looked at from
_LEAST = 0.5  # share of those directions that must be free
_LIFT_M = 3e-4  # rays begin this far over the skin


def seen_from_outside(vertices: F64, faces: I32) -> Bool:
    """(V,) whether most directions that a vertex faces lead out of the head.

    Args:
        vertices: (V, 3) metres; faces: (F, 3), eyeballs and teeth among them: they hide what lies
            behind.
    """
    normals = exact_normals(vertices, faces)
    vertices = np.ascontiguousarray(vertices)
    corners = np.ascontiguousarray(faces, np.int64)
    tree = igl.AABB()
    tree.init(vertices, corners)
    free, tried = np.zeros((2, len(vertices)))
    for direction in _sphere(_DIRECTIONS):
        facing = np.flatnonzero(normals @ direction > _STEEPEST)
        if not facing.size:
            continue
        start = vertices[facing] + _LIFT_M * normals[facing]
        away = np.tile(direction, (len(facing), 1))
        hit = tree.intersect_ray_first(vertices, corners, start, away)[0]
        tried[facing] += 1
        free[facing] += hit < 0
    seen: Bool = free >= _LEAST * np.maximum(tried, 1)
    return seen


def seen_regions(vertices: F64, faces: I32, regions: Mapping[str, I32]) -> dict[str, I32]:
    """Regions without what cannot be seen from outside; those of INSIDE stay whole."""
    seen = seen_from_outside(vertices, faces)
    scored = {name: idx[seen[idx]] for name, idx in regions.items() if name in REGIONS}
    return scored | {name: idx for name, idx in regions.items() if name in INSIDE}


_known: dict[tuple[str, int], Mapping[str, I32]] = {}


def head_regions(model: HeadModel) -> Mapping[str, I32]:
    """What of a head model is scored and what is left out; 0.3 s, once for each model."""
    # A full-resolution head carries the model_id of the one it stands for.
    key = (model.model_id, model.n_vertices)
    if key not in _known:
        vertices = model.v_template.astype(np.float64)
        _known[key] = seen_regions(vertices, model.faces, model.regions)
    return _known[key]


def _sphere(n: int) -> F64:
    """(n, 3) directions all around: a Fibonacci lattice."""
    i = np.arange(n) + 0.5
    polar, turn = np.arccos(1 - 2 * i / n), np.pi * (1 + np.sqrt(5)) * i
    directions: F64 = np.stack(
        [np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=1
    )
    return directions
