"""What a faultless normal network would see: true normals on any crop, for methods as oracles."""

import cv2
import numpy as np

from engine.types import F32, F64, NormalMap

__all__ = ["cut_normals"]


def cut_normals(whole: NormalMap, map_from_frame: F64, size: int) -> NormalMap:
    """The true normals of a frame on the pixels of a network's map.

    Args:
        whole: of the whole frame, e.g. `Truth.normals`.
        map_from_frame: (2, 3) similarity, frame px -> the map's px.
        size: side of the map, px.
    """
    lifted = np.vstack([whole.crop_from_frame, [0.0, 0.0, 1.0]])
    map_from_whole = map_from_frame @ np.linalg.inv(lifted)
    smooth, nearest = cv2.INTER_LINEAR, cv2.INTER_NEAREST
    mask = _warp(whole.mask, map_from_whole, size, nearest)
    parsing = whole.parsing
    if parsing is not None:
        parsing = cv2.warpAffine(parsing, map_from_whole, (size, size), flags=nearest)
    return NormalMap(
        head=_unit(whole.head, map_from_whole, size, smooth),
        view=_unit(whole.view, map_from_whole, size, smooth),
        mask=mask,
        confidence=mask,
        parsing=None if parsing is None else np.asarray(parsing, np.uint8),
        crop_from_frame=map_from_frame,
    )


def _unit(normals: F32 | None, matrix: F64, size: int, flags: int) -> F32 | None:
    if normals is None:
        return None
    warped = _warp(normals, matrix, size, flags)
    lengths = np.linalg.norm(warped, axis=-1, keepdims=True)
    unit: F32 = np.where(lengths > 1e-3, warped / np.maximum(lengths, 1e-3), 0.0).astype(np.float32)
    return unit


def _warp(picture: F32, matrix: F64, size: int, flags: int) -> F32:
    warped: F32 = cv2.warpAffine(picture, matrix, (size, size), flags=flags)
    return warped
