"""Normals of part of a mesh are those of the whole."""

import numpy as np

from engine.flame.model import HeadModel
from engine.flame.normals import vertex_normals
from engine.flame.part_normals import PartNormals, cross


def test_they_are_the_whole_meshs(openhead: HeadModel) -> None:
    chosen = np.random.default_rng(0).choice(openhead.n_vertices, 300, False).astype(np.int32)
    part = PartNormals(openhead.faces, chosen)
    vertices = openhead.v_template + 0.2 * openhead.exprdirs[:, :, 3]
    found = part(np.ascontiguousarray(vertices[part.near].T))
    np.testing.assert_array_equal(part.near[part.rows], chosen)
    # Areas of square millimetres in single precision.
    wanted = vertex_normals(vertices, openhead.faces)[chosen]
    np.testing.assert_allclose(found.T, wanted, atol=1e-4)


def test_a_vertex_without_triangles_has_a_zero_normal() -> None:
    part = PartNormals(np.array([[0, 1, 2]], np.int32), np.array([3, 1], np.int32))
    places = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], np.float32)
    found = part(np.ascontiguousarray(places[part.near].T))
    np.testing.assert_allclose(found.T, [[0, 0, 0], [0, 0, 1]], atol=1e-6)


def test_cross_is_numpys() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 3, 7)), rng.standard_normal((3, 7))
    np.testing.assert_allclose(cross(a, b), np.cross(a, b[None], axis=1), atol=1e-15)
