"""What a network sees of faces, drawn over the photo where it saw it. No GL: maps are small."""

from collections.abc import Sequence
from enum import StrEnum

import cv2
import numpy as np

from engine.types import F32, F64, U8, NormalMap

__all__ = ["PredictionMode", "coloured_normals", "coloured_parsing", "paint_predictions"]

_PARSING_RGB = np.array(
    [(0, 0, 0), (236, 178, 140), (74, 144, 226), (208, 60, 80), (122, 82, 48), (240, 214, 90),
     (120, 196, 120), (150, 120, 200)], np.uint8
)  # fmt: skip
"""By class: background, skin, eyes, inside of the mouth, hair, ears, neck, other."""
_MASK_RGB = (90, 220, 120)


class PredictionMode(StrEnum):
    """Which of a network's maps is shown."""

    HEAD_NORMALS = "predicted-head-normals"
    VIEW_NORMALS = "predicted-view-normals"
    MASK = "predicted-mask"


def coloured_normals(normals: F32) -> U8:
    """(..., 3) unit normals as RGB: -1..1 of x, y, z to 0..255, as the mesh's are drawn."""
    colours: U8 = np.clip(normals * 127.5 + 128.0, 0, 255).astype(np.uint8)
    return colours


def coloured_parsing(parsing: U8) -> U8:
    """(..., 3) RGB of classes; black is background."""
    colours: U8 = _PARSING_RGB[np.minimum(parsing, len(_PARSING_RGB) - 1)]
    return colours


def paint_predictions(
    image: U8, maps: Sequence[NormalMap], mode: PredictionMode, opacity: float
) -> U8:
    """A copy of the image with the maps on it; those without this kind leave no trace.

    Args:
        image: (H, W, 3) RGB of the frame that the maps' crop_from_frame starts from.
        opacity: 0..1.
    """
    painted = image.copy()
    for seen in maps:
        if (layer := _layer(seen, mode)) is not None:
            colours, alpha = layer
            _blend(painted, colours, alpha * np.float32(opacity), seen.crop_from_frame)
    return painted


def _layer(seen: NormalMap, mode: PredictionMode) -> tuple[U8, F32] | None:
    """(S, S, 3) RGB and (S, S) opacity of a map; None where it has none of this kind."""
    if mode is PredictionMode.MASK:
        if seen.parsing is None:
            return np.full((*seen.mask.shape, 3), _MASK_RGB, np.uint8), seen.mask
        return coloured_parsing(seen.parsing), (seen.parsing > 0).astype(np.float32)
    normals = seen.head if mode is PredictionMode.HEAD_NORMALS else seen.view
    return None if normals is None else (coloured_normals(normals), seen.mask)


def _blend(image: U8, colours: U8, alpha: F32, map_from_frame: F64) -> None:
    """Put a map over the image, in place; where it is opaque, alpha is 1."""
    frame_from_map = cv2.invertAffineTransform(map_from_frame)
    size, (height, width) = len(alpha), image.shape[:2]
    corners = np.array([[-1, -1, 1], [size, -1, 1], [size, size, 1], [-1, size, 1]])
    places = corners @ frame_from_map.T
    x0, y0 = np.clip(np.floor(places.min(0)), 0, (width, height)).astype(int)
    x1, y1 = np.clip(np.ceil(places.max(0)) + 1, 0, (width, height)).astype(int)
    if x1 <= x0 or y1 <= y0:
        return
    frame_from_map[:, 2] -= (x0, y0)
    part = image[y0:y1, x0:x1]
    # Multiplied by opacity while small: then the photo's pixels cost two operations on bytes.
    under = 255.0 * (1.0 - alpha[..., None])
    layer = np.rint(np.concatenate([colours * alpha[..., None], under], axis=2)).astype(np.uint8)
    area = (int(x1 - x0), int(y1 - y0))
    layer = cv2.warpAffine(layer, frame_from_map, area, borderValue=(0, 0, 0, 255))
    under = cv2.merge([cv2.extractChannel(layer, 3)] * 3)
    over = cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB)
    part[:] = cv2.add(cv2.multiply(part, under, scale=1 / 255.0), over)
