"""The parts of a head mesh: skin and eyeballs, where the skin ends, which side mirrors which."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from engine.types import F64, I32, Bool

__all__ = ["Eyeball", "edges_of", "find_eyeballs", "mirror_map", "rim_edges", "skin_triangles"]

_EYEBALL_MAX_M = 0.012  # an eyeball's centre is its joint; further off it is something else
_EYEBALL_SHARE = 0.25  # of all vertices, at most
_MIRROR_TOLERANCE_M = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Eyeball:
    """A ball of its own in a head mesh."""

    vertices: I32  # indices into the head's vertices
    centre: F64  # (3,) metres
    radius: float  # metres, median


def edges_of(faces: I32) -> I32:
    """(E, 2) edges of a mesh, once for each triangle that has them, smaller index first."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.sort(pairs, axis=1).astype(np.int32)


def find_eyeballs(vertices: F64, faces: I32, eyes: F64) -> tuple[Eyeball, Eyeball] | None:
    """The left and the right eyeball: separate parts of the mesh around the eye joints.

    Args: eyes: (2, 3) metres, joints of the left and the right eye.
    Returns: None if the mesh has no such parts.
    """
    labels, count = _parts(faces, len(vertices))
    sizes = np.bincount(labels, minlength=count)
    likely = np.flatnonzero((sizes >= 4) & (sizes <= _EYEBALL_SHARE * len(vertices)))
    found: list[Eyeball] = []
    for eye in eyes:
        best: Eyeball | None = None
        for part in likely:
            index = np.flatnonzero(labels == part)
            centre = 0.5 * (vertices[index].min(axis=0) + vertices[index].max(axis=0))
            away = float(np.linalg.norm(centre - eye))
            if away < (_EYEBALL_MAX_M if best is None else np.linalg.norm(best.centre - eye)):
                radius = float(np.median(np.linalg.norm(vertices[index] - centre, axis=1)))
                best = Eyeball(index.astype(np.int32), centre, radius)
        if best is None or any(np.array_equal(best.vertices, b.vertices) for b in found):
            return None
        found.append(best)
    return found[0], found[1]


def _parts(faces: I32, n_vertices: int) -> tuple[I32, int]:
    """Connected parts: a label for each vertex, and how many there are."""
    a, b = edges_of(faces).T
    graph = scipy.sparse.coo_matrix((np.ones(len(a)), (a, b)), shape=(n_vertices, n_vertices))
    count, labels = connected_components(graph, directed=False)
    return np.asarray(labels, np.int32), int(count)


def skin_triangles(faces: I32, n_vertices: int, balls: tuple[Eyeball, ...] | None) -> Bool:
    """(F,) the largest part of the mesh, eyeballs left out."""
    labels, count = _parts(faces, n_vertices)
    sizes = np.bincount(labels, minlength=count)
    for ball in balls or ():
        sizes[labels[ball.vertices[0]]] = 0
    skin: Bool = labels[faces[:, 0]] == int(np.argmax(sizes))
    return skin


def rim_edges(faces: I32, skin: Bool) -> Bool:
    """(F, 3) edges, from corner k to the next, that no other triangle has: where the skin ends."""
    _, inverse, counts = np.unique(edges_of(faces), axis=0, return_inverse=True, return_counts=True)
    single = counts[inverse.reshape(-1)] == 1
    rim: Bool = single.reshape(3, len(faces)).T & skin[:, None]
    return rim


def mirror_map(vertices: F64) -> I32 | None:
    """(V,) the vertex on the other side of x = 0; None where the mesh is not symmetric."""
    flipped = vertices * np.array([-1.0, 1.0, 1.0])
    tree: Any = cKDTree(vertices)
    away, nearest = tree.query(flipped)
    own = np.arange(len(vertices))
    if float(away.max()) > _MIRROR_TOLERANCE_M or not np.array_equal(nearest[nearest], own):
        return None
    return np.asarray(nearest, np.int32)
