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
    plane = plane[:, :2] / plane[:, 2:] * [1.0, -1.0]  # x/-z and y/-z of the view frame
    total = weights.sum()
    centre, centre_plane = weights @ points / total, weights @ plane / total
    X, x = points - centre, plane - centre_plane
    A = np.linalg.solve((X.T * weights) @ X, (X.T * weights) @ x).T  # (2, 3), scale x rotation rows
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    rows = U @ Vt
    R = np.vstack([rows, np.cross(rows[0], rows[1])])
    depth = 2.0 / s.sum()
    t = np.array([*(centre_plane * depth), -depth]) - R @ centre
    return R, t
