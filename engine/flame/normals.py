"""Smooth per-vertex normals of a triangle mesh, weighted by triangle area."""

from typing import Any

import numpy as np

from engine.types import F32, I32

__all__ = ["VertexNormals", "face_vectors", "vertex_normals"]


def face_vectors(vertices: F32, faces: I32) -> F32:
    """Outward vectors of the triangles, as long as twice their area.

    Args:
        vertices: (V, 3) metres, any frame.
        faces: (F, 3) counter-clockwise seen from outside.
    Returns: (F, 3) square metres, same frame.
    """
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    u, v = b - a, c - a
    vectors: F32 = np.empty_like(u)  # np.cross costs three times as much
    vectors[:, 0] = u[:, 1] * v[:, 2] - u[:, 2] * v[:, 1]
    vectors[:, 1] = u[:, 2] * v[:, 0] - u[:, 0] * v[:, 2]
    vectors[:, 2] = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    return vectors


class VertexNormals:
    """Normals of one mesh topology; the incidence of triangles on vertices is paid once."""

    def __init__(self, faces: I32, n_vertices: int) -> None:
        """faces: (F, 3) counter-clockwise seen from outside, indices below n_vertices."""
        from scipy.sparse import csr_matrix  # slow to import, and the window can do without it

        n_faces = len(faces)
        columns = np.repeat(np.arange(n_faces, dtype=np.int32), 3)
        ones = np.ones(3 * n_faces, np.float32)
        self._faces = faces
        self._vertex_from_face: Any = csr_matrix(
            (ones, (faces.reshape(-1), columns)), shape=(n_vertices, n_faces)
        )

    def __call__(self, vertices: F32) -> F32:
        """(V, 3) vertices -> (V, 3) unit normals in the same frame.

        A vertex with no triangle, or with only empty ones, gets a zero vector.
        """
        sums: F32 = self._vertex_from_face @ face_vectors(vertices, self._faces)
        squared = np.einsum("vk,vk->v", sums, sums)
        lengths = np.sqrt(np.maximum(squared, np.finfo(np.float32).tiny))
        normals: F32 = sums / lengths[:, None]
        return normals


def vertex_normals(vertices: F32, faces: I32) -> F32:
    """(V, 3) vertices, (F, 3) triangles -> (V, 3) unit normals; for a mesh seen once."""
    return VertexNormals(faces, len(vertices))(vertices)
