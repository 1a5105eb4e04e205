"""MediaPipe's points, modelled."""

import numpy as np

from engine.synth.live_points import modelled_points


def test_modelled_points_err_by_a_few_percent_of_the_face() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(50, 200, (478, 3)).astype(np.float32)
    misses = []
    for _ in range(50):
        moved = modelled_points(rng, truth)
        assert moved.dtype == np.float32
        misses.append(np.linalg.norm((moved - truth)[:468, :2], axis=1).mean() / 150)
    assert 0.015 < np.median(misses) < 0.06


def test_neighbours_err_alike() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(50, 200, (478, 3)).astype(np.float32)
    truth[1] = truth[0] + [1.0, 0.0, 0.0]
    together, apart = [], []
    for _ in range(60):
        error = modelled_points(rng, truth) - truth
        together.append(np.linalg.norm(error[0] - error[1]))
        apart.append(np.linalg.norm(error[0] - error[2]))
    assert np.mean(together) < 0.7 * np.mean(apart)
