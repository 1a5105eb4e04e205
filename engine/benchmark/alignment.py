"""Laying a predicted face over the true one: landmarks first, then closest points.

A: similarity by landmarks, then rigid ICP: the size stays what the landmarks say.
B: as A, and ICP may change the size too.
C: no change of size at all, for methods that claim to know it.

ICP is point to plane, trimmed: the tenth of the true points that lies furthest away does not count.
It runs over the true face; ears, neck and scalp follow.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from engine.benchmark.surface import MeshSurface
from engine.benchmark.types import LANDMARKS7, Alignment, PredictedFace, TruthMesh
from engine.errors import ScoreError
from engine.flame.registration import Similarity, fit_similarity
from engine.types import F64

__all__ = ["ALIGNMENTS", "LANDMARKS10", "align", "common_landmarks", "icp", "landmark_alignment"]

ALIGNMENTS: dict[Alignment, str] = {
    "A": "A (similarity by landmarks, then rigid ICP)",
    "B": "B (similarity by landmarks, then ICP with scale)",
    "C": "C (metrical: rigid by landmarks, then rigid ICP)",
}
"""As printed over a table."""

LANDMARKS10: tuple[int, ...] = (36, 39, 42, 45, 48, 54, 30, 33, 51, 57)
"""iBUG points that every convention puts in the same place: eye and mouth corners, nose tip,
subnasale, lip middles. Truths that know only NoW's seven are aligned by those."""

_ROUNDS = 50
_KEEP = 0.9
_STILL = 1e-8  # metres: a round that moves nothing further was the last
_LEAST_LANDMARKS = 4
_TOUCHING = 1e-9  # metres
_FREE = 0.01  # of the firmest direction's singular value; a face's loosest has 0.28


def align(face: PredictedFace, truth: TruthMesh, alignment: Alignment) -> Similarity:
    """The similarity that takes the predicted face to the true one.

    Raises: ScoreError: if landmarks are missing, or C is asked for where the true size is unknown.
    """
    if alignment == "C" and not truth.metric:
        raise ScoreError(
            "alignment C needs a truth of known size, which this data set has not; use A or B"
        )
    start = landmark_alignment(face, truth, scaled=alignment != "C")
    surface = MeshSurface(face.vertices, face.faces)
    points = truth.vertices[truth.regions["face"]]
    return icp(surface, points, start, scaled=alignment == "B", beyond_rim=not face.partial)


def common_landmarks(face: PredictedFace, truth: TruthMesh) -> tuple[F64, F64]:
    """Points that both know, (N, 3) metres each: predicted, true.

    Raises: ScoreError: if there are fewer than four, or they lie on a line.
    """
    if face.landmarks68 is None:
        raise ScoreError("the prediction has no 3D landmarks, which the alignment begins with")
    if truth.landmarks68 is not None:
        names, true = LANDMARKS10, truth.landmarks68[list(LANDMARKS10)]
    elif truth.landmarks51 is not None:
        names, true = LANDMARKS10, truth.landmarks51[np.array(LANDMARKS10) - 17]
    elif truth.landmarks7 is not None:
        names, true = tuple(LANDMARKS7), truth.landmarks7
    else:
        raise ScoreError("the truth has no 3D landmarks, which the alignment begins with")
    found = face.landmarks68[list(names)]
    known = np.isfinite(found).all(axis=1) & np.isfinite(true).all(axis=1)
    if known.sum() < _LEAST_LANDMARKS:
        raise ScoreError(
            f"prediction and truth share {known.sum()} landmarks, expected {_LEAST_LANDMARKS} "
            f"or more of iBUG {', '.join(map(str, names))}"
        )
    for name, points in (("prediction", found[known]), ("truth", true[known])):
        if not np.linalg.matrix_rank(points - points.mean(axis=0)) >= 2:
            raise ScoreError(
                f"the {name}'s landmarks lie on one line or point; nothing aligns them"
            )
    return found[known], true[known]


def landmark_alignment(face: PredictedFace, truth: TruthMesh, *, scaled: bool) -> Similarity:
    """Procrustes over the common landmarks. Raises: ScoreError: as for `common_landmarks`."""
    found, true = common_landmarks(face, truth)
    fit = fit_similarity(found, true, np.ones(len(found)))
    if scaled:
        return fit
    return Similarity(1.0, fit.R, true.mean(axis=0) - fit.R @ found.mean(axis=0))


def icp(
    surface: MeshSurface,
    points: F64,
    start: Similarity,
    *,
    scaled: bool,
    keep: float = _KEEP,
    rounds: int = _ROUNDS,
    along_distance: bool = False,
    beyond_rim: bool = True,
) -> Similarity:
    """Move a surface onto points, from a start.

    Args:
        surface: in its own frame; the result takes that to the points' frame.
        points: (N, 3) metres, true.
        scaled: whether the size may change.
        keep: 0..1, share of the points, the nearest ones, that count in a round.
        along_distance: minimise the squares of the distances themselves, rather than of their
            parts along the surface's smooth normal, which lets rims slide.
        beyond_rim: whether points count that are closest to the surface's open end.
    Raises: ScoreError: if no point is left.
    """
    placed = start
    for _ in range(rounds):
        match = surface.closest((points - placed.t) @ placed.R / placed.scale)
        kept = np.ones(len(points), np.bool_) if beyond_rim else ~surface.at_rim(match)
        if not kept.any():
            raise ScoreError("all true points lie beyond the prediction's rim; is it a face?")
        kept &= match.distances <= np.quantile(match.distances[kept], keep)
        on_surface = placed.apply(match.points[kept])
        normals = match.normals[kept] @ placed.R.T
        if along_distance:
            normals = _directions(points[kept] - on_surface, normals)
        placed, moved = _step(placed, on_surface, normals, points[kept], scaled)
        if moved < _STILL:
            break
    return placed


def _directions(offsets: F64, normals: F64) -> F64:
    """(N, 3) unit offsets; where a point lies on the surface, its normal."""
    lengths = np.linalg.norm(offsets, axis=1, keepdims=True)
    directions: F64 = np.where(lengths > _TOUCHING, offsets / np.maximum(lengths, 1e-30), normals)
    return directions


def _step(
    placed: Similarity, on_surface: F64, normals: F64, points: F64, scaled: bool
) -> tuple[Similarity, float]:
    """One Gauss-Newton step; also the furthest that a point of the surface moves by it, metres."""
    centre = on_surface.mean(axis=0)
    arms = on_surface - centre
    reach = float(np.sqrt((arms**2).sum(axis=1).mean()))
    arms /= reach  # turns and growth count as moves at the rim do
    columns = [np.cross(arms, normals), normals]
    if scaled:
        columns.append((arms * normals).sum(axis=1, keepdims=True))
    residual = ((points - on_surface) * normals).sum(axis=1)
    # What the surface leaves free, as a ball its turning, stays as it is.
    change = np.linalg.lstsq(np.hstack(columns), residual, rcond=_FREE)[0]
    change[:3] /= reach
    change[6:] /= reach
    turn = np.asarray(Rotation.from_rotvec(change[:3]).as_matrix())
    growth = 1.0 + float(change[6]) if scaled else 1.0
    stepped = Similarity(
        growth * placed.scale,
        turn @ placed.R,
        growth * turn @ (placed.t - centre) + centre + change[3:6],
    )
    moved = growth * reach * arms @ turn.T + centre + change[3:6] - on_surface
    return stepped, float(np.abs(moved).max())
