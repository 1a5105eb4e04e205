"""A rotation and its derivatives, quickly, for one axis-angle at a time."""

import math

import cv2
import numpy as np

from engine.types import F64

__all__ = ["axis_angle", "turn", "turn_with_slopes"]


def turn(axis_angle: F64) -> F64:
    """`lbs.rodrigues` of one vector, (3,) radians -> (3, 3), a tenth of the time."""
    rotation: F64 = cv2.Rodrigues(axis_angle)[0]
    return rotation


def turn_with_slopes(axis_angle: F64) -> tuple[F64, F64]:
    """The rotation, and how it changes with each component.

    Args:
        axis_angle: (3,) radians.
    Returns: (3, 3), and (3, 3, 3) per radian, the component first.
    """
    rotation, slopes = cv2.Rodrigues(axis_angle)
    return rotation, np.reshape(slopes, (3, 3, 3))


def axis_angle(rotation: F64) -> F64:
    """(3, 3) -> (3,) radians: the inverse of `turn` for angles below pi."""
    twice_sine = np.array(
        [
            rotation[2, 1] - rotation[1, 2],
            rotation[0, 2] - rotation[2, 0],
            rotation[1, 0] - rotation[0, 1],
        ]
    )
    sine = 0.5 * math.sqrt(twice_sine @ twice_sine)
    angle = math.atan2(sine, 0.5 * (rotation[0, 0] + rotation[1, 1] + rotation[2, 2] - 1.0))
    return twice_sine * (0.5 * angle / sine if sine > 0 else 0.5)
