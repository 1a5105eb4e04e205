"""Normals of some vertices of a mesh, with coordinates before vertices: a frame costs little."""

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.types import F32, I32

__all__ = ["PartNormals", "cross"]

Floats = npt.NDArray[np.floating[Any]]


class PartNormals:
    """For one choice of vertices; the triangles around them are looked up once."""

    def __init__(self, faces: I32, vertices: I32) -> None:
        """Args:
        faces: (F, 3) of the whole mesh, counter-clockwise seen from outside.
        vertices: (M,) whose normals are wanted.
        """
        own = faces[np.isin(faces, vertices).any(axis=1)]
        near, index = np.unique(np.r_[own.ravel(), vertices], return_inverse=True)
        index = index.ravel().astype(np.int32)
        self.near: I32 = near.astype(np.int32)
        """(P,) vertices of the mesh that these normals depend on; `faces`, `rows` count in it."""
        self.faces: I32 = index[: own.size].reshape(-1, 3)
        self.rows: I32 = index[own.size :]
        self._corners = np.ascontiguousarray(self.faces.T).astype(np.intp)
        self._around = _faces_around(self.rows, self.faces)

    def __call__(self, places: F32) -> F32:
        """(3, P) places of `near` -> (3, M) unit normals of the chosen vertices, same frame.

        Triangles count by their area; without any, a normal is zero.
        """
        corners = places.take(self._corners, axis=1, mode="clip")  # checking indices takes as long
        vectors = np.zeros((3, len(self.faces) + 1), np.float32)  # the last one pads
        vectors[:, :-1] = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        sums = vectors.take(self._around, axis=1, mode="clip").sum(axis=1)
        squared = (sums * sums).sum(axis=0)
        normals: F32 = sums / np.sqrt(np.maximum(squared, np.finfo(np.float32).tiny))
        return normals


def cross(a: Floats, b: Floats) -> Floats:
    """a x b of (..., 3, N) vectors, a third of the time of np.cross."""
    x = a[..., 1, :] * b[..., 2, :] - a[..., 2, :] * b[..., 1, :]
    y = a[..., 2, :] * b[..., 0, :] - a[..., 0, :] * b[..., 2, :]
    z = a[..., 0, :] * b[..., 1, :] - a[..., 1, :] * b[..., 0, :]
    product = np.empty((*x.shape[:-1], 3, x.shape[-1]), x.dtype)
    product[..., 0, :], product[..., 1, :], product[..., 2, :] = x, y, z
    return product


def _faces_around(vertices: I32, faces: I32) -> npt.NDArray[np.intp]:
    """(K, M) the triangles around each vertex; where there are fewer than K, len(faces)."""
    order = np.argsort(faces.ravel(), kind="stable")
    corners = faces.ravel()[order]
    first = np.searchsorted(corners, vertices, "left")
    last = np.searchsorted(corners, vertices, "right")
    most = int((last - first).max(initial=0))
    places = first + np.arange(most)[:, None]
    owners = np.append(order // 3, len(faces))
    return np.where(places < last, owners[np.minimum(places, len(order))], len(faces))
