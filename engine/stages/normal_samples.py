"""Values and slopes of a NormalMap between its pixels."""

import numpy as np

from engine.types import F32, F64, NormalMap

__all__ = ["NormalSampler"]

_HALF = 0.5
"""Shorter vectors than this are no normals: maps are zero where they know nothing."""


class NormalSampler:
    """One map, packed for reading at many places; (x, y) = (0, 0) is its first pixel's centre."""

    def __init__(self, normals: NormalMap) -> None:
        """Raises: ValueError: if the map holds a number that is not finite."""
        for name in ("head", "view", "mask", "confidence"):
            array = getattr(normals, name)
            if array is not None and not np.isfinite(array).all():
                n_bad = int((~np.isfinite(array)).sum())
                raise ValueError(
                    f"NormalMap.{name} has {n_bad} values that are not finite; the network that "
                    "made it is broken or its input was: check the weights, or skip this frame"
                )
        self.from_frame = normals.crop_from_frame
        self.has_head, self.has_view = normals.head is not None, normals.view is not None
        self._size = normals.mask.shape[0]
        maps = [m for m in (normals.head, normals.view) if m is not None]
        weight = normals.mask * normals.confidence
        for m in maps:
            weight = weight * (np.einsum("yxc,yxc->yx", m, m) > _HALF**2)
        packed = np.concatenate([*maps, np.maximum(weight, 0.0)[..., None]], axis=2)
        self._pixels = np.ascontiguousarray(packed.reshape(self._size**2, -1), np.float32)
        self._stencil = (self._size * np.arange(-1, 3)[:, None] + np.arange(-1, 3)).ravel()

    def at(self, frame_px: F64) -> tuple[F32 | None, F32 | None, F32]:
        """Read the map where frame pixels are in it.

        Args:
            frame_px: (M, 2) px of the frame.
        Returns: head and view, each (M, 3, 3) or None: value, slope along the map's x, slope along
            its y (per px of the map); and (M,) the weight, 0 at the map's edge and beyond, and the
            least of the 4 x 4 px read elsewhere.
        """
        places = np.nan_to_num(frame_px @ self.from_frame[:, :2].T + self.from_frame[:, 2], nan=-9)
        inside = ((places >= 1) & (places < self._size - 2)).all(axis=1)
        places = np.where(inside[:, None], places, 1.0)
        cell = places.astype(np.int64)  # floor: all are positive
        read = self._pixels[(cell[:, 1] * self._size + cell[:, 0])[:, None] + self._stencil]
        weight: F32 = read[..., -1].min(axis=1) * inside
        mixed = _stencils((places - cell).astype(np.float32)) @ read
        head = mixed[..., :3] if self.has_head else None
        view = mixed[..., -4:-1] if self.has_view else None
        return head, view, weight


def _stencils(fraction: F32) -> F32:
    """(M, 3, 16) weights of 4 x 4 px: bilinear value, and central differences of it over 2 px."""
    zero, rest = np.zeros_like(fraction), 1 - fraction
    value = np.stack([zero, rest, fraction, zero], axis=-1)  # (M, xy, 4)
    slope = 0.5 * np.stack([-rest, -fraction, rest, fraction], axis=-1)
    along_x = np.stack([value[:, 0], slope[:, 0], value[:, 0]], axis=1)
    along_y = np.stack([value[:, 1], value[:, 1], slope[:, 1]], axis=1)
    weights: F32 = (along_y[..., :, None] * along_x[..., None, :]).reshape(-1, 3, 16)
    return weights
