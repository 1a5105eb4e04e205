"""Reads landmark files of 300-W: a small text, pixels counted from 1 as Matlab does."""

from pathlib import Path

import numpy as np

from engine.errors import AssetError
from engine.types import F64

__all__ = ["read_pts"]


def read_pts(path: Path) -> F64:
    """(68, 2) pixels, (0, 0) the centre of the first pixel.

    Raises: AssetError: if the file is missing, damaged, or has another number of points.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise AssetError(f"landmarks {path} cannot be read: {error.strerror or error}") from error
    try:
        body = text[text.index("{") + 1 : text.index("}")]
        points = np.array([line.split() for line in body.splitlines() if line.strip()], np.float64)
    except ValueError as error:
        raise AssetError(
            f"{path} is no .pts file ({error}); expected lines of x and y between braces"
        ) from error
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise AssetError(f"{path} holds points of shape {points.shape}, expected 68 of x and y")
    counted_from_0: F64 = points - 1.0
    return counted_from_0
