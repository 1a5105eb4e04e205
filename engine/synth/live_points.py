"""MediaPipe's points of a drawn face, as a live crop would have them: found, or modelled."""

import numpy as np

from engine.flame.model import HeadModel
from engine.flame.posed import surface_points
from engine.frames import project
from engine.stages.face_finder import landmarks3d_of
from engine.stages.mediapipe_graph import face_mesh
from engine.synth.placement import Placement
from engine.synth.posing import PosedPerson
from engine.types import F32, F64, N_MEDIAPIPE, U8

__all__ = ["PointFinder", "modelled_points", "true_points"]

_IRIS_RADIUS, _EYE_RADIUS = 0.0057, 0.0125  # metres
_MAX_MISS = 0.25  # of the face's extent: further from the truth, MediaPipe saw something else
_MIN_SCORE = 0.5
# How MediaPipe's points erred on 76 drawn faces, as shares of the face's extent: it makes faces
# flatter than they are, and neighbours err alike.
_SHIFT = np.array([0.010, 0.018, 0.0])
_SCALE, _SCALE_STD = np.array([0.99, 0.95, 0.79]), np.array([0.065, 0.05, 0.12])
_SMOOTH = np.array([0.020, 0.018, 0.034])
_ROUGH = np.array([0.006, 0.006, 0.006])


class PointFinder:
    """MediaPipe on single pictures; made once, used from one thread."""

    def __init__(self) -> None:
        self._mesh = face_mesh(1, _MIN_SCORE, tracking=False)

    def find(self, image: U8, truth: F32) -> F32 | None:
        """(478, 3) px of the face whose true points, (478, 3) px, are known; None if not found."""
        extent = float(np.ptp(truth[:468, :2], axis=0).max())
        for points in landmarks3d_of(self._mesh, image):
            miss = np.linalg.norm((points - truth)[:468, :2], axis=1).mean()
            if miss < _MAX_MISS * extent:
                return points
        return None

    def close(self) -> None:
        self._mesh.close()


def true_points(model: HeadModel, posed: PosedPerson, placement: Placement) -> F32:
    """(478, 3) where the model has MediaPipe's points: window px, z px towards the viewer.

    Raises: ValueError: if the model does not know all 468 points of the surface.
    """
    if (missing := 468 - np.count_nonzero(model.mediapipe_idx < 468)) > 0:
        raise ValueError(f"{model.name} lacks {missing} of MediaPipe's 468 surface points")
    points = np.zeros((N_MEDIAPIPE, 3))
    points[model.mediapipe_idx] = surface_points(posed.vertices, model.faces, model.mediapipe)
    _fill_irises(points, posed)
    view = points @ placement.R.T + placement.t
    px_per_metre = placement.camera.K[0, 0] / -view[:468, 2].mean()
    depth = (view[:, 2] - view[:468, 2].mean()) * px_per_metre
    return np.column_stack([project(view, placement.camera.K), depth]).astype(np.float32)


def _fill_irises(points: F64, posed: PosedPerson) -> None:
    """Centre, then its left, top, right and bottom from the subject's side: the right eye first."""
    ring = _IRIS_RADIUS * np.array([(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)])
    front = np.sqrt(_EYE_RADIUS**2 - _IRIS_RADIUS**2)
    local = np.column_stack([ring, np.full(5, front)])
    for first, side in ((468, 1), (473, 0)):
        points[first : first + 5] = posed.eye_centres[side] + local @ posed.eye_turns[side].T


def modelled_points(rng: np.random.Generator, truth: F32) -> F32:
    """(478, 3) the truth with errors such as MediaPipe makes: shifted, scaled, bent, rough."""
    extent = float(np.ptp(truth[:468, :2], axis=0).max())
    middle = truth[:468].mean(axis=0)
    centred = (truth - middle) / extent
    scale = rng.normal(_SCALE, _SCALE_STD)
    waves = rng.normal(0, 3.0, (3, 4))  # a few slow waves over the face
    phases = rng.uniform(0, 2 * np.pi, 4)
    bend = np.sin(centred @ waves + phases) @ rng.normal(0, 1 / np.sqrt(2), (4, 3)) * _SMOOTH
    error = rng.normal(0, _SHIFT) + bend + rng.normal(0, 1, (N_MEDIAPIPE, 3)) * _ROUGH
    moved: F32 = (middle + extent * (centred * scale + error)).astype(np.float32)
    return moved
