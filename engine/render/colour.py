"""sRGB: the numbers, for numpy here and as uniforms for shaders/include/srgb.glsl.

Source: IEC 61966-2-1, the piecewise transfer function.
"""

import numpy as np

from engine.types import F32

__all__ = ["SRGB_UNIFORMS", "linear_from_srgb", "srgb_from_linear"]

_SLOPE = 12.92
_OFFSET = 0.055
_GAMMA = 2.4
_KNEE_LINEAR = 0.0031308
_KNEE_ENCODED = 0.04045

SRGB_UNIFORMS = {
    "u_srgb_slope": _SLOPE,
    "u_srgb_offset": _OFFSET,
    "u_srgb_exponent": 1.0 / _GAMMA,
    "u_srgb_knee": _KNEE_LINEAR,
}


def linear_from_srgb(encoded: F32) -> F32:
    """Encoded 0..1 -> linear light 0..1."""
    curve = np.power((np.maximum(encoded, 0.0) + _OFFSET) / (1.0 + _OFFSET), _GAMMA)
    return np.where(encoded <= _KNEE_ENCODED, encoded / _SLOPE, curve).astype(np.float32)


def srgb_from_linear(linear: F32) -> F32:
    """Linear light 0..1 -> encoded 0..1."""
    curve = (1.0 + _OFFSET) * np.power(np.maximum(linear, 0.0), 1.0 / _GAMMA) - _OFFSET
    return np.where(linear <= _KNEE_LINEAR, linear * _SLOPE, curve).astype(np.float32)
