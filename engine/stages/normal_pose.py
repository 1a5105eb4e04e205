"""The head's rotation from two maps of the same normals in different frames."""

import numpy as np

from engine.types import F32, F64

__all__ = ["rotation_from_maps"]


def rotation_from_maps(head: F32, view: F32, weight: F32) -> F64:
    """Rotation R that best turns head normals into view normals: view ~ R @ head.

    Args:
        head, view: (S, S, 3), or any (..., 3), unit normals; head frame and any view frame.
        weight: (S, S), or (...), at least 0; 0 where either means nothing.
    Returns: (3, 3) view from head; maximises the sum of weight * (view . R head).
    Raises: ValueError: if no weight is above 0.
    Source: Wahba's problem by SVD (Markley 1988).
    """
    h, v = head.reshape(-1, 3).astype(np.float64), view.reshape(-1, 3).astype(np.float64)
    w = weight.reshape(-1).astype(np.float64)
    if not w.sum() > 0:
        raise ValueError("no pixel has a weight above 0; a rotation needs some normals")
    u, _, vt = np.linalg.svd((v * w[:, None]).T @ h / w.sum())
    rotation: F64 = u @ np.diag([1.0, 1.0, np.linalg.det(u) * np.linalg.det(vt)]) @ vt
    return rotation
