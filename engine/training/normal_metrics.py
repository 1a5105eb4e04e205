"""How good normal maps are, in degrees; numpy, frames as in the maps."""

from dataclasses import dataclass

import numpy as np

from engine.stages.normal_pose import rotation_from_maps
from engine.types import F32, F64, Bool

__all__ = [
    "NormalScores",
    "angular_error_deg",
    "mask_iou",
    "rotation_error_deg",
    "score",
    "summary",
]


def angular_error_deg(n: F32, truth: F32) -> F32:
    """(...,) degrees between unit vectors (..., 3)."""
    cross = np.linalg.norm(np.cross(n, truth), axis=-1)
    angle: F32 = np.degrees(np.arctan2(cross, (n * truth).sum(axis=-1))).astype(np.float32)
    return angle


def mask_iou(mask: Bool, truth: Bool) -> float:
    """Overlap of two masks over what they cover together; 1 if both are empty."""
    union = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / union if union else 1.0


def rotation_error_deg(a: F64, b: F64) -> float:
    """Angle of the turn between two rotations (3, 3)."""
    turn = a @ b.T
    sin = np.linalg.norm(
        [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
    )
    return float(np.degrees(np.arctan2(sin, np.trace(turn) - 1)))


@dataclass(frozen=True, slots=True)
class NormalScores:
    """Scores of one sample."""

    head_deg: F32  # (n,) errors in the skin
    view_deg: F32
    iou: float
    rotation_deg: float  # between view-from-head by the maps and by the true maps; NaN: no skin


def summary(scores: list[NormalScores]) -> dict[str, float]:
    """Medians and means over all skin of all samples; IoU's mean; rotation's median."""
    head = np.concatenate([s.head_deg for s in scores])
    view = np.concatenate([s.view_deg for s in scores])
    return {
        "head_mean_deg": float(head.mean()),
        "head_median_deg": float(np.median(head)),
        "view_mean_deg": float(view.mean()),
        "view_median_deg": float(np.median(view)),
        "mask_iou": float(np.mean([s.iou for s in scores])),
        "rotation_median_deg": float(np.nanmedian([s.rotation_deg for s in scores])),
    }


def score(
    head: F32, view: F32, mask: Bool, true_head: F32, true_view: F32, skin: Bool, true_mask: Bool
) -> NormalScores:
    """Scores of one sample's maps (S, S, 3) against the true ones, in the skin (S, S)."""
    weight = skin.astype(np.float32)
    turn = float("nan")
    if np.count_nonzero(skin) >= 50:
        turn = rotation_error_deg(
            rotation_from_maps(head, view, weight), rotation_from_maps(true_head, true_view, weight)
        )
    return NormalScores(
        angular_error_deg(head[skin], true_head[skin]),
        angular_error_deg(view[skin], true_view[skin]),
        mask_iou(mask, true_mask),
        turn,
    )
