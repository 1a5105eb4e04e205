"""What often goes wrong with a prediction, found before its figures mislead.

Sizes in millimetres, mirrored or exchanged axes and inside-out triangles all give figures, only
wrong ones: each is said in words beside the score.
"""

import numpy as np

from engine.benchmark.alignment import common_landmarks
from engine.benchmark.head_axes import known_landmarks
from engine.benchmark.types import PredictedFace, TruthMesh
from engine.errors import ScoreError
from engine.flame.registration import fit_similarity
from engine.types import F64

__all__ = ["WRONG_TURN_DEG", "check_truth_size", "placement_warnings"]

_USUAL_SCALE = (0.75, 1.35)  # true size over predicted; faces differ by less
_UNITS = {1e-3: "millimetres", 1e-2: "centimetres", 1e-1: "decimetres", 1e3: "kilometres"}
_EYES_M = (0.05, 0.15)
_MISTAKEN = (
    (1e-3, "millimetres", "metres"),
    (1e-2, "millimetres", "decimetres"),
    (1e-1, "millimetres", "centimetres"),
    (1e3, "metres", "millimetres"),
    (1e2, "metres", "centimetres"),
)
_UNIT_MATCH = 1.6  # either way, as a factor
_MIRRORED_MIN_M = 0.003
WRONG_TURN_DEG = 60.0
"""A head turned further from the true one than this hints at exchanged axes."""


def placement_warnings(face: PredictedFace, truth: TruthMesh) -> list[str]:
    """What the common landmarks say about size and handedness.

    Raises: ScoreError: as for `common_landmarks`.
    """
    found, true = common_landmarks(face, truth)
    fit = fit_similarity(found, true, np.ones(len(found)))
    warnings = []
    if truth.metric and not _USUAL_SCALE[0] <= fit.scale <= _USUAL_SCALE[1]:
        warnings.append(_size_warning(fit.scale))
    mirrored = found * [-1.0, 1.0, 1.0]
    there = _miss(found, true)
    if there > _MIRRORED_MIN_M and _miss(mirrored, true) < there / 2:
        warnings.append(
            "prediction and truth are mirrored against each other: two axes of one of them are "
            "exchanged, or one is flipped; expected x to the subject's left, y up, z out of the "
            "face, or a rotation of it. Where every method is told so, it is the truth"
        )
    return warnings


def check_truth_size(truth: TruthMesh) -> None:
    """Refuse a truth of known size that is none of a head: every method would look wrong by it.

    Raises: ScoreError: if its outer eye corners are not as far from each other as people's are.
    """
    marks = known_landmarks(truth)
    apart_m = float(np.linalg.norm(marks[36] - marks[45]))
    if not truth.metric or not np.isfinite(apart_m) or _EYES_M[0] <= apart_m <= _EYES_M[1]:
        return
    told = f"the truth's outer eye corners lie {1e3 * apart_m:.3g} mm apart, expected some 90 mm"
    for factor, taken, meant in _MISTAKEN:
        if _EYES_M[0] <= apart_m / factor <= _EYES_M[1]:
            raise ScoreError(f"{told}: its numbers are {meant}, taken for {taken}; convert it")
    raise ScoreError(f"{told}; check the unit that it is stored in")


def _size_warning(scale: float) -> str:
    size = f"the prediction is {1 / scale:.3g} times as large as the truth"
    for factor, unit in _UNITS.items():
        if 1 / _UNIT_MATCH < scale / factor < _UNIT_MATCH:
            return f"{size}: its numbers look like {unit}, expected metres"
    return f"{size}; expected metres"


def _miss(found: F64, true: F64) -> float:
    """Root mean square distance after the best similarity without reflection, metres."""
    placed = fit_similarity(found, true, np.ones(len(found))).apply(found)
    return float(np.sqrt(((placed - true) ** 2).sum(axis=1).mean()))
