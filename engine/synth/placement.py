"""Where the head stands and what looks at it."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from engine.frames import project
from engine.types import F64, Camera

__all__ = ["WINDOW_PX", "Placement", "centred", "draw_placement"]

WINDOW_PX = 256
"""Side of the picture that is drawn: the part of a camera's frame around the head."""

_HEAD_MIDDLE = np.array([0.0, 0.0, 0.045])  # model frame, metres: what is put in the middle


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """A head in front of a camera."""

    R: F64  # (3, 3) view from head
    t: F64  # (3,) metres
    camera: Camera  # of the window


def draw_placement(rng: np.random.Generator) -> Placement:
    """Head pose, distance, place in the camera's frame and field of view.

    The window is cut out of a larger frame: its principal point may lie far outside of it.
    """
    distance = float(np.exp(rng.uniform(np.log(0.28), np.log(2.2))))
    width_m = float(np.exp(rng.normal(np.log(0.36), 0.14)))
    focal = WINDOW_PX * distance / width_m
    ray = np.array([np.tan(rng.normal(0, 0.16)), np.tan(rng.normal(0, 0.10)), -1.0])
    off_px = rng.normal(0, 0.04, 2) * WINDOW_PX
    if rng.random() < 0.10:  # cut off by the edge of the frame
        off_px += rng.uniform(-0.35, 0.35, 2) * WINDOW_PX
    middle = (WINDOW_PX - 1) / 2
    # A view-frame point on the ray lands on the window's middle: u = cx + f x / -z.
    K = np.array(
        [
            [focal, 0.0, middle + off_px[0] - focal * ray[0]],
            [0.0, focal, middle + off_px[1] + focal * ray[1]],
            [0.0, 0.0, 1.0],
        ]
    )
    R = _towards(ray) @ _draw_pose(rng)
    return Placement(
        R=R, t=distance * ray - R @ _HEAD_MIDDLE, camera=Camera(K, WINDOW_PX, WINDOW_PX)
    )


def centred(placement: Placement) -> Placement:
    """The same view of the head by a camera whose axis goes through the middle of the window.

    Distance, focal length, place in the window and pose against the line of sight stay.
    """
    K = placement.camera.K.copy()
    seen = placement.R @ _HEAD_MIDDLE + placement.t
    at = project(seen, K)
    middle = (WINDOW_PX - 1) / 2
    K[:2, 2] = middle
    ray = np.array([(at[0] - middle) / K[0, 0], (middle - at[1]) / K[1, 1], -1.0])
    R = _towards(ray) @ _towards(seen).T @ placement.R
    distance = np.linalg.norm(seen) / np.linalg.norm(ray)
    camera = Camera(K, WINDOW_PX, WINDOW_PX)
    return Placement(R=R, t=distance * ray - R @ _HEAD_MIDDLE, camera=camera)


def _draw_pose(rng: np.random.Generator) -> F64:
    """Rotation against the line of sight."""
    yaw = rng.normal(0, 20) if rng.random() < 0.6 else rng.uniform(-72, 72)
    roll = rng.normal(0, 10) if rng.random() < 0.93 else rng.uniform(-45, 45)
    angles = [roll, float(np.clip(yaw, -80, 80)), float(rng.normal(0, 13))]
    # Intrinsic turns about z, y, x: the last acts on the head first, roll is about the sight line.
    pose: F64 = Rotation.from_euler("ZYX", angles, degrees=True).as_matrix()
    return pose


def _towards(ray: F64) -> F64:
    """(3, 3) the rotation that turns -z into the ray, without roll."""
    z = -ray / np.linalg.norm(ray)
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(z, x), z])
