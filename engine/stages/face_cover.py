"""Which vertices of a head show skin that a camera sees, and an even choice among them."""

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from engine.flame.model import HeadModel
from engine.flame.normals import vertex_normals
from engine.types import F32, I32, Bool

__all__ = ["even_choice", "face_cover", "skin_of_face"]

_INNER = ("eyeballs", "eye_sockets", "nostrils", "mouth_inside", "teeth")
"""No skin, or seldom seen."""
_RIM = 2
"""Rings of vertices around those that are left out too."""
_LID_M = 2e-4
"""What the eyelids move by more than this belongs to them."""

_BEND_M, _BEND_DEG = 0.006, 15.0
"""A normal further than this from the mean around it is too fine for a map."""
_ABOVE_M, _ASIDE_M = 0.020, 0.0025
"""How far to look for skin that covers a vertex, and how near it must be to the normal's line."""


def skin_of_face(model: HeadModel) -> Bool:
    """(V,) True on the face's skin, without the rims of lids, lips and nostrils: thin, and half of
    them out of sight.
    """
    inner = [model.regions[name] for name in _INNER if name in model.regions]
    hidden = np.zeros(model.n_vertices, bool)
    for indices in inner:
        hidden[indices] = True
    hidden = _grown(hidden, model.faces, _RIM if inner else 0)
    skin = np.zeros(model.n_vertices, bool)
    skin[model.regions["face"]] = True
    return skin & ~hidden


def face_cover(model: HeadModel, n: int) -> I32:
    """At most n vertices spread evenly over the face's skin; not on lids nor at its border."""
    skin = skin_of_face(model)
    outside = np.ones(model.n_vertices, bool)
    outside[model.regions["face"]] = False
    skin &= ~_grown(outside, model.faces, _RIM)
    if model.eyelid_dirs is not None:
        lids = np.linalg.norm(model.eyelid_dirs, axis=1).max(axis=1) > _LID_M
        skin &= ~_grown(lids, model.faces, 1)
    candidates = np.flatnonzero(skin)
    candidates = candidates[_plain(model, candidates)]
    chosen = candidates[even_choice(model.v_template[candidates], n)]
    return np.sort(chosen).astype(np.int32)


def _plain(model: HeadModel, candidates: npt.NDArray[np.intp]) -> Bool:
    """(N,) True where the skin is in the open and bends no faster than a map's pixels show.

    Folds at nostrils and corners of the mouth have skin above them and normals of every direction.
    """
    normals = vertex_normals(model.v_template, model.faces)
    points = np.r_[model.v_template, model.v_template[model.faces].mean(axis=1)]
    own_tree, all_tree = cKDTree(model.v_template), cKDTree(points)
    plain = np.zeros(len(candidates), bool)
    for i, vertex in enumerate(candidates):
        place, normal = model.v_template[vertex], normals[vertex]
        mean = normals[own_tree.query_ball_point(place, _BEND_M)].sum(axis=0)
        bends = mean @ normal < np.cos(np.radians(_BEND_DEG)) * np.linalg.norm(mean)
        around = points[all_tree.query_ball_point(place, _ABOVE_M)] - place
        height = around @ normal
        aside = np.linalg.norm(around - height[:, None] * normal, axis=1)
        plain[i] = not bends and not ((height > _ASIDE_M) & (aside < _ASIDE_M)).any()
    return plain


def even_choice(points: F32, n: int) -> I32:
    """Rows of at most n points, each as far from those before it as can be.

    Args:
        points: (N, 3), any unit; the first one chosen is the nearest to their centre.
    """
    n = min(n, len(points))
    if n == 0:
        return np.zeros(0, np.int32)
    row = int(np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1)))
    nearest = np.full(len(points), np.inf, np.float32)
    rows = []
    for _ in range(n):
        rows.append(row)
        nearest = np.minimum(nearest, ((points - points[row]) ** 2).sum(axis=1))
        row = int(np.argmax(nearest))
    return np.array(rows, np.int32)


def _grown(inside: Bool, faces: I32, n_rings: int) -> Bool:
    """Vertices of a set and of n rings of triangles around it."""
    grown = inside.copy()
    for _ in range(n_rings):
        grown[faces[grown[faces].any(axis=1)]] = True
    return grown
