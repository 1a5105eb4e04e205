"""Maps that are larger than the optimiser needs, made smaller."""

from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np

from engine.types import F32, U8, NormalMap

__all__ = ["at_most"]

_SHORT = 1e-3
Map = TypeVar("Map", F32, U8)


def at_most(normals: NormalMap, size: int) -> NormalMap:
    """The map with a side of at most `size` px; what is smaller stays as it is.

    Normals and places in the texture are averaged over the pixels that become one; classes are
    those of the nearest pixel, as Pixel3DMM takes them.
    """
    side = len(normals.mask)
    if side <= size:
        return normals
    scale = size / side
    matrix = normals.crop_from_frame * scale
    matrix[:, 2] += (scale - 1) / 2  # (0, 0) is the centre of the first pixel

    return replace(
        normals,
        head=_unit(normals.head, size),
        view=_unit(normals.view, size),
        mask=_nearest(normals.mask, size),
        confidence=_mean(normals.confidence, size),
        parsing=None if normals.parsing is None else _nearest(normals.parsing, size),
        crop_from_frame=matrix,
        uv=None if normals.uv is None else _mean(normals.uv, size),
    )


def _nearest(values: Map, size: int) -> Map:
    small: Map = cv2.resize(values, (size, size), interpolation=cv2.INTER_NEAREST)
    return small


def _mean(values: F32, size: int) -> F32:
    small: F32 = cv2.resize(values, (size, size), interpolation=cv2.INTER_AREA)
    return small


def _unit(normals: F32 | None, size: int) -> F32 | None:
    """Unit again; zero where there is none."""
    if normals is None:
        return None
    small = _mean(normals, size)
    length = np.linalg.norm(small, axis=-1, keepdims=True)
    unit: F32 = np.where(length > _SHORT, small / np.maximum(length, _SHORT), 0.0)
    return unit.astype(np.float32)
