"""What each peer cuts out of a frame: box and warp as its own program has them.

The boxes come from MediaPipe's points. SMIRK takes these itself; the others take points of other
detectors (FAN's 68, insightface's 5), of which MediaPipe's stand-ins lie close by, not in the same
place. Pixels: (0, 0) is the centre of the first pixel.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from torch.nn import functional

from engine.stages.mediapipe_points import BROWS, IRISES
from engine.types import F32, F64, U8

__all__ = ["CROPS", "PeerCrop", "deca_crop", "fan_box", "mica_crop", "sheap_crop", "smirk_crop"]

_DECA_PX, _MICA_PX = 224, 112

_JAW_LINE = (127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152,
             377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356)  # fmt: skip
_NOSE_TIP, _MOUTH_CORNERS = 4, (61, 291)
_FAN_LIKE = (*_JAW_LINE, *BROWS)
"""The outermost of FAN's points are those of jaw line and brows."""

_SHEAP_MARGIN, _SHEAP_UP = 0.9, 0.5  # of half the box's larger side, which its demos have
_SHEAP_TINY = 0.02  # half a face's share of the picture

_ARCFACE_POINTS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
     [70.7299, 92.2041]]
)  # fmt: skip
"""Where eyes, nose and mouth corners lie in 112 px, image-left first. Source: insightface."""


@dataclass(frozen=True, slots=True, eq=False)
class PeerCrop:
    """What a network sees."""

    image: F32  # (S, S, 3) RGB 0..255
    crop_from_frame: F64  # (2, 3) frame px -> crop px


def deca_crop(image: U8, landmarks: F32) -> PeerCrop:
    """DECA's and EMOCA's: 1.25 x 1.1 x the mean of width and height of FAN's box, around it.

    Args:
        image: (H, W, 3) RGB; landmarks: (478, 2) MediaPipe's, frame px.
    """
    low, high = fan_box(landmarks)
    size = int(float((high - low).mean()) * 1.1 * 1.25)
    matrix = _corners_matrix((low + high) / 2, size, _DECA_PX)
    return PeerCrop(_warped(image, matrix, _DECA_PX), matrix)


def smirk_crop(image: U8, landmarks: F32) -> PeerCrop:
    """SMIRK's: 1.4 x the mean of width and height of the box of MediaPipe's points, around it.

    Args: as `deca_crop`.
    """
    # SMIRK counts pixels from the corner, as MediaPipe does, when it places the box.
    points = landmarks.astype(np.float64) + 0.5
    low, high = points.min(axis=0), points.max(axis=0)
    size = int(float((high - low).mean()) * 1.4)
    matrix = _corners_matrix((low + high) / 2, size, _DECA_PX)
    # It rounds down to whole values.
    return PeerCrop(np.floor(_warped(image, matrix, _DECA_PX)), matrix)


def sheap_crop(image: U8, landmarks: F32) -> PeerCrop:
    """SHeaP's, as its demos have it: a square of shares of the picture, cut off at its edges.

    Where the picture's edge cuts it, it is no square any more, and is squeezed into one. Of tiny
    faces it takes the whole picture.

    Args: as `deca_crop`.
    """
    height, width = image.shape[:2]
    low, high = (side / [width, height] for side in fan_box(landmarks))
    half = float((high - low).max()) / 2
    centre = (low + high) / 2 - [0.0, half * _SHEAP_UP]
    reach = half * (1 + _SHEAP_MARGIN) * np.array([height / width, 1.0])
    edges = np.concatenate([centre - reach, centre + reach]).clip(0.0, 1.0)
    if half <= _SHEAP_TINY:
        edges = np.array([0.0, 0.0, 1.0, 1.0])
    left, top, right, bottom = (int(e) for e in edges * [width, height, width, height])
    left, top = min(left, width - 2), min(top, height - 2)
    right, bottom = max(right, left + 2), max(bottom, top + 2)
    scale = _DECA_PX / np.array([right - left, bottom - top])
    # Resizing keeps corners, not centres, of pixels in place.
    shift = (0.5 - np.array([left, top])) * scale - 0.5
    return PeerCrop(
        _resized(image[top:bottom, left:right], _DECA_PX),
        np.column_stack([np.diag(scale), shift]),
    )


def mica_crop(image: U8, landmarks: F32) -> PeerCrop:
    """ArcFace's: the similarity that lays eyes, nose and mouth corners where it has them.

    Args: as `deca_crop`.
    """
    five = landmarks[[*IRISES, _NOSE_TIP, *_MOUTH_CORNERS]].astype(np.float64)
    matrix = _similarity(five, _ARCFACE_POINTS)
    return PeerCrop(np.rint(_warped(image, matrix, _MICA_PX)), matrix)


CROPS: Final[dict[str, Callable[[U8, F32], PeerCrop]]] = {
    "deca": deca_crop,
    "emoca": deca_crop,
    "smirk": smirk_crop,
    "sheap": sheap_crop,
    "mica": mica_crop,
}
"""By peer."""


def fan_box(landmarks: F32) -> tuple[F64, F64]:
    """The box of what stands in for FAN's 68 points: (2,) least and (2,) greatest px."""
    points = landmarks[list(_FAN_LIKE)].astype(np.float64)
    return points.min(axis=0), points.max(axis=0)


def _corners_matrix(centre: F64, size: int, size_px: int) -> F64:
    """(2, 3) frame px to crop px: a box's corners fall on centres of the crop's corner pixels."""
    scale = (size_px - 1) / max(size, 1)
    return np.column_stack([scale * np.eye(2), -scale * (centre - size / 2)])


def _similarity(source: F64, target: F64) -> F64:
    """(2, 3) turn, scale and shift that takes (N, 2) to (N, 2) with the least squares."""
    own, other = source - source.mean(axis=0), target - target.mean(axis=0)
    spread = float((own**2).sum())
    along = float((own * other).sum()) / spread
    across = float((own[:, 0] * other[:, 1] - own[:, 1] * other[:, 0]).sum()) / spread
    linear = np.array([[along, -across], [across, along]])
    return np.column_stack([linear, target.mean(axis=0) - linear @ source.mean(axis=0)])


def _warped(image: U8, matrix: F64, size_px: int) -> F32:
    """(S, S, 3) bilinear samples 0..255, black outside; no averaging, as the peers have it."""
    crop = cv2.warpAffine(
        *_region(image, matrix, size_px), (size_px, size_px), flags=cv2.INTER_LINEAR
    )
    return np.asarray(crop, np.float32)


def _region(image: U8, matrix: F64, size_px: int) -> tuple[F32, F64]:
    """The part of a picture that a crop needs, as floats, and the matrix from it."""
    frame_from_crop = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0], [size_px, 0], [0, size_px], [size_px, size_px]], np.float64)
    places = corners @ frame_from_crop[:, :2].T + frame_from_crop[:, 2]
    limit = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(places.min(axis=0)) - 2, 0, limit - 1).astype(int)
    high = np.clip(np.ceil(places.max(axis=0)) + 3, low + 1, limit).astype(int)
    part = image[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ low
    return part, moved


def _resized(image: U8, size_px: int) -> F32:
    """(S, S, 3) 0..255, bilinear with averaging where it shrinks."""
    picture = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    small = functional.interpolate(
        picture, (size_px, size_px), mode="bilinear", antialias=True, align_corners=False
    )
    resized: F32 = small[0].permute(1, 2, 0).numpy()
    return resized
