"""Changes of hair, so that a few styles become many.

Where hair sits must tell nothing of how a head is turned, or a network learns the few styles by
heart and errs with any other.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from engine.types import F32, F64

__all__ = ["hair_moves"]

_CENTRE_BELOW_TOP = 0.095  # metres, of the skull
_TURN_DEG = (9.0, 10.0, 5.0)  # standard deviations: nod, turn, tilt
_LOWEST_NOD_DEG = 9.0  # further down it hides the eyes
_SMALLER, _WIDER = -0.04, 0.22  # log of sizes
_SHORTER, _LONGER = -1.3, 1.4  # log of what hangs below the centre
_FLARE = (-1.2, 2.0)  # change of width a metre below the centre
_WAVES, _WAVE_LENGTH, _WAVE_HEIGHT = 4, (0.04, 0.2), 0.012  # metres
_CUT, _CUT_AT = 0.3, (0.06, 0.12)  # share of styles; metres from the centre
_UNDER_SKIN = 0.35  # of the distance to the centre: what is cut off ends inside of the skull


def hair_moves(rng: np.random.Generator, hair: F32, head: F32) -> F32:
    """(M, 3) how far each vertex of a hairstyle moves.

    Turned, sized, lengthened or cut, waved, in part cut off.
    Args:
        hair: (M, 3) metres, head frame, at rest; head: (V, 3) the head it was made for, at rest.
    """
    top = float(head[:, 1].max())
    upper = head[head[:, 1] > top - _CENTRE_BELOW_TOP]
    centre = np.array([0.0, top - _CENTRE_BELOW_TOP, 0.5 * np.ptp(upper[:, 2]) + upper[:, 2].min()])
    p = hair.astype(np.float64) - centre
    nod, turn, tilt = rng.normal(0, _TURN_DEG)
    p = (
        p
        @ Rotation.from_euler("xyz", [min(nod, _LOWEST_NOD_DEG), turn, tilt], degrees=True)
        .as_matrix()
        .T
    )
    p *= np.exp(rng.uniform(_SMALLER, _WIDER) + rng.uniform(-0.05, 0.05, 3))
    below = np.minimum(p[:, 1], 0.0)
    p[:, 0] *= np.clip(1 - rng.uniform(*_FLARE) * below, 0.6, 1.8)
    p[:, 1] += below * (np.exp(rng.uniform(_SHORTER, _LONGER)) - 1)
    p *= 1 + _waves(rng, p)[:, None]
    if rng.random() < _CUT:
        away = rng.normal(0, 1, 3)
        p[p @ (away / np.linalg.norm(away)) > rng.uniform(*_CUT_AT)] *= _UNDER_SKIN
    moved: F32 = (p + centre - hair).astype(np.float32)
    return moved


def _waves(rng: np.random.Generator, p: F64) -> F64:
    """(M,) relative change of the distance to the centre."""
    per_metre = rng.normal(0, 1, (_WAVES, 3))
    per_metre /= np.linalg.norm(per_metre, axis=1, keepdims=True)
    per_metre *= 2 * np.pi / rng.uniform(*_WAVE_LENGTH, (_WAVES, 1))
    height = rng.uniform(0, _WAVE_HEIGHT) / np.sqrt(_WAVES)
    distance = np.maximum(np.linalg.norm(p, axis=1), 0.05)
    waves = np.sin(p @ per_metre.T + rng.uniform(0, 2 * np.pi, _WAVES)).sum(axis=1)
    relative: F64 = height * waves / distance
    return relative
