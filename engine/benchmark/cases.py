"""Pictures of a report: the mean error on the head, and each method's best and worst cases."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from engine.benchmark.error_painter import ErrorPainter, captioned, colour_bar
from engine.benchmark.head_axes import axes_of, known_landmarks
from engine.benchmark.predictors import SampleSight
from engine.benchmark.rows import Row
from engine.benchmark.runner import SuiteRun, error_file, kept_face
from engine.benchmark.types import PredictedFace, TruthMesh
from engine.benchmark.work import BenchWorker
from engine.errors import ScoreError
from engine.io.image import save_png
from engine.types import F32, F64, U8

__all__ = ["case_sheet", "mean_error_sheet"]

_SIDE: Final = 240
_SIDE_VIEW: Final = np.array([[0.34, 0.0, -0.94], [0.0, 1.0, 0.0], [0.94, 0.0, 0.34]])
"""70 degrees to the subject's right."""


def case_sheet(
    path: Path,
    worker: BenchWorker,
    painter: ErrorPainter | None,
    suite: SuiteRun,
    rows: list[Row],
    key: str,
    unit: str,
) -> bool:
    """Draw a method's best, median and two worst cases; False where there are none.

    Args:
        rows: of one method.
        key, unit: the score by which they are chosen.
    Raises: EngineError.
    """
    scored = sorted((row for row in rows if key in row.values), key=lambda row: row.values[key])
    if not scored:
        return False
    index_of = dict(zip(suite.sample_ids, suite.indices, strict=True))
    places = {"best": 0, "median": (len(scored) - 1) // 2, "second worst": -2, "worst": -1}
    lines = []
    for name, place in places.items():
        if len(scored) < len(places) and name != "best":
            continue
        row = scored[place]
        kept = kept_face(path.parent.parent, suite.name, row.method, index_of[row.sample])
        sight, face = worker.look(suite.name, index_of[row.sample], row.method, kept)
        text = f"{name}: {row.values[key]:.2f} {unit}, {row.sample}"
        errors = _errors(path.parent.parent, suite, row, index_of[row.sample])
        lines.append(captioned(_panels(sight, face, errors, painter), text))
    sheet = np.concatenate(lines)
    if painter is not None:
        sheet = np.concatenate([sheet, colour_bar(sheet.shape[1])])
    save_png(path, sheet)
    return True


def mean_error_sheet(
    path: Path,
    worker: BenchWorker,
    painter: ErrorPainter,
    suite: SuiteRun,
    methods: Mapping[str, list[Row]],
) -> bool:
    """Draw each method's mean error at each vertex of one topology; False where there is none.

    Of several topologies in a suite the head model's own counts, else the one seen first.
    """
    out = path.parent.parent
    shape: TruthMesh | None = None
    panels = []
    for name in methods:
        files = [error_file(out, suite.name, name, i) for i in suite.indices]
        known = [(i, np.load(f)) for i, f in zip(suite.indices, files, strict=True) if f.exists()]
        if shape is None and known:
            own = [i for i, errors in known if len(errors) == worker.model.n_vertices]
            shape = worker.truth(suite.name, (own or [known[0][0]])[0]).mesh
        if shape is None:
            continue
        same = [errors for _, errors in known if len(errors) == len(shape.vertices)]
        if len(same) < 2:
            continue
        mean = _nan_mean(np.stack(same))
        text = f"{name}, n = {len(same)}"
        panels.append(captioned(_two_views(painter, shape, mean), text))
    if not panels:
        return False
    blank = np.full_like(panels[0], 255)
    panels += [blank] * (len(panels) % 2)
    pairs = zip(panels[::2], panels[1::2], strict=True)
    sheet = np.concatenate([np.concatenate(pair, axis=1) for pair in pairs])
    save_png(path, np.concatenate([sheet, colour_bar(sheet.shape[1])]))
    return True


def _panels(
    sight: SampleSight,
    face: PredictedFace | None,
    errors: F32 | None,
    painter: ErrorPainter | None,
) -> U8:
    """The photo with landmarks; where there is a true mesh, both meshes besides."""
    panels = [_photo(sight, face)]
    mesh = sight.truth.mesh
    if painter is None or mesh is None:
        return panels[0]
    if face is not None:
        panels.append(painter.paint(face.vertices, face.faces, None, _own_axes(face), _SIDE))
    panels.append(painter.paint(mesh.vertices, mesh.faces, errors, _axes(mesh), _SIDE))
    return np.concatenate(panels, axis=1)


def _photo(sight: SampleSight, face: PredictedFace | None) -> U8:
    """The face's surroundings; true landmarks red, the method's green."""
    image = sight.frame.image
    true = sight.truth.landmarks68_px
    found = face.landmarks68_px if face is not None else None
    marks = true if true is not None else found
    corner, side = np.zeros(2), float(min(image.shape[:2]))
    if marks is not None:
        low, high = marks.min(axis=0), marks.max(axis=0)
        side = 1.6 * float((high - low).max())
        corner = (low + high) / 2 - side / 2
    scale = _SIDE / side
    matrix = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
    picture: U8 = np.ascontiguousarray(
        cv2.warpAffine(image, matrix, (_SIDE, _SIDE), borderValue=(255, 255, 255))
    )
    for points, colour in ((true, (230, 40, 40)), (found, (40, 220, 60))):
        for x, y in np.zeros((0, 2)) if points is None else (points - corner) * scale:
            cv2.circle(picture, (round(x), round(y)), 1, colour, -1, cv2.LINE_AA)
    return picture


def _two_views(painter: ErrorPainter, mesh: TruthMesh, errors: F32) -> U8:
    turn = _axes(mesh)
    views = [
        painter.paint(mesh.vertices, mesh.faces, errors, R @ turn, _SIDE)
        for R in (np.eye(3), _SIDE_VIEW)
    ]
    return np.concatenate(views, axis=1)


def _axes(mesh: TruthMesh) -> F64:
    """(3, 3) to the view frame's axes, looking at the face; as it stands where that is unknown."""
    try:
        return axes_of(known_landmarks(mesh))[1]
    except ScoreError:
        return np.eye(3)


def _own_axes(face: PredictedFace) -> F64:
    if face.landmarks68 is None:
        return np.eye(3)
    marks = {k: face.landmarks68[k] for k in (36, 39, 42, 45, 48, 54)}
    return axes_of(marks)[1]


def _errors(out: Path, suite: SuiteRun, row: Row, index: int) -> F32 | None:
    file = error_file(out, suite.name, row.method, index)
    return np.load(file) if file.exists() else None


def _nan_mean(values: F32) -> F32:
    """(N, V) -> (V,), NaN where nothing is known."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    mean: F32 = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    return mean
