"""Laying things on a head and following it, on a flat and a closed surface made here."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from engine.synth.binding import HeadSurface, bind, components
from engine.synth.head_warp import HeadWarp, similarity
from engine.synth.pack import PARTS


def _sheet() -> Any:
    """A square of 0.2 m in the x, y plane, facing +z."""
    x, y = np.meshgrid(np.linspace(-0.1, 0.1, 11), np.linspace(-0.1, 0.1, 11))
    vertices = np.stack([x, y, 0 * x], -1).reshape(-1, 3).astype(np.float32)
    cell = np.arange(121).reshape(11, 11)
    a, b, c, d = (q.ravel() for q in (cell[:-1, :-1], cell[:-1, 1:], cell[1:, 1:], cell[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    model = SimpleNamespace(v_template=vertices, faces=faces)
    part = np.full(len(faces), PARTS.index("skin"), np.uint8)
    return cast("Any", SimpleNamespace(model=model, part=part))


def test_points_under_the_skin_are_lifted_and_keep_their_order() -> None:
    points = np.array([[0, 0, -0.010], [0, 0, 0.0005], [0, 0, 0.003], [0, 0, 0.02]])
    lifted = HeadSurface(_sheet()).lifted(points, at_least=0.0015, soft=0.002)
    assert lifted[0, 2] >= 0.0015
    assert (np.diff(lifted[:, 2]) > 0).all()
    np.testing.assert_allclose(lifted[3], points[3])


def test_points_beyond_an_open_rim_stay() -> None:
    points = np.array([[0.0, -0.2, -0.02]])
    np.testing.assert_allclose(HeadSurface(_sheet()).lifted(points, 0.0015, 0.002), points)


def test_brows_are_laid_on_the_skin() -> None:
    points = np.array([[0.013, 0.02, -0.004], [0.0, 0.0, 0.004]])
    laid = HeadSurface(_sheet()).laid_on(points, 0.0004, 0.0009)
    np.testing.assert_allclose(laid, [[0.013, 0.02, 0.0004], [0, 0, 0.0009]], atol=1e-9)


def test_bound_points_follow_a_shift_fully() -> None:
    vertices = np.random.default_rng(0).normal(size=(50, 3))
    candidates = np.arange(10, 30, dtype=np.int32)
    idx, weights = bind(vertices[:5] + 0.01, vertices, candidates)
    assert np.isin(idx, candidates).all()
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-6)
    assert (np.diff(weights, axis=1) <= 1e-7).all()  # nearest first, and heaviest


def test_too_few_vertices_to_follow_are_refused() -> None:
    with pytest.raises(ValueError, match="3 vertices to choose from"):
        bind(np.zeros((1, 3)), np.zeros((5, 3)), np.arange(3, dtype=np.int32))


def test_pieces_are_told_apart() -> None:
    labels = components(np.array([[0, 1, 2], [2, 3, 0], [4, 5, 6]], np.int32), 7)
    np.testing.assert_array_equal(labels, [0, 0, 0, 0, 1, 1, 1])


def test_warp_recovers_a_similarity() -> None:
    rng = np.random.default_rng(1)
    source = rng.normal(size=(80, 3)) * 0.1
    R = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    target = 1.2 * source @ R.T + [0.1, -0.2, 0.3]
    scale, found, t = similarity(source, target)
    np.testing.assert_allclose(scale, 1.2)
    np.testing.assert_allclose(found, R, atol=1e-12)
    np.testing.assert_allclose(t, [0.1, -0.2, 0.3], atol=1e-12)
    np.testing.assert_allclose(HeadWarp(source, target)(source), target, atol=1e-9)
