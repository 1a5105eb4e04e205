"""What one camera sees of one posed mesh: matrices, clip planes and the part of the picture."""

from dataclasses import dataclass

import numpy as np

from engine.frames import clip_from_view, view_from_model
from engine.types import F32, F64, Camera

__all__ = ["View", "view_of"]

_NEAREST = 1e-3
"""Metres in front of the camera from which on things are drawn."""
_MARGIN_PX = 2


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A camera and a pose, ready to be uniforms."""

    camera: Camera
    view_from_model: F64  # (4, 4)
    clip_from_view: F64  # (4, 4)
    window: tuple[int, int, int, int]  # x, y, width, height px, y up: all of the mesh is inside

    @property
    def rotation(self) -> F64:
        """(3, 3) view from model."""
        return self.view_from_model[:3, :3]


def view_of(camera: Camera, vertices: F32, R: F64, t: F64) -> View | None:
    """Choose clip planes that hold the mesh, and find where in the picture it can be.

    Args:
        vertices: (V, 3) metres, model frame.
        R, t: (3, 3), (3,) metres, view from model.
    Returns: None when nothing of the mesh is inside the picture and in front of the camera.
    Raises: ValueError: if vertices, R or t are not finite.
    """
    placed = vertices @ np.asarray(R, np.float32).T + np.asarray(t, np.float32)
    if not np.isfinite(placed).all():
        raise ValueError("vertices, R or t hold values that are not finite")
    depth = -placed[:, 2]
    nearest, farthest = float(depth.min()), float(depth.max())
    if farthest <= _NEAREST:
        return None
    near = max(0.9 * nearest, _NEAREST)
    matrix = clip_from_view(camera, near, 1.1 * farthest + _NEAREST)
    window = (0, 0, camera.width, camera.height)
    if nearest > _NEAREST:
        found = _window_of(matrix, placed, camera)
        if found is None:
            return None
        window = found
    return View(camera, view_from_model(R, t), matrix, window)


def _window_of(matrix: F64, placed: F32, camera: Camera) -> tuple[int, int, int, int] | None:
    rows = matrix[[0, 1, 3]].astype(np.float32)
    x, y, w = rows[:, :3] @ placed.T + rows[:, 3:]
    size = np.array([camera.width, camera.height])
    ndc = np.array([[(x / w).min(), (y / w).min()], [(x / w).max(), (y / w).max()]])
    corners = np.clip((0.5 * ndc + 0.5) * size, -1e6, 1e6)
    low = np.clip(np.floor(corners[0]).astype(int) - _MARGIN_PX, 0, size)
    high = np.clip(np.ceil(corners[1]).astype(int) + _MARGIN_PX, 0, size)
    if (high <= low).any():
        return None
    return (int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
