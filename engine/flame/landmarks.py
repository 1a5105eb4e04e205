"""The 68 iBUG points of a posed head, jaw line sliding along the visible outline."""

import numpy as np

from engine.flame.model import HeadModel
from engine.flame.posed import surface_points
from engine.types import F32

__all__ = ["landmarks68"]


def landmarks68(model: HeadModel, vertices: F32, yaw: float) -> F32:
    """(68, 3) metres, model frame, in iBUG order.

    Args:
        vertices: (V, 3) posed, model frame.
        yaw: radians, of the head to the line of sight, about its own upright axis; positive turns
            the subject's left cheek away.
            Without a contour table in the model the jaw line is that of a frontal head.
    """
    points = surface_points(vertices, model.faces, model.landmarks68)
    if model.contour is not None:
        row = int(np.abs(model.contour.yaw_deg - np.degrees(yaw)).argmin())
        corners = vertices[model.faces[model.contour.faces_idx[row]]]
        points[:17] = np.einsum("nk,nkc->nc", model.contour.bary[row], corners)
    return points
