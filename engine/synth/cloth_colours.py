"""Colours of cloth, plastic and paint."""

import colorsys

import numpy as np

from engine.types import F64

__all__ = ["cloth_colour"]


def cloth_colour(rng: np.random.Generator, *, vivid: float = 0.35) -> F64:
    """(3,) linear light: mostly black, white, grey, navy and muted; at times vivid."""
    if rng.random() < vivid:
        saturation, value = rng.uniform(0.5, 0.95), rng.uniform(0.05, 0.6)
    else:
        saturation, value = rng.uniform(0.0, 0.45), 0.012 * 60.0 ** rng.random()
    return np.array(colorsys.hsv_to_rgb(rng.random(), saturation, value))
