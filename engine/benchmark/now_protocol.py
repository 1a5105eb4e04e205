"""NoW's measure: how far a face scan's points are from the surface of a predicted head at rest.

The scan is cut to a ball around the face; seven landmarks lay the prediction over it by Procrustes;
then all points' distances to its surface are minimised, with the size free (the challenge) or fixed
(its metrical variant). The errors of all scans together give median, mean and standard deviation.

Source: Sanyal et al. 2019, "Learning to Regress 3D Face Shape and Expression from an Image without
3D Supervision", and the challenge's published evaluation, whose optimiser (dogleg over chumpy) is
replaced by Gauss-Newton steps with closest points found anew in each.
"""

from collections.abc import Sequence

import numpy as np

from engine.benchmark.alignment import icp, landmark_alignment
from engine.benchmark.surface import MeshSurface, check_mesh
from engine.benchmark.types import PredictedFace, TruthMesh
from engine.errors import ScoreError
from engine.types import F32, F64, Bool

__all__ = ["now_crop", "now_errors_mm", "now_values"]

_RADIUS = 1.4  # of the published evaluation; the challenge's first rule was 1.2
_UP = 0.3  # from below the nose towards its bridge
_ROUNDS = 200


def now_crop(vertices: F64, landmarks7: F64) -> Bool:
    """(V,) which points of a scan count.

    Args:
        vertices: (V, 3); landmarks7: (7, 3) in LANDMARKS7's order; any unit.
    """
    bottom = landmarks7[4]
    bridge = (landmarks7[1] + landmarks7[2]) / 2
    nose = float(np.linalg.norm(bridge - bottom))
    eyes = float(np.linalg.norm(landmarks7[0] - landmarks7[3]))
    centre = bottom + _UP * (bridge - bottom)
    inside: Bool = np.linalg.norm(vertices - centre, axis=1) <= _RADIUS * (eyes + nose) / 2
    return inside


def now_errors_mm(face: PredictedFace, truth: TruthMesh, *, metrical: bool) -> F32:
    """(V,) mm for each point of the scan, NaN outside the crop.

    Args:
        face: at rest: expression and jaw zero.
        truth: a scan with its seven landmarks.
    Raises: ScoreError: if landmarks are missing or a mesh cannot be measured.
    """
    check_mesh("prediction", face.vertices, face.faces)
    if truth.landmarks7 is None:
        raise ScoreError("the scan has no seven landmarks, which NoW's protocol begins with")
    crop = now_crop(truth.vertices, truth.landmarks7)
    if not crop.any():
        raise ScoreError("no point of the scan lies near its landmarks; they are of another scan")
    surface = MeshSurface(face.vertices, face.faces)
    start = landmark_alignment(face, truth, scaled=not metrical)
    points = truth.vertices[crop]
    placed = icp(
        surface,
        points,
        start,
        scaled=not metrical,
        keep=1.0,
        rounds=_ROUNDS,
        along_distance=True,
    )
    back = (points - placed.t) @ placed.R / placed.scale
    errors = np.full(len(truth.vertices), np.nan, np.float32)
    errors[crop] = 1e3 * placed.scale * surface.closest(back).distances
    return errors


def now_values(errors_mm: Sequence[F32]) -> dict[str, float]:
    """Median, mean and standard deviation of the pooled errors of one or more scans, mm.

    Args: errors_mm: as of `now_errors_mm`; NaN are left out.
    """
    pooled = np.concatenate([e[np.isfinite(e)] for e in errors_mm]).astype(np.float64)
    if not pooled.size:
        raise ValueError("no errors to pool")
    return {
        "now_median_mm": float(np.median(pooled)),
        "now_mean_mm": float(pooled.mean()),
        "now_std_mm": float(pooled.std()),
    }
