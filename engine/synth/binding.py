"""Hanging hair, brows and lashes on a head: off its surface, and following its vertices."""

import itertools

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from engine.flame.closest import closest_on_triangles, smooth_normals
from engine.flame.model import HeadModel
from engine.synth.pack import PARTS, SynthHead
from engine.types import F32, F64, I32, Bool

__all__ = ["HeadSurface", "bind", "components", "followed_vertices", "lash_roots"]

_CANDIDATES = 24
_FACING = 0.6  # cosine: how straight below its closest skin a point inside the head lies
_HAIR_REGIONS = ("scalp", "forehead", "ears")  # what the face's expressions move least


class HeadSurface:
    """A head's skin at rest, to lay things on."""

    def __init__(self, head: SynthHead) -> None:
        skin = head.part == PARTS.index("skin")
        self._faces = head.model.faces[skin]
        self._vertices = head.model.v_template.astype(np.float64)
        self._corners = self._vertices[self._faces]
        self._normals = smooth_normals(self._vertices, self._faces)[self._faces]
        self._tree = cKDTree(self._corners.mean(axis=1))

    def closest(self, points: F64) -> tuple[F64, F64, F64]:
        """Closest skin: points (N, 3) metres, unit normals (N, 3), heights above it (N,) metres."""
        _, near = self._tree.query(points, k=min(_CANDIDATES, len(self._faces)))
        near = np.asarray(near).reshape(len(points), -1)
        bary = closest_on_triangles(points[:, None], self._corners[near])
        on_skin = np.einsum("nkc,nkcd->nkd", bary, self._corners[near])
        best = ((on_skin - points[:, None]) ** 2).sum(2).argmin(axis=1)
        row = np.arange(len(points))
        foot = on_skin[row, best]
        normal = np.einsum("nc,ncd->nd", bary[row, best], self._normals[near[row, best]])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        away = points - foot
        length = np.linalg.norm(away, axis=1)
        # Below the neck's open end the closest skin is its rim, seen from the side: not inside.
        inside = (away * normal).sum(1) < -_FACING * length
        height = np.where(inside, -length, length)
        return foot, normal, height

    def lifted(self, points: F64, at_least: float, soft: float) -> F64:
        """Points with none lower than `at_least` metres above the skin.

        Heights under at_least + soft are pressed together rather than cut off, so that what lay
        above other things stays above them.
        """
        _, normal, height = self.closest(points)
        over = height - at_least - soft
        wanted = np.where(over < 0, at_least + soft * np.exp(np.minimum(over, 0) / soft), height)
        return np.asarray(points + normal * (wanted - height)[:, None])

    def laid_on(self, points: F64, low: float, high: float) -> F64:
        """Points at a height of low..high metres over their closest skin."""
        foot, normal, height = self.closest(points)
        return np.asarray(foot + normal * np.clip(height, low, high)[:, None])


def bind(points: F64, vertices: F64, candidates: I32, k: int = 4) -> tuple[I32, F32]:
    """Which of a head's vertices each point follows: the nearest, by inverse distance.

    Args:
        points: (M, 3); vertices: (V, 3) the head at rest, metres.
        candidates: vertices to choose from, at least k.
    Returns: (M, k) vertices and (M, k) weights, sum 1.
    """
    if len(candidates) < k:
        raise ValueError(f"bind: {len(candidates)} vertices to choose from, expected {k} or more")
    distance, near = cKDTree(vertices[candidates]).query(points, k=k)
    weights = 1 / np.maximum(distance, 1e-4)
    weights /= weights.sum(axis=1, keepdims=True)
    return candidates[near].astype(np.int32), weights.astype(np.float32)


def followed_vertices(head: SynthHead, kind: str) -> I32:
    """Vertices that hair or brows may follow: calm parts for hair, all skin for brows."""
    skin = np.unique(head.model.faces[head.part == PARTS.index("skin")])
    if kind != "hair":
        return np.asarray(skin, np.int32)
    calm = np.concatenate([head.model.regions[name] for name in _HAIR_REGIONS])
    return np.asarray(np.intersect1d(skin, calm), np.int32)


def components(faces: I32, n: int) -> I32:
    """(n,) number of the connected piece that each vertex belongs to."""
    a, b = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]]).T
    _, labels = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)))
    return np.asarray(labels, np.int32)


def lash_roots(points: F64, faces: I32, head: SynthHead) -> list[tuple[Bool, I32]]:
    """For each piece of lashes, its points and the vertices of the lid rim that it follows.

    Lashes point away from the lid, so the nearest skin may be the other lid's: pieces are told
    apart by the lid line that they lie nearest to, upper or lower, left or right.
    """
    landmarks = _landmarks(head.model)
    lids = [
        landmarks[[36, 37, 38, 39]],
        landmarks[[39, 40, 41, 36]],
        landmarks[[42, 43, 44, 45]],
        landmarks[[45, 46, 47, 42]],
    ]
    skin = followed_vertices(head, "brows")
    rims = [_near_line(head.model.v_template.astype(np.float64), skin, lid) for lid in lids]
    labels = components(faces, len(points))
    roots = []
    for piece in range(labels.max() + 1):
        mine = labels == piece
        # The middles of the lids differ most; their corners are common to both.
        away = [np.linalg.norm(points[mine].mean(0) - lid[1:3].mean(0)) for lid in lids]
        roots.append((mine, rims[int(np.argmin(away))]))
    return roots


def _landmarks(model: HeadModel) -> F64:
    marks = model.landmarks68
    corners = model.v_template[model.faces[marks.faces_idx]]
    return np.asarray(np.einsum("nk,nkc->nc", marks.bary, corners), np.float64)


def _near_line(vertices: F64, allowed: I32, line: F64, reach: float = 0.0025) -> I32:
    """Allowed vertices within reach of a polyline, without its ends; at least 8."""
    steps = np.linspace(0, 1, 9)[:, None]
    dense = np.concatenate([a + steps * (b - a) for a, b in itertools.pairwise(line)])
    distance, _ = cKDTree(dense).query(vertices[allowed])
    n = max(8, int((distance < reach).sum()))
    return np.asarray(allowed[np.argsort(distance, kind="stable")[:n]], np.int32)
