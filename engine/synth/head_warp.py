"""Carrying points around one head over to another: smooth warp between corresponding points."""

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from engine.types import F64

__all__ = ["HeadWarp", "similarity"]

_FULL, _FADE = 0.04, 0.08  # metres from the head: residual counts fully, then fades
_SMOOTHING = 1e-4  # metres: corresponding points are trusted to about a tenth of a millimetre


class HeadWarp:
    """Similarity plus what is left, interpolated; far away only the similarity."""

    def __init__(self, source: F64, target: F64, n_centres: int = 900) -> None:
        """source, target: (N, 3) corresponding points on two heads, metres."""
        self._scale, self._R, self._t = similarity(source, target)
        centres = _spread_out(source, n_centres)
        self._near = cKDTree(source)
        left = target[centres] - self._moved(source[centres])
        self._residual = RBFInterpolator(
            source[centres], left, kernel="linear", smoothing=_SMOOTHING, degree=0
        )

    def __call__(self, points: F64) -> F64:
        """(M, 3) metres around the source head -> around the target head."""
        away, _ = self._near.query(points)
        fade = np.exp(-((np.maximum(away - _FULL, 0) / _FADE) ** 2))
        return np.asarray(self._moved(points) + fade[:, None] * self._residual(points))

    def _moved(self, points: F64) -> F64:
        return np.asarray(self._scale * points @ self._R.T + self._t)


def similarity(source: F64, target: F64) -> tuple[float, F64, F64]:
    """Scale, rotation and shift that best carry source onto target (least squares).

    Source: Umeyama 1991, "Least-squares estimation of transformation parameters between two point
    patterns".
    """
    from_centre, to_centre = source - source.mean(0), target - target.mean(0)
    u, spread, vt = np.linalg.svd(to_centre.T @ from_centre)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    R = (u * sign) @ vt
    scale = float((spread * sign).sum() / (from_centre**2).sum())
    return scale, R, target.mean(0) - scale * R @ source.mean(0)


def _spread_out(points: F64, n: int) -> np.typing.NDArray[np.int64]:
    """Indices of n points that cover the rest evenly: always the farthest from those taken."""
    taken = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(taken) < min(n, len(points)):
        taken.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[taken[-1]], axis=1))
    return np.unique(taken)
