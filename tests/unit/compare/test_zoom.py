"""Cutting a frame to the face: what a head covers does not change, and the window stays still."""

from dataclasses import replace

import numpy as np
import pytest

from engine.compare.zoom import FaceWindow, zoomed
from engine.frames import project
from engine.types import Reconstruction
from tests.compare_fakes import noisy_frame
from tests.live_fakes import triangle_head

FRAME = noisy_frame(0)


def head_at(x: float, y: float, extent: float) -> Reconstruction:
    """A head whose landmarks have this middle and larger extent, px."""
    points = np.full((68, 2), (x, y), np.float32)
    points[0, 1], points[1, 1] = y - extent / 2, y + extent / 2
    return replace(triangle_head(FRAME), landmarks68_px=points)


def test_what_a_head_covers_stays_under_it():
    head = head_at(30.0, 20.0, 10.0)
    square = FaceWindow().follow([head])
    assert square is not None
    row, column = np.indices(FRAME.image.shape[:2])
    ramp = np.stack([4 * column, 5 * row, 0 * row], axis=2).astype(np.uint8)
    image, (moved,) = zoomed(ramp, [head], square, 230)
    assert image.shape == (230, 230, 3)
    placed = head.vertices @ head.params.R.T + head.params.t
    before, after = (project(placed, fit.camera.K) for fit in (head, moved))
    # 23 frame pixels across 230: ten for one, about pixel centres.
    assert (after - after[0]) == pytest.approx(10 * (before - before[0]), abs=1e-6)
    assert moved.landmarks68_px[0] - moved.landmarks68_px[1] == pytest.approx([0, -100], abs=1e-3)
    centre = moved.landmarks68_px[5]  # 0.15 extents below the middle of the window
    assert centre == pytest.approx([114.5, 114.5 + 15], abs=1e-3)
    x, y = np.rint(centre).astype(int)
    assert image[y, x] == pytest.approx(ramp[20, 30], abs=2)


def test_the_window_follows_only_faces_that_leave_it():
    window = FaceWindow()
    first = window.follow([head_at(30.0, 20.0, 10.0)])
    assert window.follow([head_at(31.0, 20.5, 10.5)]) is first
    assert window.follow([]) is first
    elsewhere = window.follow([head_at(34.0, 20.0, 10.0)])
    assert elsewhere is not None
    assert elsewhere.centre == pytest.approx([34.0, 18.5])
    larger = window.follow([head_at(34.0, 20.0, 14.0)])
    assert larger is not None
    assert larger.side == pytest.approx(2.3 * 14.0)


def test_both_heads_are_in_it():
    square = FaceWindow().follow([head_at(20.0, 20.0, 10.0), head_at(30.0, 20.0, 10.0)])
    assert square is not None
    assert square.centre[0] == pytest.approx(25.0)


def test_there_is_no_window_before_there_was_a_face():
    assert FaceWindow().follow([]) is None
