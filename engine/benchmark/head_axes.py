"""A head's own axes, from its landmarks: for meshes that stand in some other program's frame."""

import numpy as np

from engine.benchmark.alignment import LANDMARKS10
from engine.benchmark.types import LANDMARKS7, TruthMesh
from engine.errors import ScoreError
from engine.types import F64

__all__ = ["axes_of", "known_landmarks"]


def known_landmarks(truth: TruthMesh) -> dict[int, F64]:
    """iBUG number -> (3,) of eye and mouth corners, as far as a truth knows them.

    Raises: ScoreError: if it knows none.
    """
    if truth.landmarks68 is not None:
        return dict(zip(LANDMARKS10, truth.landmarks68[list(LANDMARKS10)], strict=True))
    if truth.landmarks51 is not None:
        rows = truth.landmarks51[np.array(LANDMARKS10) - 17]
        return dict(zip(LANDMARKS10, rows, strict=True))
    if truth.landmarks7 is not None:
        return dict(zip(LANDMARKS7, truth.landmarks7, strict=True))
    raise ScoreError("the truth has no landmarks to find the head's axes by")


def axes_of(marks: dict[int, F64]) -> tuple[F64, F64, float]:
    """Middle of the eyes (3,), axes (3, 3) as rows, and the distance between the eyes.

    The rows are the directions to the subject's left, up and ahead.
    """
    right, left = (marks[36] + marks[39]) / 2, (marks[42] + marks[45]) / 2
    mouth = (marks[48] + marks[54]) / 2
    middle, across = (left + right) / 2, left - right
    x = across / np.linalg.norm(across)
    y = middle - mouth
    y = y - (y @ x) * x
    y /= np.linalg.norm(y)
    return middle, np.stack([x, y, np.cross(x, y)]), float(np.linalg.norm(across))
