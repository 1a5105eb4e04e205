"""Normals of MediaPipe's own mesh, and what a network's maps can be held against them for.

MediaPipe's mesh is smooth and its depth a guess: it tells gross errors of a network, such as a
flipped axis, from good work, but not good from better.
"""

import cv2
import numpy as np

from engine.flame.normals import vertex_normals
from engine.frames import view_from_crop
from engine.stages.normal_pose import rotation_from_maps
from engine.types import F32, F64, I32, U8, Bool, Camera, NormalMap

__all__ = [
    "angles_deg",
    "crop_view_normals",
    "head_rotation",
    "mesh_normals",
    "relief",
    "skin_inside",
]

_EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
_INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415,
               308, 324, 318, 402, 317, 14, 87, 178, 88, 95)  # fmt: skip
_RIM_SHARE = 1 / 64  # of the map's side: so far around eyes and mouth nothing is counted
_LIGHT = np.array([-0.45, 0.55, 0.70], np.float32)  # from the upper left, towards the viewer


def mesh_normals(points: F32, triangles: I32, size: int) -> F32:
    """(S, S, 3) smooth normals of MediaPipe's mesh, crop-view frame; zeros beside it.

    Args:
        points: (478, 3) crop px, z towards the viewer.
        triangles: (T, 3) counter-clockwise seen from outside.
    """
    upright = points * np.array([1, -1, 1], np.float32)
    normals = vertex_normals(upright, triangles)
    drawn, depth = np.zeros((size, size, 3), np.float32), np.full((size, size), -np.inf)
    for corners in triangles:
        _draw_triangle(points[corners], normals[corners], drawn, depth)
    lengths = np.linalg.norm(drawn, axis=-1, keepdims=True)
    return np.divide(drawn, lengths, out=np.zeros_like(drawn), where=lengths > 0)


def skin_inside(points: F32, size: int) -> Bool:
    """(S, S) False in the eyes and in the mouth, and on their rims."""
    kept = np.ones((size, size), np.uint8)
    rim = max(1, round(2 * size * _RIM_SHARE))
    for ring in (*_EYES, _INNER_LIPS):
        outline = np.rint(points[list(ring), :2]).astype(np.int32)
        cv2.fillPoly(kept, [outline], 0)
        cv2.polylines(kept, [outline], isClosed=True, color=0, thickness=rim)
    return kept.astype(np.bool_)


def crop_view_normals(seen: NormalMap, camera: Camera) -> F32 | None:
    """(S, S, 3) a map's view normals, turned back into the crop-view frame; None without any."""
    if seen.view is None:
        return None
    turn = view_from_crop(camera, seen.crop_from_frame, len(seen.mask)).astype(np.float32)
    turned: F32 = seen.view @ turn
    return turned


def angles_deg(normals: F32, others: F32, where: Bool) -> F32:
    """(N,) degrees between two maps of unit normals, (S, S, 3), at the pixels where."""
    cosines = np.einsum("nk,nk->n", normals[where], others[where])
    angles: F32 = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
    return angles


def head_rotation(seen: NormalMap) -> F64 | None:
    """(3, 3) view from head: what turns head normals best into view normals.

    None where the map lacks one of them, or shows too little. Weighted by mask and confidence.
    """
    if seen.head is None or seen.view is None:
        return None
    weights = seen.mask * seen.confidence
    if weights.sum() < 1.0:
        return None
    return rotation_from_maps(seen.head, seen.view, weights)


def relief(normals: F32, mask: F32) -> U8:
    """(S, S, 3) grey: the normals as plaster, lit from the upper left; black beside the mask."""
    light = _LIGHT / np.linalg.norm(_LIGHT)
    shade = 40.0 + 200.0 * np.maximum(normals @ light, 0.0)
    grey = np.clip(shade * np.clip(mask, 0.0, 1.0), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _draw_triangle(corners: F32, normals: F32, drawn: F32, depth: F64) -> None:
    """Blend the corners' normals into the pixels whose centre the triangle covers."""
    size = len(drawn)
    x0, y0 = np.clip(np.ceil(corners[:, :2].min(0)), 0, size).astype(int)
    x1, y1 = np.clip(np.floor(corners[:, :2].max(0)) + 1, 0, size).astype(int)
    (ax, ay), (bx, by), (cx, cy) = corners[:, :2].astype(np.float64)
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    # With y down, a triangle that faces the viewer runs clockwise: its area is negative.
    if x1 <= x0 or y1 <= y0 or area >= 0:
        return
    x, y = np.meshgrid(np.arange(x0, x1), np.arange(y0, y1))
    b = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
    c = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
    weights = np.stack([1.0 - b - c, b, c], axis=-1)
    height = weights @ corners[:, 2]
    window = (slice(y0, y1), slice(x0, x1))
    nearer = (weights >= -1e-9).all(-1) & (height > depth[window])
    depth[window][nearer] = height[nearer]
    drawn[window][nearer] = weights[nearer] @ normals
