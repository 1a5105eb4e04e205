"""Cuts the live cropper's square out of a drawn window, picture and truth alike."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from engine.stages.crop_geometry import FaceSquare, crop_matrix, face_square
from engine.stages.crop_picture import cut_square, resized_square
from engine.stages.face_cropper import CropConfig
from engine.synth.sample import U16, code_normals
from engine.synth.scene_renderer import SceneMaps
from engine.types import F32, F64, U8

__all__ = ["CropMaps", "crop_maps", "draw_crop"]

_LIVE = CropConfig()
"""Pictures come by the same way as live ones."""

AnyArray = npt.NDArray[Any]

# What tracking adds: the square lags behind a moving face.
_SHIFT_STD, _SCALE_STD, _ROLL_STD = 0.012, 0.02, 0.02


@dataclass(frozen=True, slots=True, eq=False)
class CropMaps:
    """A crop of S x S px."""

    image: U8  # (S, S, 3)
    head_normals: U8  # (S, S, 3) coded
    view_normals: U8  # (S, S, 3) coded, crop-view frame
    parsing: U8  # (S, S)
    depth: U16  # (S, S) tenths of mm


def draw_crop(rng: np.random.Generator, points: F32) -> FaceSquare:
    """The square that is cut for MediaPipe's points (478, 3) px, as tracking leaves it."""
    square = face_square(points[:, :2], _LIVE.margin)
    return FaceSquare(
        square.centre + rng.normal(0, _SHIFT_STD, 2) * square.side,
        square.side * float(np.exp(rng.normal(0, _SCALE_STD))),
        square.roll + float(rng.normal(0, _ROLL_STD)),
    )


def crop_maps(
    image: U8, maps: SceneMaps, square: FaceSquare, size: int, cropview_from_head: F64
) -> CropMaps:
    """Warp picture and truth.

    Args:
        image: (H, W, 3) the window's finished picture.
        cropview_from_head: (3, 3) rotation.
    """
    crop_from_window = crop_matrix(square, size)
    smooth, nearest = cv2.INTER_LINEAR, cv2.INTER_NEAREST
    # Normals are averaged first and made unit again: outlines mix with nothing, of length zero.
    normals = _warp(maps.head_normals, crop_from_window, size, smooth)
    parsing = _warp(maps.parsing, crop_from_window, size, nearest)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    has_surface = (parsing > 0) & (length[..., 0] > 1e-3)
    unit = np.where(has_surface[..., None], normals / np.maximum(length, 1e-3), 0)
    turned = unit @ cropview_from_head.T.astype(np.float32)
    depth = _warp(maps.depth, crop_from_window, size, nearest)
    return CropMaps(
        image=resized_square(cut_square(image, square, _LIVE.size_px), size),
        head_normals=code_normals(unit.astype(np.float32)),
        view_normals=code_normals(turned.astype(np.float32)),
        parsing=np.where(has_surface, parsing, 0).astype(np.uint8),
        depth=np.where(has_surface, np.rint(depth * 1e4), 0).astype(np.uint16),
    )


def _warp(picture: AnyArray, matrix: F64, size: int, interpolation: int) -> AnyArray:
    warped: AnyArray = cv2.warpAffine(picture, matrix, (size, size), flags=interpolation)
    return warped
