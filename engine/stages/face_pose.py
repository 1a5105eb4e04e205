"""Head pose from points in closed form: scaled orthography, then lifted to the perspective camera.

Source: DeMenthon and Davis 1995 (POS), with the rotation taken from an SVD.
"""

import numpy as np

from engine.types import F64, Camera

__all__ = ["pose_from_points"]


def pose_from_points(points: F64, pixels: F64, camera: Camera, weights: F64) -> tuple[F64, F64]:
    """View from model for known 3D points seen at known pixels.

    Args:
        points: (N, 3) metres, model frame, not all in one plane.
        pixels: (N, 2) px, y down.
        weights: (N,) how much each counts.
    Returns: R (3, 3), t (3,) metres.
    """
    plane = np.linalg.solve(camera.K, np.c_[pixels, np.ones(len(pixels))].T).T
    rays = np.c_[plane[:, :2] / plane[:, 2:] * [1.0, -1.0], -np.ones(len(pixels))]
    # Orthography sees a head along its own line of sight, not along the camera's axis.
    view_from_sight = _towards(weights @ rays)
    rays = rays @ view_from_sight
    plane = rays[:, :2] / -rays[:, 2:]
    total = weights.sum()
    centre, centre_plane = weights @ points / total, weights @ plane / total
    X, x = points - centre, plane - centre_plane
    A = np.linalg.solve((X.T * weights) @ X, (X.T * weights) @ x).T  # (2, 3), scale x rotation rows
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    rows = U @ Vt
    R = view_from_sight @ np.vstack([rows, np.cross(rows[0], rows[1])])
    depth = 2.0 / s.sum()
    t = view_from_sight @ np.array([*(centre_plane * depth), -depth]) - R @ centre
    return R, t


def _towards(direction: F64) -> F64:
    """(3, 3) smallest rotation that turns the camera's axis, -z, into a direction."""
    d = direction / np.linalg.norm(direction)
    axis = np.cross([0.0, 0.0, -1.0], d)
    K = np.cross(np.eye(3), axis)
    turn: F64 = np.eye(3) + K + K @ K / (1.0 - d[2])
    return turn
