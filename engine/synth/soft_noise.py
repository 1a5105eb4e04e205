"""Noise that changes smoothly over a picture or a grid."""

import cv2
import numpy as np

from engine.types import F64

__all__ = ["soft_noise"]


def soft_noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, ...]) -> F64:
    """Standard normal numbers on a coarse grid, interpolated by cubics.

    Args:
        shape: (H, W) of the result.
        cells: (h, w) of the coarse grid, or (h, w, C) for C channels.
    Returns: (H, W), or (H, W, C); of about unit size.
    """
    noise: F64 = cv2.resize(rng.normal(0, 1, cells), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return noise
