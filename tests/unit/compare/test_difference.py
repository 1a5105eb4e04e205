"""Distances of two heads: what alignment takes away and what stays."""

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import ModelContractError
from engine.types import Reconstruction
from tests.compare_fakes import triangle_difference
from tests.live_fakes import grey_frame, triangle_head


@pytest.fixture
def head() -> Reconstruction:
    return triangle_head(grey_frame(0))


def test_where_a_head_stands_counts_in_view_only(head: Reconstruction):
    t = head.params.t + np.array([0.003, -0.004, 0.0])
    moved = replace(head, params=head.params.with_values(t=t))
    found = triangle_difference(head, moved)
    assert found.aligned.largest == pytest.approx(0.0, abs=1e-4)
    assert found.in_view_mm == pytest.approx(np.full(3, 5.0), rel=1e-5)
    assert (found.in_view.mean, found.in_view.p95) == pytest.approx((5.0, 5.0), rel=1e-5)


def test_a_turn_in_the_head_frame_is_taken_away(head: Reconstruction):
    c, s = np.cos(0.1), np.sin(0.1)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)
    turned = replace(head, vertices=head.vertices @ turn.T + np.float32(0.01))
    found = triangle_difference(head, turned)
    assert found.aligned_mm == pytest.approx(np.zeros(3), abs=1e-3)
    assert found.in_view.mean > 10.0


def test_size_is_no_part_of_the_alignment(head: Reconstruction):
    centre = head.vertices.mean(axis=0)
    larger = replace(head, vertices=centre + np.float32(1.01) * (head.vertices - centre))
    found = triangle_difference(head, larger)
    away_mm = 1e3 * 0.01 * np.linalg.norm(head.vertices - centre, axis=1)
    assert found.aligned_mm == pytest.approx(away_mm, rel=1e-3)
    assert found.aligned.largest == pytest.approx(away_mm.max(), rel=1e-3)


def test_heads_of_different_models_are_refused(head: Reconstruction):
    other = replace(head, params=head.params.with_values(model_id="1" * 64))
    with pytest.raises(ModelContractError, match="fit both with one model"):
        triangle_difference(head, other)
