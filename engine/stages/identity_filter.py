"""What many frames say about one person's shape, gathered in an information filter."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from engine.types import F64

__all__ = ["IdentityFilter"]


class IdentityFilter:
    """A Gaussian over the shape coefficients: starts at a prior, sharpens with frames.

    Each frame's normal equations are reduced to the shape by a Schur complement and added; old ones
    fade, so that a wrong start is forgotten.
    """

    def __init__(
        self,
        n_shape: int,
        *,
        prior_weight: float | F64,
        prior_mean: F64 | None = None,
        memory: float = 0.98,
    ) -> None:
        """Args:
        prior_weight: precision before any frame: one number, or (n_shape,).
        prior_mean: (n_shape,) the shape before any frame; None: zeros.
        memory: 0..1, what a frame's weight shrinks by with each further frame.
        """
        self.n_frames = 0
        self._memory = memory
        self._prior = prior_weight * np.eye(n_shape)
        self._prior_b = np.zeros(n_shape) if prior_mean is None else self._prior @ prior_mean
        self._H = np.zeros((n_shape, n_shape))
        self._b = np.zeros(n_shape)
        self._mean: F64 | None = None

    def add(self, H: F64, g: F64, shape: F64, n_other: int, *, weight: float = 1.0) -> None:
        """Take in one frame's normal equations without any prior on the shape.

        Args:
            H, g: Hessian (P, P) and gradient (P,) of the frame's cost at `shape`; the first n_other
                unknowns are the frame's own, the rest the shape.
            weight: what the frame counts; below 1 where frames err alike.
        """
        own, cross = H[:n_other, :n_other], H[:n_other, n_other:]
        gain = np.linalg.solve(own, np.c_[cross, g[:n_other]])
        H_shape = weight * (H[n_other:, n_other:] - cross.T @ gain[:, :-1])
        g_shape = weight * (g[n_other:] - cross.T @ gain[:, -1])
        self._H = self._memory * self._H + H_shape
        self._b = self._memory * self._b + H_shape @ shape - g_shape
        self.n_frames += 1
        self._mean = None

    def mean(self) -> F64:
        """(n_shape,) the most likely shape so far; worked out when a frame has been added."""
        if self._mean is None:
            self._mean = cho_solve(cho_factor(self._H + self._prior), self._b + self._prior_b)
        return self._mean

    @property
    def information(self) -> tuple[F64, F64]:
        """H (n, n) and b (n,) of the frames seen, prior included."""
        return self._H + self._prior, self._b + self._prior_b
