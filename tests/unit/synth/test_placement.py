"""Where heads are put in front of cameras."""

import numpy as np
import pytest

from engine.frames import project
from engine.synth.placement import WINDOW_PX, centred, draw_placement


def test_heads_stand_in_the_window_upright_and_in_front_of_the_camera() -> None:
    middles, ups = [], []
    for seed in range(200):
        placement = draw_placement(np.random.default_rng(seed))
        np.testing.assert_allclose(placement.R @ placement.R.T, np.eye(3), atol=1e-9)
        head = placement.R @ [0, 0, 0.045] + placement.t
        assert head[2] < -0.2
        middles.append(project(head, placement.camera.K))
        ups.append(placement.R[1, 1])
    centre = (WINDOW_PX - 1) / 2
    inside = np.abs(np.array(middles) - centre) < 0.2 * WINDOW_PX
    assert inside.all(axis=1).mean() > 0.88  # all but those cut off by the frame's edge
    assert np.median(ups) > 0.9


def test_a_frontal_head_shows_its_face() -> None:
    facing = []
    for seed in range(200):
        placement = draw_placement(np.random.default_rng(seed))
        to_camera = -(placement.R.T @ placement.t)
        facing.append(to_camera[2] / np.linalg.norm(to_camera))
    assert np.median(facing) > 0.8
    assert min(facing) > 0.0


def test_a_centred_camera_sees_the_head_as_before():
    middle = (WINDOW_PX - 1) / 2
    head = np.array([0.0, 0.0, 0.045])
    for seed in range(20):
        drawn = draw_placement(np.random.default_rng(seed))
        moved = centred(drawn)
        assert moved.camera.K[:2, 2] == pytest.approx([middle, middle])
        assert moved.camera.K[0, 0] == drawn.camera.K[0, 0]
        seen = [p.R @ head + p.t for p in (drawn, moved)]
        assert np.linalg.norm(seen[1]) == pytest.approx(np.linalg.norm(seen[0]))
        pixels = [project(s, p.camera.K) for s, p in zip(seen, (drawn, moved), strict=True)]
        assert pixels[1] == pytest.approx(pixels[0])
        # The line of sight in the head's axes is the head's pose against it, but for roll.
        sight = [p.R.T @ s for s, p in zip(seen, (drawn, moved), strict=True)]
        assert sight[1] == pytest.approx(sight[0])
