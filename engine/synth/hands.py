"""A hand of five fingers in a chance pose, in millimetres."""

import numpy as np

from engine.synth.prop_shapes import Shape, rounded_body, tube
from engine.types import F64

__all__ = ["hand_parts"]

_KNUCKLES = np.array([[-30.0, 84.0, 0.0], [-10.0, 92.0, 3.0], [11.0, 89.0, 2.0], [30.0, 78.0, 0.0]])
"""Middle of the knuckles; wrist at the origin, fingers up, palm towards -z."""
_LENGTHS = np.array([[42, 26, 20], [46, 29, 21], [42, 27, 20], [33, 20, 18]], np.float64)
"""Phalanges, index finger to little finger. Source: Buryanov & Kotiuk 2010, rounded."""
_ACROSS = np.array([1.0, 0.0, 0.0])
_KINDS = {"flat": (0.02, 0.25), "relaxed": (0.2, 0.6), "claw": (0.5, 0.9), "fist": (1.2, 1.5)}


def hand_parts(rng: np.random.Generator, *, grip: bool = False) -> list[Shape]:
    """Convex or nearly convex pieces of a right hand, palm towards -z, with its forearm.

    Args:
        grip: whether the fingers close around something in the palm.
    """
    low, high = (
        (0.7, 1.1) if grip else _KINDS[str(rng.choice(list(_KINDS), p=[0.4, 0.3, 0.1, 0.2]))]
    )
    curl = rng.uniform(low, high) + rng.normal(0.0, 0.08, 4)
    spread = rng.uniform(0.0, 0.13) * np.array([1.5, 0.5, -0.5, -1.5])
    parts = [
        _finger(_KNUCKLES[i], _LENGTHS[i], 8.6 - 0.6 * (i == 3), curl[i], spread[i])
        for i in range(4)
    ]
    parts.append(_thumb(rng, float(curl.mean())))
    palm = rounded_body(np.array([0.0, 46.0, -2.0]), np.array([42.0, 50.0, 15.0]), roundness=0.62)
    parts.append(palm)
    elbow = np.array([rng.uniform(-30, 30), -230.0, rng.uniform(-40.0, 30.0)])
    share = np.linspace(0.0, 1.0, 6)[:, None]
    widths = np.array([[25, 17], [26, 19], [29, 24], [34, 31], [40, 38], [44, 42]], np.float64)
    parts.append(tube([0.0, 12.0, -2.0] + share * elbow, widths, _ACROSS, sides=12))
    return parts


def _finger(knuckle: F64, lengths: F64, radius: float, curl: float, spread: float) -> Shape:
    """Three phalanges that bend towards the palm, smoothed at the joints."""
    bends = np.cumsum(curl * np.array([0.75, 1.0, 0.7]))
    steps = np.stack([-spread * np.cos(bends), np.cos(bends), -np.sin(bends)], axis=1)
    joints = knuckle + np.concatenate(
        [[[0, -22, -3]], np.zeros((1, 3)), np.cumsum(steps * lengths[:, None], axis=0)]
    )
    share = np.array([0.0, 1.0, 1.35, 1.7, 2.0, 2.3, 2.7, 3.0, 3.4, 3.8, 4.0])
    path = np.stack([np.interp(share, np.arange(5), joints[:, k]) for k in range(3)], axis=1)
    path[1:-1] = 0.25 * path[:-2] + 0.5 * path[1:-1] + 0.25 * path[2:]
    taper = np.interp(share, [0, 1, 2, 4], [1.05, 1.12, 1.0, 0.8]) * radius
    return tube(path, taper, _ACROSS, sides=8)


def _thumb(rng: np.random.Generator, curl: float) -> Shape:
    away = rng.uniform(0.2, 0.9)
    across = np.array([-np.sin(away), np.cos(away), -0.25 - 0.4 * curl])
    tip = across + np.array([0.45, 0.1, -0.3 * curl])
    base = np.array([-24.0, 22.0, -6.0])
    joint = base + 44.0 * across
    path = np.stack([base, 0.5 * (base + joint), joint, joint + 16.0 * tip, joint + 30.0 * tip])
    return tube(path, np.array([14.0, 12.5, 10.5, 10.0, 8.0]), np.array([0.4, 0.1, 0.9]), sides=8)
