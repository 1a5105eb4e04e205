"""Scorer: truth and prediction in, all figures of one sample out."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from engine.benchmark.alignment import align
from engine.benchmark.checks import WRONG_TURN_DEG, check_truth_size, placement_warnings
from engine.benchmark.facescape import facescape_values
from engine.benchmark.metrics import Distances, named, region_values, vertex_error_mm
from engine.benchmark.nme import landmark_values
from engine.benchmark.now_protocol import now_errors_mm, now_values
from engine.benchmark.surface import MeshSurface, check_mesh
from engine.benchmark.types import (
    INSIDE,
    REGIONS,
    Alignment,
    Kind,
    PredictedFace,
    SampleScore,
    Truth,
    TruthMesh,
)
from engine.errors import ScoreError
from engine.types import F32, F64

__all__ = ["Scorer", "rotation_deg"]

AnyMesh = TypeVar("AnyMesh", TruthMesh, PredictedFace)


@dataclass(frozen=True, slots=True)
class Scorer:
    """How samples of a suite are scored."""

    kind: Kind
    alignment: Alignment = "A"  # for "now", C is the metrical variant and the rest the challenge
    facescape: bool = False  # also FaceScape's own measure, some 2 s a sample

    def __call__(self, truth: Truth, face: PredictedFace) -> SampleScore:
        """All figures that truth and prediction allow.

        Raises: ScoreError: if what the suite's kind needs is missing or cannot be measured.
        """
        values: dict[str, float] = {}
        warnings: list[str] = []
        errors: F32 | None = None
        if self.kind != "landmarks":
            errors = self._mesh(truth, face, values, warnings)
        if truth.landmarks68_px is not None and face.landmarks68_px is not None:
            values |= landmark_values(face.landmarks68_px, truth.landmarks68_px)
        elif self.kind == "landmarks":
            raise ScoreError("the method gives no 68 landmarks in the picture; NME needs them")
        if truth.params is not None and face.R is not None:
            values["rotation_deg"] = rotation_deg(face.R, truth.params.R)
            if values["rotation_deg"] > WRONG_TURN_DEG:
                warnings.append(
                    f"the head is turned {values['rotation_deg']:.0f} degrees from the true one; "
                    "are two of its axes exchanged or flipped?"
                )
        return SampleScore(values, errors, tuple(warnings))

    def _mesh(
        self, truth: Truth, face: PredictedFace, values: dict[str, float], warnings: list[str]
    ) -> F32:
        if truth.mesh is None:
            raise ScoreError("the sample has no true mesh to measure against")
        check_mesh("prediction", face.vertices, face.faces)
        check_mesh("truth", truth.mesh.vertices, truth.mesh.faces)
        check_truth_size(truth.mesh)
        warnings += placement_warnings(face, truth.mesh)
        if self.kind == "now":
            errors = now_errors_mm(face, truth.mesh, metrical=self.alignment == "C")
            values |= now_values([errors])
            return errors
        return _mesh_values(self, truth.mesh, face, values, warnings)


def _mesh_values(
    scorer: Scorer,
    truth: TruthMesh,
    face: PredictedFace,
    values: dict[str, float],
    warnings: list[str],
) -> F32:
    """Align, then measure both ways, region by region; also each true vertex' distance, mm."""
    true, found = _from_outside("truth", truth), _from_outside("prediction", face)
    placed = align(found, true, scorer.alignment)
    moved = placed.apply(found.vertices)
    surface = MeshSurface(true.vertices, true.faces)
    other = MeshSurface(moved, found.faces)
    there = Distances.between(true.vertices, surface.normals, other)
    back = Distances.between(moved, other.normals, surface)
    errors = np.full(len(true.vertices), np.nan, np.float32)
    same = truth.model_id is not None and truth.model_id == face.model_id
    same = same and len(moved) == len(true.vertices)  # a finer mesh may carry the same id
    for region in (r for r in REGIONS if r in true.regions and r in found.regions):
        rows = true.regions[region]
        if face.partial:
            rows = rows[~there.at_rim[rows]]
        if not rows.size:
            continue
        values |= named(region, region_values(there.of(rows), back.of(found.regions[region])))
        if same:
            own = vertex_error_mm(moved, true.vertices)[rows]
            values |= named(region, {"vertex_mm": float(own.mean())})
        errors[rows] = 1e3 * there.distances[rows]
    values["scale"] = placed.scale
    if np.cos(there.angles[true.regions["face"]]).mean() < 0:
        warnings.append(
            "the prediction's triangles face inwards; expected counter-clockwise seen from outside"
        )
    if scorer.facescape:
        values |= facescape_values(other, surface, true)
    return errors


def _from_outside(name: str, mesh: AnyMesh) -> AnyMesh:
    """The mesh as a scan would see it: without eyeballs, teeth, the inside of mouth and sockets.

    Raises: ScoreError: if nothing of the face is left.
    """
    inside = np.zeros(len(mesh.vertices), np.bool_)
    for region in set(INSIDE) & set(mesh.regions):
        inside[mesh.regions[region]] = True
    faces = mesh.faces[~inside[mesh.faces].any(axis=1)]
    seen = np.zeros(len(mesh.vertices), np.bool_)
    seen[faces] = True
    regions = {key: idx[seen[idx]] for key, idx in mesh.regions.items() if key in REGIONS}
    regions = {key: idx for key, idx in regions.items() if idx.size}
    if "face" not in regions:
        raise ScoreError(f"the {name} has no region named face, or no triangles in it")
    return replace(mesh, faces=faces, regions=regions)


def rotation_deg(found: F64, true: F64) -> float:
    """Angle between two rotations (3, 3), degrees."""
    turn = found.T @ true
    sine = np.linalg.norm(turn - turn.T) / np.sqrt(8.0)
    return float(np.degrees(np.arctan2(sine, (np.trace(turn) - 1) / 2)))
