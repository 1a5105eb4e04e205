"""CropPose: where a head is, as a crop alone can tell; and back to the camera's R and t.

The crop is 1 x 1 with (0, 0) its upper left corner, x right, y down: a pixel's centre lies at
(px + 0.5) / size. The head is seen by weak perspective around its anchor, the middle of its face:

    (x, y) = (0.5 + tx, 0.5 + ty) + s * (X, -Y),   (X, Y, Z) = R (v - anchor)

with v in the head frame, metres, and R from the head frame to the crop-view frame.
"""

import math
from dataclasses import dataclass

import numpy as np

from engine.flame.model import HeadModel
from engine.frames import project, project_with_slopes, view_from_crop
from engine.types import F64, Camera

__all__ = ["CropPose", "crop_pose", "face_anchor", "pose_in_view", "project_weakly"]

_WHOLE_CROP = np.eye(3)[:2]
_FLIP = np.array([1.0, -1.0, -1.0])


@dataclass(frozen=True, slots=True, eq=False)
class CropPose:
    """A head in a crop."""

    R: F64  # (3, 3) crop-view frame from head frame
    camera: F64  # (3,) log s with s in crop sides per metre at the anchor; tx, ty in crop sides


def face_anchor(model: HeadModel) -> F64:
    """(3,) metres, head frame: the middle of the mean head's face, the same for all people."""
    middle: F64 = model.v_template[model.regions["face"]].mean(axis=0).astype(np.float64)
    return middle


def crop_pose(camera: Camera, R: F64, t: F64, anchor: F64) -> CropPose:
    """The pose in the picture of a square camera, such as `frames.crop_camera` gives.

    Args:
        R, t: (3, 3), (3,) metres, view from head.
    Raises: ValueError: if the anchor is not in front of the camera.
    """
    place = R @ anchor + t
    if not place[2] < 0:
        raise ValueError(f"the face lies at z = {place[2]:.3f} m, expected in front of the camera")
    turn = view_from_crop(camera, _WHOLE_CROP, camera.width)
    scale = _sides_per_metre(camera, place, turn)
    shift = (project(place, camera.K) + 0.5) / camera.width - 0.5
    return CropPose(turn.T @ R, np.array([np.log(scale), *shift]))


def pose_in_view(camera: Camera, pose: CropPose, anchor: F64) -> tuple[F64, F64]:
    """R (3, 3) and t (3,) metres, view from head: the inverse of `crop_pose`, exactly."""
    size = camera.width
    turn = view_from_crop(camera, _WHOLE_CROP, size)
    pixel = (pose.camera[1:] + 0.5) * size - 0.5
    ray = np.linalg.solve(camera.K, np.array([*pixel, 1.0])) * _FLIP
    # Size falls with distance: a metre ahead it is known.
    distance = _sides_per_metre(camera, ray, turn) / math.exp(pose.camera[0])
    R = turn @ pose.R
    return R, distance * ray - R @ anchor


def project_weakly(points: F64, pose: CropPose, anchor: F64) -> F64:
    """(N, 3) metres, head frame -> (N, 2) crop sides, y down."""
    turned = (points - anchor) @ pose.R.T
    flat: F64 = 0.5 + pose.camera[1:] + np.exp(pose.camera[0]) * turned[:, :2] * [1.0, -1.0]
    return flat


def _sides_per_metre(camera: Camera, place: F64, turn: F64) -> float:
    """Root of the area in the crop of a small plate at a place, parallel to the crop's plane."""
    _, slopes = project_with_slopes(place[:, None], camera.K)
    (a, b), (c, d) = slopes[:, :, 0] @ turn[:, :2]
    return math.sqrt(abs(a * d - b * c)) / camera.width
