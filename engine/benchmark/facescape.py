"""FaceScape's measure, as an option: distances between cylindrical maps of both heads.

Both heads are scaled until the true pupils are 62.85 mm apart and turned into the head's own axes;
rays towards the upright axis through the head make maps of 256 x 256 radii. CR is the share of the
truth's cells that the prediction covers too; CD pools the distances between both maps' surfaces
over the cells in common; MNE is the mean angle between the hit triangles' normals after adding 1 to
all their components and making them unit again, which is a quirk of the published code and presses
angles together. The plain angle stands beside it.

What differs: the published code places predictions by their own projection and shifts them in
depth; here they lie where the alignment put them. Head axes come from the landmarks.

Source: Zhu et al. 2023, "FaceScape: 3D Facial Dataset and Benchmark for Single-View 3D Face
Reconstruction", and its published evaluation.
"""

from dataclasses import dataclass

import igl
import numpy as np

from engine.benchmark.head_axes import axes_of, known_landmarks
from engine.benchmark.surface import MeshSurface, angles
from engine.benchmark.types import TruthMesh
from engine.errors import ScoreError
from engine.flame.closest import unit_rows
from engine.types import F64, I32, Bool

__all__ = ["facescape_values"]

_SIZE = 256
_HALF_HEIGHT_M = 0.150
_PUPILS_M = 0.06285
_BEHIND_EYES_M = 0.075  # the axis runs this far behind the middle of the eye corners
_FAR_M = 0.5  # rays begin here
_JUMP_M = 0.015


@dataclass(frozen=True, slots=True, eq=False)
class _Map:
    """One head, unrolled."""

    radius: F64  # (256, 256) metres; NaN where no ray hits
    points: F64  # (256, 256, 3) metres
    normals: F64  # (256, 256, 3) of the triangles hit


def facescape_values(found: MeshSurface, true: MeshSurface, truth: TruthMesh) -> dict[str, float]:
    """facescape_cd_mm, _mne_rad, _mne_plain_rad and _cr.

    Args:
        found, true: surfaces that lie over each other.
        truth: for the landmarks.
    Raises: ScoreError: without landmarks, or if the maps have nothing in common.
    """
    origin, axes, scale = _head_frame(truth)
    maps = [_unroll(s.faces, scale * (s.vertices - origin) @ axes.T) for s in (found, true)]
    hits = [np.isfinite(m.radius) for m in maps]
    both = hits[0] & hits[1]
    if not both.any():
        raise ScoreError("no ray hits both heads; FaceScape's measure is not defined")
    surfaces = [MeshSurface(*_remeshed(m, both)) for m in maps]
    points = [m.points[both] for m in maps]
    pooled = [surfaces[1 - i].closest(points[i]).distances for i in (0, 1)]
    normals = [m.normals[both] for m in maps]
    pressed = [unit_rows(n + 1.0) for n in normals]
    return {
        "facescape_cd_mm": float(1e3 * np.concatenate(pooled).mean()),
        "facescape_mne_rad": float(angles(*pressed).mean()),
        "facescape_mne_plain_rad": float(angles(*normals).mean()),
        "facescape_cr": float(both.sum() / hits[1].sum()),
    }


def _head_frame(truth: TruthMesh) -> tuple[F64, F64, float]:
    """Origin (3,), axes (3, 3) as rows (to the subject's left, up, ahead), and scale."""
    middle, axes, apart = axes_of(known_landmarks(truth))
    scale = _PUPILS_M / apart
    return middle - _BEHIND_EYES_M / scale * axes[2], axes, scale


def _unroll(faces: I32, vertices: F64) -> _Map:
    """The outermost surface in each direction from the upright axis."""
    angle = -np.pi + 2 * np.pi * (np.arange(_SIZE) + 0.5) / _SIZE
    height = _HALF_HEIGHT_M * (1 - 2 * (np.arange(_SIZE) + 0.5) / _SIZE)
    outwards = np.stack([np.sin(angle), np.zeros(_SIZE), np.cos(angle)], axis=1)
    away = np.broadcast_to(outwards, (_SIZE, _SIZE, 3)).reshape(-1, 3)
    start = _FAR_M * away + np.repeat(height, _SIZE)[:, None] * [0.0, 1.0, 0.0]
    tree, corners = igl.AABB(), np.ascontiguousarray(faces, np.int64)
    vertices = np.ascontiguousarray(vertices)
    tree.init(vertices, corners)
    rows, reach, _ = tree.intersect_ray_first(vertices, corners, start, -away)
    hit = (rows >= 0) & (reach < _FAR_M)  # beyond the axis: the other side
    radius = np.where(hit, _FAR_M - reach, np.nan)
    a, b, c = vertices[corners[np.maximum(rows, 0)]].transpose(1, 0, 2)
    normals = np.where(hit[:, None], unit_rows(np.cross(b - a, c - a)), np.nan)
    points = start - np.where(hit, reach, np.nan)[:, None] * away
    grid = (_SIZE, _SIZE)
    return _Map(radius.reshape(grid), points.reshape(*grid, 3), normals.reshape(*grid, 3))


def _remeshed(found: _Map, use: Bool) -> tuple[F64, I32]:
    """A mesh of neighbouring cells without the steps in depth.

    Raises: ScoreError: if no three neighbours are left.
    """
    index = np.full(use.shape, -1)
    index[use] = np.arange(use.sum())
    wrapped = np.hstack([index, index[:, :1]])  # the map closes behind the head
    a, b, c, d = wrapped[:-1, :-1], wrapped[:-1, 1:], wrapped[1:, :-1], wrapped[1:, 1:]
    faces = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, c, b), (b, c, d))])
    faces = faces[(faces >= 0).all(axis=1)]
    radius = found.radius[use][faces]
    faces = faces[np.ptp(radius, axis=1) < _JUMP_M]
    if not len(faces):
        raise ScoreError("the maps have no surface in common; FaceScape's measure is not defined")
    return found.points[use], faces.astype(np.int32)
