"""The filter must give what one least-squares problem over all frames gives."""

import numpy as np

from engine.stages.identity_filter import IdentityFilter


def test_without_fading_the_filter_is_joint_least_squares() -> None:
    rng = np.random.default_rng(0)
    n_own, n_shape, n_frames, n_rows = 3, 4, 5, 12
    shape = rng.standard_normal(n_shape)
    information = IdentityFilter(n_shape, prior_weight=1.0, memory=1.0)
    big = np.zeros((n_frames * n_rows, n_frames * n_own + n_shape))
    target = np.zeros(n_frames * n_rows)
    for k in range(n_frames):
        J = rng.standard_normal((n_rows, n_own + n_shape))
        y = J @ np.concatenate([rng.standard_normal(n_own), shape]) + 0.1 * rng.standard_normal(
            n_rows
        )
        at = rng.standard_normal(n_shape)  # any point of linearisation: the problem is linear
        residual = J @ np.concatenate([np.zeros(n_own), at]) - y
        information.add(J.T @ J, J.T @ residual, at, n_own)
        rows = slice(k * n_rows, (k + 1) * n_rows)
        big[rows, k * n_own : (k + 1) * n_own] = J[:, :n_own]
        big[rows, -n_shape:] = J[:, n_own:]
        target[rows] = y
    H = big.T @ big
    H[-n_shape:, -n_shape:] += np.eye(n_shape)
    expected = np.linalg.solve(H, big.T @ target)[-n_shape:]
    np.testing.assert_allclose(information.mean(), expected, atol=1e-9)


def test_without_frames_the_mean_is_the_prior() -> None:
    np.testing.assert_array_equal(IdentityFilter(6, prior_weight=1.0).mean(), np.zeros(6))


def test_old_frames_fade() -> None:
    information = IdentityFilter(1, prior_weight=1e-9, memory=0.5)
    H, nothing = np.diag([1.0, 1.0]), np.zeros(1)
    for value in (0.0, 0.0, 1.0):
        information.add(H, np.array([0.0, -value]), nothing, 1)
    # Weights 1/4, 1/2, 1 for values 0, 0, 1.
    np.testing.assert_allclose(information.mean(), [1.0 / 1.75], rtol=1e-6)
