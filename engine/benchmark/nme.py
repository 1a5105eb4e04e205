"""Normalised mean error of 68 landmarks in the picture, by all three normalisers in use."""

import numpy as np

from engine.errors import ScoreError
from engine.types import F64

__all__ = ["NORMALISERS", "landmark_values", "normalisers"]

NORMALISERS = ("interocular", "interpupil", "box")
"""Outer eye corners (36, 45), the usual one of 300-W; middles of the eyes' six points each (older,
gives larger figures); root of the landmarks' box' area (usual for 3D faces)."""

_INNER = slice(17, 68)


def normalisers(true: F64) -> dict[str, float]:
    """Lengths in px that errors are divided by; true: (68, 2) px."""
    width, height = np.ptp(true, axis=0)
    pupils = true[36:42].mean(axis=0) - true[42:48].mean(axis=0)
    return {
        "interocular": float(np.linalg.norm(true[36] - true[45])),
        "interpupil": float(np.linalg.norm(pupils)),
        "box": float(np.sqrt(width * height)),
    }


def landmark_values(found: F64, true: F64) -> dict[str, float]:
    """nme_X_percent of all 68 and nme51_X_percent without the jaw line, X each of NORMALISERS.

    Args: found, true: (68, 2) px of one picture.
    Raises: ScoreError: if a landmark is not finite, or all lie in one point.
    """
    for name, points in (("predicted", found), ("true", true)):
        if not np.isfinite(points).all():
            raise ScoreError(f"{name} landmarks are not all finite; NME needs all 68")
    error = np.linalg.norm(found - true, axis=1)
    values: dict[str, float] = {}
    for name, length in normalisers(true).items():
        if length <= 0:
            raise ScoreError(f"the true landmarks have no {name} extent; is the .pts file damaged?")
        values[f"nme_{name}_percent"] = float(100 * error.mean() / length)
        values[f"nme51_{name}_percent"] = float(100 * error[_INNER].mean() / length)
    return values
