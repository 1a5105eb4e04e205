"""Values and slopes of a NormalMap between its pixels."""

import numpy as np

from engine.types import F32, F64, NormalMap

__all__ = ["NormalSampler"]

_HALF = 0.5
"""Shorter vectors than this are no normals: maps are zero where they know nothing."""
_AROUND = np.arange(-1, 3)


class NormalSampler:
    """One map, for reading at many places; (x, y) = (0, 0) is its first pixel's centre."""

    def __init__(self, normals: NormalMap) -> None:
        """Raises: ValueError: if the map holds a number that is not finite."""
        for name in ("head", "view", "mask", "confidence"):
            array = getattr(normals, name)
            if array is not None and not _is_finite(array):
                n_bad = int((~np.isfinite(array)).sum())
                raise ValueError(
                    f"NormalMap.{name} has {n_bad} values that are not finite; the network that "
                    "made it is broken or its input was: check the weights, or skip this frame"
                )
        self.from_frame = normals.crop_from_frame
        self.has_head, self.has_view = normals.head is not None, normals.view is not None
        self._size = normals.mask.shape[0]
        self._maps = [m.reshape(-1, 3) for m in (normals.head, normals.view) if m is not None]
        self._weights = normals.mask.ravel(), normals.confidence.ravel()
        self._stencil = (self._size * _AROUND[:, None] + _AROUND)[:, :, None]

    def at(self, frame_px: F64) -> tuple[F32 | None, F32 | None, F32]:
        """Read the map where frame pixels are in it.

        Args:
            frame_px: (2, M) px of the frame.
        Returns: head and view, each (3, 3, M) or None: value, slope along the map's x, slope along
            its y (per px of the map), of each component; and (M,) the weight, 0 at the map's edge
            and beyond, and the least of the 4 x 4 px read elsewhere.
        """
        places = self.from_frame[:, :2] @ frame_px + self.from_frame[:, 2:]
        inside = ((places >= 1) & (places < self._size - 2)).all(axis=0)  # false for NaN
        places = np.where(inside, places, 1.0)
        cell = places.astype(np.int64)  # floor: all are positive
        pixels = self._stencil + (cell[1] * self._size + cell[0])  # (4 rows, 4 columns, M)
        fraction = (places - cell).astype(np.float32)
        mask, confidence = (values.take(pixels, mode="clip") for values in self._weights)
        weight = np.maximum(mask * confidence, 0.0)
        read = np.empty((4, 4, len(self._maps), 3, pixels.shape[2]), np.float32)
        for number, values in enumerate(self._maps):
            read[:, :, number] = values.take(pixels, axis=0, mode="clip").swapaxes(2, 3)
        weight *= ((read * read).sum(axis=3) > _HALF**2).all(axis=2)
        least: F32 = weight.min(axis=(0, 1)) * inside
        mixed = _mixed(read, fraction)
        head, view = mixed[:, 0], mixed[:, -1]
        return head if self.has_head else None, view if self.has_view else None, least


def _is_finite(array: F32) -> bool:
    """Whether all numbers are, by one sum over them where it is."""
    flat = array.ravel()
    return bool(np.isfinite(np.dot(flat, flat)) or np.isfinite(array).all())


def _mixed(read: F32, fraction: F32) -> F32:
    """(3, ..., M) of 4 x 4 px, (4, 4, ..., M): bilinear value, central differences of it over 2 px.

    Args: fraction: (2, M) where between the middle pixels, in x and y.
    """
    x, y = fraction
    out = np.empty((3, *read.shape[2:]), np.float32)
    columns = read[:, 1] + x * (read[:, 2] - read[:, 1])
    out[0] = columns[1] + y * (columns[2] - columns[1])
    ahead = 0.5 * (read[1:3, 2:] - read[1:3, :2])  # halves of differences over 2 columns
    along = ahead[:, 0] + x * (ahead[:, 1] - ahead[:, 0])
    out[1] = along[0] + y * (along[1] - along[0])
    below = 0.5 * (columns[2:] - columns[:2])
    out[2] = below[0] + y * (below[1] - below[0])
    return out
