"""Closest points on a triangle mesh, by position and by which way the surface faces.

Lids, lips and nostrils put two sheets of skin a millimetre apart; matching normals as well as
positions keeps a point on its own sheet.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from engine.flame.normals import face_vectors, vertex_normals
from engine.types import F64, I32, Bool

__all__ = ["Surface", "SurfacePoints", "closest_on_triangles", "smooth_normals", "unit_rows"]

_CANDIDATES = 24


@dataclass(frozen=True, slots=True, eq=False)
class SurfacePoints:
    """Points on a mesh. N points."""

    faces_idx: I32  # (N,) rows of the mesh's faces
    bary: F64  # (N, 3) weights of the corners, sum 1
    points: F64  # (N, 3) metres
    facing: F64  # (N,) cosine between the query's normal and the surface's


def unit_rows(vectors: F64) -> F64:
    """(N, 3) vectors at length 1; zero vectors stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: F64 = vectors / np.maximum(lengths, 1e-20)
    return units


class Surface:
    """A mesh that answers where it is closest; only the given triangles count."""

    def __init__(self, vertices: F64, faces: I32, *, use: Bool | None = None) -> None:
        """vertices: (V, 3) metres; faces: (F, 3); use: (F,) triangles to look at, None for all."""
        self._rows = np.arange(len(faces)) if use is None else np.flatnonzero(use)
        self._corners = np.asarray(vertices, np.float64)[faces[self._rows]]
        vectors = face_vectors(vertices.astype(np.float32), faces[self._rows])
        self._normals = unit_rows(np.asarray(vectors, np.float64))
        self._corner_normals = smooth_normals(vertices, faces)[faces[self._rows]]
        self._trees: dict[float, Any] = {}

    def closest(self, points: F64, normals: F64, normal_scale: float) -> SurfacePoints:
        """The best point of the surface for each query.

        Args:
            points: (N, 3) metres.
            normals: (N, 3) unit, which way the skin faces there.
            normal_scale: metres of distance that a normal difference of 1 is worth.
        """
        tree = self._tree(normal_scale)
        query = np.hstack([points, normal_scale * normals])
        count = min(_CANDIDATES, len(self._rows))
        _, found = tree.query(query, k=count)
        candidates = np.asarray(found).reshape(len(points), count)
        bary = closest_on_triangles(points[:, None], self._corners[candidates])
        on_surface = np.einsum("nkc,nkcd->nkd", bary, self._corners[candidates])
        away = ((on_surface - points[:, None]) ** 2).sum(axis=2)
        smooth = np.einsum("nkc,nkcd->nkd", bary, self._corner_normals[candidates])
        turned = ((smooth - normals[:, None]) ** 2).sum(axis=2)
        best = np.argmin(away + normal_scale**2 * turned, axis=1)
        row = np.arange(len(points))
        chosen = candidates[row, best]
        return SurfacePoints(
            faces_idx=self._rows[chosen].astype(np.int32),
            bary=bary[row, best],
            points=on_surface[row, best],
            facing=(unit_rows(smooth[row, best]) * normals).sum(axis=1),
        )

    def _tree(self, normal_scale: float) -> Any:  # noqa: ANN401  (scipy has no types)
        if normal_scale not in self._trees:
            features = np.hstack([self._corners.mean(axis=1), normal_scale * self._normals])
            self._trees[normal_scale] = cKDTree(features)
        return self._trees[normal_scale]


def smooth_normals(vertices: F64, faces: I32) -> F64:
    """(V, 3) unit vertex normals in double precision; zero where a vertex has no triangle."""
    return unit_rows(np.asarray(vertex_normals(vertices.astype(np.float32), faces), np.float64))


def closest_on_triangles(points: F64, corners: F64) -> F64:
    """Barycentric weights of the closest point of each triangle.

    Args:
        points: (..., 3), broadcast against the triangles.
        corners: (..., 3, 3) triangles, corner by corner.
    Returns: (..., 3) weights, none negative, sum 1.
    """
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    inside = _plane_weights(points, a, b, c)
    best = inside
    best_distance = np.where((inside >= 0.0).all(axis=-1), -1.0, np.inf)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        weights = _edge_weights(points, corners, first, second)
        offset = np.einsum("...c,...cd->...d", weights, corners) - points
        distance = (offset**2).sum(axis=-1)
        closer = distance < best_distance
        best = np.where(closer[..., None], weights, best)
        best_distance = np.where(closer, distance, best_distance)
    return best


def _plane_weights(points: F64, a: F64, b: F64, c: F64) -> F64:
    """Weights of the point's foot in the plane of each triangle; outside ones come out negative."""
    u, v, w = b - a, c - a, points - a
    uu, uv, vv = (u * u).sum(-1), (u * v).sum(-1), (v * v).sum(-1)
    wu, wv = (w * u).sum(-1), (w * v).sum(-1)
    area = uu * vv - uv * uv
    area = np.where(area > 1e-24, area, np.inf)  # a sliver: its edges decide
    beta = (vv * wu - uv * wv) / area
    gamma = (uu * wv - uv * wu) / area
    degenerate = np.isinf(area)
    weights = np.stack([1.0 - beta - gamma, beta, gamma], axis=-1)
    return np.where(degenerate[..., None], -1.0, weights)


def _edge_weights(points: F64, corners: F64, first: int, second: int) -> F64:
    start, edge = corners[..., first, :], corners[..., second, :] - corners[..., first, :]
    length = np.maximum((edge**2).sum(-1), 1e-24)
    along = np.clip(((points - start) * edge).sum(-1) / length, 0.0, 1.0)
    weights = np.zeros(np.broadcast_shapes(points.shape, start.shape))
    weights[..., first] = 1.0 - along
    weights[..., second] = along
    return weights
