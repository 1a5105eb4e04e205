"""Predictors: a sample in, the face that a method finds in it out.

Anything that fits frames (`engine.video_fit.Fitter`) becomes one; MediaPipe's own mesh is another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np

from engine.benchmark.regions import head_regions
from engine.benchmark.types import PredictedFace, Truth
from engine.flame.landmarks import landmarks68
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.pipeline import yaw_of
from engine.stages.face_cropper import CropConfig, FaceCropper
from engine.stages.mediapipe_mesh import N_SURFACE, mesh_triangles
from engine.stages.mediapipe_points import NME10, NME10_IBUG, OVAL
from engine.timing import StageClock
from engine.types import F64, I32, FaceCrop, FlameParams, Frame, Reconstruction
from engine.video_fit import Fitter

__all__ = [
    "FACES_IN_A_BOX",
    "FitterPredictor",
    "MediapipePredictor",
    "Prediction",
    "Predictor",
    "SampleSight",
    "inside_oval",
    "meant_face",
]

FACES_IN_A_BOX = 3
"""How many faces to look for where a sample says which of them it is about."""

Found = TypeVar("Found")
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class SampleSight:
    """What a method may look at; the truth is for oracles alone."""

    frame: Frame
    truth: Truth
    box: Box | None  # px: left, top, right, bottom; None: the largest face is meant


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A face and what it took."""

    face: PredictedFace
    stage_ms: Mapping[str, float] = field(default_factory=dict)


class Predictor(Protocol):
    """One method, used from one thread."""

    def predict(self, sight: SampleSight) -> Prediction | None:
        """None: there is no face, or none where the sample's is."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class FitterPredictor:
    """By whatever fits frames; every picture is one of its own."""

    def __init__(self, model: HeadModel, fitter: Fitter, *, neutral: bool) -> None:
        """neutral: the face is wanted at rest, as NoW compares them."""
        self._model, self._fitter, self._neutral = model, fitter, neutral
        self._head = PosedHead(model)

    def predict(self, sight: SampleSight) -> Prediction | None:
        self._fitter.reset()
        fits = self._fitter.run_all(sight.frame)
        fit = meant_face([(f, f.crop) for f in fits], sight.box)
        if fit is None:
            return None
        return Prediction(self._face(fit), dict(fit.stage_ms))

    def close(self) -> None:
        self._fitter.close()

    def _face(self, fit: Reconstruction) -> PredictedFace:
        model, vertices = self._model, fit.vertices
        if self._neutral:
            vertices = self._head.vertices(_at_rest(model, fit.params))
        points = landmarks68(model, vertices, yaw_of(fit.params))
        return PredictedFace(
            vertices=vertices.astype(np.float64),
            faces=model.faces,
            regions=head_regions(model),
            landmarks68=points.astype(np.float64),
            landmarks68_px=fit.landmarks68_px.astype(np.float64),
            model_id=fit.params.model_id,
            R=fit.params.R,
        )


class MediapipePredictor:
    """MediaPipe's own mesh of 468 points: what one has without fitting anything.

    Its places are weak perspective, in px: the size is set so that a face is as wide as usual. Of
    iBUG's 68 it knows the ten that both conventions put in the same place, so that there is no NME.
    It ends on the forehead: it is measured where it is.
    """

    def __init__(self, n_faces: int) -> None:
        self._cropper = FaceCropper(CropConfig(n_faces=n_faces, tracking=False))
        self._faces, self._regions = mesh_triangles(), {"face": inside_oval()}

    def predict(self, sight: SampleSight) -> Prediction | None:
        clock = StageClock()
        with clock.stage("crop"):
            crops = self._cropper.run_all(sight.frame)
        crop = meant_face([(c, c) for c in crops], sight.box)
        if crop is None:
            return None
        vertices = _upright(crop)
        points: F64 = np.full((68, 3), np.nan)
        points[list(NME10_IBUG)] = vertices[list(NME10)]
        face = PredictedFace(vertices, self._faces, self._regions, landmarks68=points, partial=True)
        return Prediction(face, clock.ms)

    def close(self) -> None:
        self._cropper.close()


_EYES_APART_M = 0.09
"""About the distance of the outer eye corners; alignment finds the true size."""


def _upright(crop: FaceCrop) -> F64:
    """(468, 3) metres, axes of the view frame."""
    points = np.column_stack([crop.landmarks, crop.landmarks_z]).astype(np.float64)[:N_SURFACE]
    points = (points - points.mean(axis=0)) * [1.0, -1.0, 1.0]
    upright: F64 = points * (_EYES_APART_M / np.linalg.norm(points[33] - points[263]))
    return upright


def inside_oval() -> I32:
    """Of MediaPipe's 468 points those within the face's outline, and on it: all but few."""
    triangles, oval = mesh_triangles(), set(OVAL)
    ring = {frozenset(pair) for pair in zip(OVAL, (*OVAL[1:], OVAL[0]), strict=True)}
    neighbours: dict[int, set[int]] = {}
    for a, b, c in triangles.tolist():
        for p, q in ((a, b), (b, c), (c, a)):
            if frozenset((p, q)) not in ring:
                neighbours.setdefault(p, set()).add(q)
                neighbours.setdefault(q, set()).add(p)
    found, todo = set(oval), [NME10[6]]  # the nose's tip
    while todo:
        point = todo.pop()
        if point not in found:
            found.add(point)
            todo += neighbours[point] - oval
    return np.array(sorted(found), np.int32)


def _at_rest(model: HeadModel, params: FlameParams) -> FlameParams:
    rest = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)
    return rest.with_values(shape=params.shape)


def meant_face(found: list[tuple[Found, FaceCrop]], box: Box | None) -> Found | None:
    """The largest face, or the one that covers the box best; None where none touches it."""
    if not found:
        return None
    if box is None:
        return found[0][0]
    shares = [_overlap(crop, box) for _, crop in found]
    best = int(np.argmax(shares))
    return found[best][0] if shares[best] > 0 else None


def _overlap(crop: FaceCrop, box: Box) -> float:
    """Intersection over union of the landmarks' box and a box."""
    low, high = crop.landmarks.min(axis=0), crop.landmarks.max(axis=0)
    common = np.minimum(high, box[2:]) - np.maximum(low, box[:2])
    if (common <= 0).any():
        return 0.0
    inside = float(np.prod(common))
    both = float(np.prod(high - low)) + (box[2] - box[0]) * (box[3] - box[1])
    return inside / (both - inside)
