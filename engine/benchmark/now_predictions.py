"""Predictions in NoW's own layout: to hand in for its test set, and to score those of others.

FOLDER/SUBJECT/CHALLENGE/PICTURE.obj in mm, and beside it PICTURE.npy with seven landmarks (7, 3) in
the mesh's frame and unit, in NoW's order. Read are also .txt landmarks and arrays of (1, 7, 3).
"""

from pathlib import Path

import numpy as np

from engine.benchmark.types import LANDMARKS7, PredictedFace
from engine.errors import AssetError, ScoreError
from engine.files import replacing
from engine.io.mesh_export import write_obj
from engine.io.mesh_import import read_obj
from engine.types import F64

__all__ = ["read_now_prediction", "write_now_prediction"]

_M_FROM = {"mm": 1e-3, "cm": 1e-2, "m": 1.0}
_MM_PER_M = 1e3


def write_now_prediction(folder: Path, sample_id: str, face: PredictedFace) -> Path:
    """Write one prediction.

    Args:
        sample_id: SUBJECT/CHALLENGE/PICTURE, as the suite names it.
        face: at rest.
    Returns: the mesh's path.
    Raises: ScoreError: if the seven landmarks are not known. OutputError: if it cannot be written.
    """
    marks = None if face.landmarks68 is None else face.landmarks68[list(LANDMARKS7)]
    if marks is None or not np.isfinite(marks).all():
        raise ScoreError(f"{sample_id}: the method does not know NoW's seven landmarks")
    path = folder / f"{sample_id}.obj"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_obj(path, face.vertices.astype(np.float32), face.faces)
    with replacing(path.with_suffix(".npy")) as temporary:
        np.save(temporary, _MM_PER_M * marks)
    return path


def read_now_prediction(folder: Path, sample_id: str, unit: str = "mm") -> PredictedFace:
    """Read one prediction of any method.

    Args: unit: of mesh and landmarks: mm, cm or m. Only the metrical variant depends on it.
    Raises: AssetError: if a file is missing or damaged. ValueError: for another unit.
    """
    if unit not in _M_FROM:
        raise ValueError(f"unit {unit!r}, expected one of {', '.join(_M_FROM)}")
    stem = folder / sample_id
    vertices, faces = read_obj(stem.parent / f"{stem.name}.obj")
    landmarks = np.full((68, 3), np.nan)
    landmarks[list(LANDMARKS7)] = _M_FROM[unit] * _landmarks(stem)
    return PredictedFace(_M_FROM[unit] * vertices, faces, {}, landmarks68=landmarks)


def _landmarks(stem: Path) -> F64:
    array, text = (stem.parent / f"{stem.name}{suffix}" for suffix in (".npy", ".txt"))
    path = array if array.exists() else text
    try:
        points = np.load(path, allow_pickle=False) if path == array else np.loadtxt(path, ndmin=2)
        found: F64 = np.asarray(points, np.float64).reshape(7, 3)
    except (OSError, ValueError, EOFError) as error:
        raise AssetError(
            f"landmarks {path} cannot be read ({error}); expected seven points beside the mesh, "
            "in .npy or .txt"
        ) from error
    return found
