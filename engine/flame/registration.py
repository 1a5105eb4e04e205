"""Lays one head mesh over another: by a similarity first, then by a smooth bend of the first.

Both heads stand in FLAME's axes, so that no rotation has to be guessed; the eyes give scale and
place to start from.
Source: the closest-point scheme with falling stiffness of Amberg et al. 2007, "Optimal step
nonrigid ICP algorithms for surface registration".
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import splu

from engine.flame.closest import Surface, smooth_normals
from engine.flame.mesh_parts import edges_of
from engine.types import F64, I32, Bool

__all__ = ["Similarity", "align", "bend", "fit_similarity"]

_ALIGN_ROUNDS = 25
_ALIGN_KEEP = 0.8  # of the matches: ears, hair lines and necks differ too much to count
_EYE_SHARE = 0.5  # weight of both eye centres together, as a part of all surface matches
# Stiffness falls slowly: while the head is stiff, lips and nose drag cheeks and jaw to their
# places; measured on heads of known correspondence.
_STIFFNESS = (1e4, 1e4, 3000.0, 3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)
_NORMAL_SCALE_M = (0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.03, 0.02, 0.015, 0.01, 0.01)
_ALIGN_NORMAL_SCALE_M = 0.03
_FACING_MIN = 0.5  # matches turned by over 60 degrees are another sheet of skin
_FAR = 3.0  # times the median distance of a round
_FAR_MIN_M = 0.004


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """x -> scale * R @ x + t."""

    scale: float
    R: F64  # (3, 3)
    t: F64  # (3,) metres

    def apply(self, points: F64) -> F64:
        """(N, 3) -> (N, 3)."""
        moved: F64 = self.scale * points @ self.R.T + self.t
        return moved


def fit_similarity(source: F64, target: F64, weights: F64) -> Similarity:
    """The similarity that takes source (N, 3) to target (N, 3) with the least weighted squares.

    Source: Umeyama 1991, "Least-squares estimation of transformation parameters".
    """
    share = weights / weights.sum()
    centre_s, centre_t = share @ source, share @ target
    s, t = source - centre_s, target - centre_t
    U, sizes, Vt = np.linalg.svd((t * share[:, None]).T @ s)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(U) * np.linalg.det(Vt))])
    R = (U * signs) @ Vt
    scale = float((sizes * signs).sum() / (share @ (s**2).sum(axis=1)))
    return Similarity(scale, R, centre_t - scale * R @ centre_s)


def align(vertices: F64, normals: F64, eyes: F64, surface: Surface, target_eyes: F64) -> Similarity:
    """Place a face on another head.

    Args:
        vertices, normals: (N, 3) the face, points of the inside and the back left out.
        eyes, target_eyes: (2, 3) metres, centres of the left and right eye.
        surface: the other head.
    """
    scale = float(
        np.linalg.norm(np.diff(target_eyes, axis=0)) / np.linalg.norm(np.diff(eyes, axis=0))
    )
    placed = Similarity(scale, np.eye(3), target_eyes.mean(axis=0) - scale * eyes.mean(axis=0))
    for _ in range(_ALIGN_ROUNDS):
        match = surface.closest(placed.apply(vertices), normals @ placed.R.T, _ALIGN_NORMAL_SCALE_M)
        away = np.linalg.norm(match.points - placed.apply(vertices), axis=1)
        use = (away <= np.quantile(away, _ALIGN_KEEP)) & (match.facing > _FACING_MIN)
        if not use.any():
            break
        weights = np.concatenate([np.ones(use.sum()), np.full(2, 0.5 * _EYE_SHARE * use.sum())])
        placed = fit_similarity(
            np.vstack([vertices[use], eyes]), np.vstack([match.points[use], target_eyes]), weights
        )
    return placed


def bend(vertices: F64, faces: I32, surface: Surface, trust: F64, rim: Bool) -> F64:
    """Bend a placed head onto another one, smoothly.

    Args:
        vertices: (V, 3) metres, already aligned.
        faces: (F, 3).
        surface: the other head.
        trust: (V,) 0..1, how much the match of each vertex counts.
        rim: (F', 3) by row of the other head's faces: edges (from corner k to the next) at which
            it ends; matches of what lies beyond pile up there and do not count.
    Returns: (V, 3) where the vertices come to lie; close to, not exactly on, the surface.
    """
    smooth = _smoothness(len(vertices), faces)
    moved = vertices
    for stiffness, normal_scale in zip(_STIFFNESS, _NORMAL_SCALE_M, strict=True):
        match = surface.closest(moved, smooth_normals(moved, faces), normal_scale)
        away = np.linalg.norm(match.points - moved, axis=1)
        far = max(_FAR * float(np.median(away)), _FAR_MIN_M)
        at_rim = (rim[match.faces_idx] & (np.roll(match.bary, 1, axis=1) < 1e-6)).any(axis=1)
        good = (away < far) & (match.facing > _FACING_MIN) & ~at_rim
        weights = trust * good + 1e-6  # the rest keeps parts without any match solvable
        system = stiffness * smooth + scipy.sparse.diags(weights)
        pull = weights[:, None] * np.where(good[:, None], match.points - vertices, 0.0)
        moved = vertices + splu(system.tocsc()).solve(pull)
    return moved


def _smoothness(n_vertices: int, faces: I32) -> Any:  # noqa: ANN401  (scipy has no types)
    """Squared graph Laplacian: what bending costs."""
    a, b = np.unique(edges_of(faces), axis=0).T
    ones = np.ones(len(a))
    adjacency = scipy.sparse.coo_matrix((ones, (a, b)), shape=(n_vertices, n_vertices))
    adjacency = (adjacency + adjacency.T).tocsr()
    degree = np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1.0)
    laplacian = scipy.sparse.eye(n_vertices) - scipy.sparse.diags(1.0 / degree) @ adjacency
    return (laplacian.T @ laplacian).tocsc()
