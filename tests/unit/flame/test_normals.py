"""Smooth normals against closed forms."""

import numpy as np

from engine.flame.normals import VertexNormals, face_vectors, vertex_normals
from tests.gl.shapes import sphere


def test_a_spheres_normals_point_away_from_its_centre() -> None:
    vertices, faces = sphere(0.1, 48, 96)
    normals = vertex_normals(vertices, faces)
    cosine = (normals * vertices / 0.1).sum(axis=1)
    # Next to the poles a vertex has uneven neighbours: off by under a fifth of a facet's 3.75 deg.
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.7


def test_face_vectors_are_twice_the_area_and_outward() -> None:
    vertices = np.array([[0, 0, 0], [2, 0, 0], [0, 3, 0]], np.float32)
    np.testing.assert_array_equal(
        face_vectors(vertices, np.array([[0, 1, 2]], np.int32)), [[0, 0, 6]]
    )


def test_larger_triangles_weigh_more() -> None:
    # At vertex 0 a triangle of area 2 faces +z and one of area 0.5 faces +x.
    vertices = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 3, 4]], np.int32)
    expected = np.array([0.5, 0.0, 2.0]) / np.hypot(0.5, 2.0)
    np.testing.assert_allclose(vertex_normals(vertices, faces)[0], expected, atol=1e-6)  # float32


def test_vertices_without_area_get_zero_and_no_warning() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5]], np.float32)
    normals = VertexNormals(np.array([[0, 1, 2]], np.int32), 4)(vertices)
    np.testing.assert_array_equal(normals, np.zeros((4, 3)))
