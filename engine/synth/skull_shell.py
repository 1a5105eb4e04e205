"""SkullShell: how far a head reaches in every direction, for cloth and hats to lie around it."""

from functools import lru_cache

import cv2
import numpy as np

from engine.synth.prop_shapes import unit
from engine.types import F64

__all__ = ["SkullShell", "around_the_top", "directions_of", "skull_centre", "skull_shell"]

_ROWS, _COLUMNS = 24, 48
"""Cells of 7.5 degrees of latitude and longitude."""

# Millimetres above the eyes, as in FaceAxes.
_CRANIUM_FROM, _COVERED_FROM, _CENTRE_OVER_BROW = 5.0, -30.0, 2.0


class SkullShell:
    """A smooth surface around a head's vertices, seen from a centre in it."""

    def __init__(self, vertices: F64, centre: F64, *, smoothing: float = 1.0) -> None:
        """Find the reach of vertices in all directions.

        Args:
            vertices: (N, 3) of the head's outer surface; what lies deeper has no say.
            centre: (3,) within the head.
            smoothing: width of the filter in cells.
        """
        self.centre = centre
        away = vertices - centre
        reach = np.sqrt(np.einsum("nk,nk->n", away, away))
        row, column = _cells(away / np.maximum(reach, 1e-9)[:, None])
        outermost = np.zeros((_ROWS + 1) * _COLUMNS)
        cell = np.rint(row).astype(int) * _COLUMNS + np.rint(column).astype(int) % _COLUMNS
        np.maximum.at(outermost, cell, reach)
        reaches = _filled(outermost.reshape(_ROWS + 1, _COLUMNS))
        self._reach = self._smoothed(reaches, smoothing)
        self._raise_above(row, column, reach)

    @staticmethod
    def _smoothed(reach: F64, smoothing: float) -> F64:
        grown = cv2.dilate(_wrapped(reach, 8), np.ones((3, 3)))
        soft: F64 = cv2.GaussianBlur(grown, (0, 0), smoothing)[8:-8, 8:-8]
        return soft

    def _raise_above(self, row: F64, column: F64, reach: F64) -> None:
        """Lift cells until no vertex sticks out."""
        r, c = row.astype(int), column.astype(int)
        missing = reach - self._interpolate(row, column)
        out = missing > 0.0
        lift = np.zeros_like(self._reach)
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            cells = np.minimum(r[out] + i, _ROWS), (c[out] + j) % _COLUMNS
            np.maximum.at(lift, cells, missing[out])
        self._reach = self._reach + lift

    def _interpolate(self, row: F64, column: F64) -> F64:
        r, c = np.minimum(row.astype(int), _ROWS - 1), column.astype(int) % _COLUMNS
        v, u = row - r, column - np.floor(column)
        following = (c + 1) % _COLUMNS
        lower = self._reach[r, c] * (1 - u) + self._reach[r, following] * u
        upper = self._reach[r + 1, c] * (1 - u) + self._reach[r + 1, following] * u
        between: F64 = lower * (1 - v) + upper * v
        return between

    def reach(self, directions: F64) -> F64:
        """(..., 3) unit -> (...) distance from the centre, at or outside of all vertices."""
        flat = directions.reshape(-1, 3)
        return self._interpolate(*_cells(flat)).reshape(directions.shape[:-1])

    def around(self, directions: F64, offset: F64 | float, *, stretch: F64 | float = 1.0) -> F64:
        """Points outside the head by offset, and stretch times as far from the centre."""
        reach = self.reach(directions) * stretch + offset
        points: F64 = self.centre + directions * reach[..., None]
        return points


def skull_centre(head: F64, landmarks: F64) -> F64:
    """(3,) from where a shell looks at a head: a little above the brow, half way to the back.

    Args:
        head: (N, 3) of the head's outer surface, in the millimetres of its FaceAxes.
        landmarks: (68, 3) in the same frame, iBUG order.
    """
    cranium = head[head[:, 1] > _CRANIUM_FROM]
    middle = 0.5 * (cranium.min(axis=0) + cranium.max(axis=0))
    return np.array([0.0, landmarks[17:27, 1].max() + _CENTRE_OVER_BROW, middle[2]])


def skull_shell(head: F64, centre: F64) -> SkullShell:
    """The shell around what hats and hair may cover: down to the nose, without neck and chin.

    Args:
        head: (N, 3), centre: (3,), in the millimetres of the head's FaceAxes.
    """
    return SkullShell(head[head[:, 1] > _COVERED_FROM], centre)


def _wrapped(reach: F64, columns: int) -> F64:
    padded = np.concatenate([reach[:, -columns:], reach, reach[:, :columns]], axis=1)
    ends = [np.repeat(padded[row][None], columns, axis=0) for row in (0, -1)]
    return np.concatenate([ends[0], padded, ends[1]])


def _cells(directions: F64) -> tuple[F64, F64]:
    """Unit directions (N, 3) to rows (0 down .. _ROWS up) and columns (0 ahead, to the left)."""
    latitude = np.arcsin(np.clip(directions[:, 1], -1.0, 1.0))
    longitude = np.arctan2(directions[:, 0], directions[:, 2]) % (2 * np.pi)
    return (latitude / np.pi + 0.5) * _ROWS, longitude * (_COLUMNS / (2 * np.pi))


def _filled(reach: F64) -> F64:
    """Give empty cells the largest neighbour's value."""
    for _ in range(_ROWS):
        empty = reach == 0.0
        if not empty.any() or empty.all():
            break
        grown = cv2.dilate(_wrapped(reach, 1), np.ones((3, 3)))[1:-1, 1:-1]
        reach = np.where(empty, grown, reach)
    return reach


@lru_cache(maxsize=8)
def around_the_top(columns: int) -> F64:
    """(columns,) longitudes, 0 ahead, rising to the subject's left."""
    return np.linspace(0, 2 * np.pi, columns, endpoint=False)


def directions_of(latitude: F64, longitude: F64) -> F64:
    """Unit directions (..., 3), y up and z ahead."""
    level = np.cos(latitude)
    return unit(
        np.stack([level * np.sin(longitude), np.sin(latitude), level * np.cos(longitude)], axis=-1)
    )
