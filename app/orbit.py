"""The avatar's own camera: a head alone, in the middle, that a person can walk around."""

from dataclasses import dataclass, replace

import numpy as np

from engine.flame.lbs import rodrigues
from engine.frames import camera_from_focal
from engine.types import F64, Camera

__all__ = ["Orbit"]

_NEAREST_M, _FARTHEST_M = 0.25, 2.0
_LOW_RAD = 1.4
_FOCAL_RATIO = 1.6  # over the shorter side: 35 degrees, a portrait's
_RAD_PER_PX = 0.008


@dataclass(frozen=True, slots=True)
class Orbit:
    """Where the camera stands; the head keeps its own turning, as the camera saw it."""

    yaw: float = 0.0  # radians; positive: the camera walks to its right
    pitch: float = 0.0  # radians; positive: it rises
    distance: float = 0.62  # metres to the face

    def dragged(self, dx_px: float, dy_px: float) -> "Orbit":
        """After the mouse moved by so much: the head follows the hand."""
        pitch = float(np.clip(self.pitch + _RAD_PER_PX * dy_px, -_LOW_RAD, _LOW_RAD))
        return replace(self, yaw=self.yaw - _RAD_PER_PX * dx_px, pitch=pitch)

    def zoomed(self, steps: float) -> "Orbit":
        """Nearer by so many notches of a wheel."""
        distance = float(np.clip(self.distance * 0.9**steps, _NEAREST_M, _FARTHEST_M))
        return replace(self, distance=distance)

    def camera(self, width: int, height: int) -> Camera:
        """For a picture of this size, px."""
        return camera_from_focal(_FOCAL_RATIO * min(width, height), width, height)

    def place(self, R: F64, centre: F64) -> tuple[F64, F64]:
        """Rotation and translation, view from model, of a head in front of this camera.

        Args:
            R: (3, 3) the head's own, view from model.
            centre: (3,) metres, model frame: what the camera looks at.
        """
        turns = rodrigues(np.array([[self.pitch, 0, 0], [0, -self.yaw, 0]], np.float64), xp=np)
        placed: F64 = turns[0] @ turns[1] @ R
        return placed, np.array([0.0, 0.0, -self.distance]) - placed @ centre
