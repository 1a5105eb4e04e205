"""What a network sees of faces, drawn over the photo where it saw it. No GL: maps are small."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import cv2
import numpy as np

from engine.types import F32, F64, U8, NormalMap

__all__ = [
    "MASK_RGB",
    "PARSING_RGB",
    "WORST_ANGLE_DEG",
    "PredictionMode",
    "coloured_angles",
    "coloured_normals",
    "coloured_parsing",
    "paint_map",
    "paint_predictions",
]

PARSING_RGB: Final[Mapping[str, tuple[int, int, int]]] = {
    "background": (0, 0, 0),
    "skin": (236, 178, 140),
    "eyes": (74, 144, 226),
    "mouth_inside": (208, 60, 80),
    "hair": (122, 82, 48),
    "ears": (240, 214, 90),
    "neck": (120, 196, 120),
    "other": (150, 120, 200),
}
"""By class, in the order of the network's indices."""
_PARSING_RGB = np.array(list(PARSING_RGB.values()), np.uint8)
MASK_RGB: Final = (90, 220, 120)
_HALVED_FROM = 3.0
"""Frame pixels for one of a map, from which it is warped at half of the frame's size."""


class PredictionMode(StrEnum):
    """Which of a network's maps is shown."""

    HEAD_NORMALS = "predicted-head-normals"
    VIEW_NORMALS = "predicted-view-normals"
    MASK = "predicted-mask"
    ERROR = "normal-error"  # between these view normals and those of the fitted mesh


WORST_ANGLE_DEG = 40.0
"""Angle between normals that the colours of an error end with."""


def coloured_normals(normals: F32) -> U8:
    """(..., 3) unit normals as RGB: -1..1 of x, y, z to 0..255, as the mesh's are drawn."""
    colours: U8 = np.clip(normals * 127.5 + 128.0, 0, 255).astype(np.uint8)
    return colours


def coloured_parsing(parsing: U8) -> U8:
    """(..., 3) RGB of classes; black is background, white a number that is no class."""
    colours = np.full((256, 3), 255, np.uint8)
    colours[: len(_PARSING_RGB)] = _PARSING_RGB
    return colours[parsing]


def coloured_angles(degrees: F32) -> U8:
    """(S, S) angles as (S, S, 3) RGB: violet for 0, yellow from WORST_ANGLE_DEG on.

    Viridis, which people who see fewer colours can read too.
    """
    grey = np.clip(degrees * (255.0 / WORST_ANGLE_DEG), 0, 255).astype(np.uint8)
    colours: U8 = cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    return colours


def paint_map(image: U8, colours: U8, alpha: F32, map_from_frame: F64) -> None:
    """Put a map, (S, S, 3) RGB with (S, S) opacity, over the image, in place."""
    _blend(image, colours, alpha, map_from_frame)


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
    if mode is PredictionMode.ERROR:
        return None  # a map alone does not know it: see engine.render.normal_error
    if mode is PredictionMode.MASK:
        if seen.parsing is None:
            return np.full((*seen.mask.shape, 3), MASK_RGB, np.uint8), seen.mask
        return coloured_parsing(seen.parsing), (seen.parsing > 0).astype(np.float32)
    normals = seen.head if mode is PredictionMode.HEAD_NORMALS else seen.view
    return None if normals is None else (coloured_normals(normals), seen.mask)


def _blend(image: U8, colours: U8, alpha: F32, map_from_frame: F64) -> None:
    """Put a map over the image, in place; where it is opaque, alpha is 1."""
    # Multiplied by opacity while small: then the photo's pixels cost two operations on bytes.
    over = cv2.multiply(colours, cv2.merge([alpha] * 3), dtype=cv2.CV_8U)
    under = np.rint(255.0 * (1.0 - alpha)).astype(np.uint8)
    layer = cv2.merge([*cv2.split(over), under])
    seen = under < 255
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not len(rows):
        return
    left, right = columns[0] - 1, columns[-1] + 1  # linear sampling fades over one map pixel
    top, bottom = rows[0] - 1, rows[-1] + 1
    frame_from_map = cv2.invertAffineTransform(map_from_frame)
    corners = np.array([[left, top, 1], [right, top, 1], [right, bottom, 1], [left, bottom, 1]])
    places = corners @ frame_from_map.T
    height, width = image.shape[:2]
    x0, y0 = np.clip(np.floor(places.min(0)), 0, (width, height)).astype(int)
    x1, y1 = np.clip(np.ceil(places.max(0)) + 1, 0, (width, height)).astype(int)
    if x1 <= x0 or y1 <= y0:
        return
    frame_from_map[:, 2] -= (x0, y0)
    layer = _warped(layer, frame_from_map, int(x1 - x0), int(y1 - y0))
    under = cv2.merge([cv2.extractChannel(layer, 3)] * 3)
    over = cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB)
    part = image[y0:y1, x0:x1]
    # cv2 writes into the part of the image: numpy's assignment to it takes longer than the rest.
    cv2.add(cv2.multiply(part, under, scale=1 / 255.0), over, dst=part)


def _warped(layer: U8, dst_from_layer: F64, width: int, height: int) -> U8:
    """(height, width, 4), clear where the layer is not; a layer that grows much by way of half."""
    border = (0, 0, 0, 255)
    if np.linalg.det(dst_from_layer[:, :2]) < _HALVED_FROM**2:
        warped: U8 = cv2.warpAffine(layer, dst_from_layer, (width, height), borderValue=border)
        return warped
    # Enlarging is several times as fast as warping.
    half_from_layer = dst_from_layer / 2
    half_from_layer[:, 2] -= 0.25  # centres of pixels
    size = ((width + 1) // 2, (height + 1) // 2)
    half = cv2.warpAffine(layer, half_from_layer, size, borderValue=border)
    enlarged: U8 = cv2.resize(half, (2 * size[0], 2 * size[1]))[:height, :width]
    return enlarged
