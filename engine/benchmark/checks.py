"""What often goes wrong with a prediction, found before its figures mislead.

Sizes in millimetres, mirrored or exchanged axes and inside-out triangles all give figures, only
wrong ones: each is said in words beside the score.
"""

from collections.abc import Iterable

import numpy as np

from engine.benchmark.alignment import common_landmarks
from engine.benchmark.types import PredictedFace, TruthMesh
from engine.errors import ModelContractError
from engine.flame.registration import fit_similarity
from engine.types import F64

__all__ = ["WRONG_TURN_DEG", "check_one_head_model", "placement_warnings"]

_USUAL_SCALE = (0.75, 1.35)  # true size over predicted; faces differ by less
_UNITS = {1e-3: "millimetres", 1e-2: "centimetres", 1e-1: "decimetres", 1e3: "kilometres"}
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
            "the prediction is mirrored: two of its axes are exchanged or one is flipped; "
            "expected x to the subject's left, y up, z out of the face, or a rotation of it"
        )
    return warnings


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


def check_one_head_model(model_ids: Iterable[str | None]) -> str | None:
    """The head model that all methods of a table share; None where none has one.

    Args: model_ids: of each method's predictions; None for meshes of no head model.
    Raises: ModelContractError: if there are two.
    """
    known = sorted({model_id for model_id in model_ids if model_id is not None})
    if len(known) > 1:
        named = ", ".join(model_id[:12] for model_id in known)
        raise ModelContractError(
            f"predictions of {len(known)} head models ({named}) cannot stand in one table: their "
            "regions and their fineness differ; run each head model by itself with --model"
        )
    return known[0] if known else None
