"""Hair moves by centimetres, differently each time, and stays on the head."""

import numpy as np

from engine.synth.hairstyles import hair_moves

_rng = np.random.default_rng(0)
_UNIT = _rng.normal(0, 1, (400, 3))
_UNIT /= np.linalg.norm(_UNIT, axis=1, keepdims=True)
HEAD = (0.09 * _UNIT + [0, 0.05, 0.01]).astype(np.float32)
HAIR = (0.1 * _UNIT[_UNIT[:, 1] > 0] + [0, 0.05, 0.01]).astype(np.float32)


def test_the_same_generator_moves_hair_alike():
    a, b = (hair_moves(np.random.default_rng(3), HAIR, HEAD) for _ in range(2))
    assert np.array_equal(a, b)
    assert a.shape == HAIR.shape


def test_styles_differ_by_centimetres():
    styles = np.stack([hair_moves(np.random.default_rng(k), HAIR, HEAD) for k in range(60)])
    spread = np.linalg.norm(styles - styles.mean(axis=0), axis=-1)
    assert 0.008 < np.median(spread) < 0.05
    assert np.isfinite(styles).all()


def test_the_fringe_seldom_comes_down_over_the_eyes():
    front = HAIR[:, 2] > 0.09  # hair that starts above the brow
    lowest = [
        (HAIR + hair_moves(np.random.default_rng(k), HAIR, HEAD))[front, 1].min()
        - HAIR[front, 1].min()
        for k in range(100)
    ]
    assert np.percentile(lowest, 5) > -0.04
