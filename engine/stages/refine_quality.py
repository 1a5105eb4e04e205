"""How far a refined fit can be trusted, as one number from 0 to 1.

The product of four parts, each 1 when good and 0 when bad, linear between: how far the landmarks
are missed, how far the normals are missed, how much of the face was seen, and how much the solver
still does not know: the standard deviation of the face's points that its equations leave, which
grows where little is seen or landmarks and normals are doubted as outliers.
"""

import numpy as np

__all__ = ["refined_quality"]

_RMS = (0.025, 0.075)  # of the eye corners' distance; as for the fit of landmarks alone
_ANGLE_DEG = (11.0, 26.0)  # mean over the seen vertices
_SHARE = (0.30, 0.05)  # of the vertices; a profile shows a third
_STD_MM = (2.5, 5.0)  # a head known by nothing but its prior has over 5


def refined_quality(rms: float, angle_deg: float, share_seen: float, std_mm: float) -> float:
    """0 (do not trust) .. 1; without normals (angle NaN) the landmarks alone decide."""
    quality = _linear(rms, _RMS) * _linear(std_mm, _STD_MM)
    if np.isfinite(angle_deg):
        quality *= _linear(angle_deg, _ANGLE_DEG) * _linear(share_seen, _SHARE)
    return quality


def _linear(value: float, good_bad: tuple[float, float]) -> float:
    good, bad = good_bad
    return float(np.clip((bad - value) / (bad - good), 0.0, 1.0))
