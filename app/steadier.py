"""Filters the heads of a video, face by face, and measures what that does: trembling and lag."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.view import Steadiness
from engine.flame.landmarks import landmarks68
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.frames import project
from engine.pipeline import yaw_of
from engine.stages.face_tracks import KEEP_NS
from engine.stages.smoother import HeadSmoother
from engine.types import F32, F64, Reconstruction

__all__ = ["Steadier", "steadiness_of"]

_WINDOW = 60  # frames
_HALF_MEAN = 2  # frames on each side of a centred mean
_LEAST_MOTION_PX_S = 20.0
"""Root mean square speed of the landmarks below which a lag cannot be told."""


class Steadier:
    """For one source; use it from one thread."""

    def __init__(self, model: HeadModel, shape: F32 | None = None) -> None:
        """shape: (n_shape,) of the first face, where the person is known; None: learned."""
        self._model, self._shape = model, shape
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        self._faces: dict[int, tuple[HeadSmoother, PosedHead]] = {}
        self._seen_ns: dict[int, int] = {}
        self._first: int | None = None  # id of the face that is measured
        self._trace: deque[tuple[float, F32, F32]] = deque(maxlen=_WINDOW)

    @property
    def locked_shape(self) -> F32 | None:
        """(n_shape,) of the first face, once it is learned."""
        known = self._faces.get(self._first) if self._first is not None else None
        return known[0].shape if known is not None else None

    def run(self, faces: Sequence[Reconstruction]) -> tuple[Reconstruction, ...]:
        """The faces of one frame, filtered; largest first, as given."""
        steadied = tuple(self._steadied(face) for face in faces)
        if faces:
            self._note(faces[0], steadied[0])
            now = faces[0].t_ns
            for gone in [i for i, t in self._seen_ns.items() if abs(now - t) > KEEP_NS]:
                del self._seen_ns[gone], self._faces[gone]
        return steadied

    def steadiness(self) -> Steadiness | None:
        """Of the first face over the last frames; None before there are enough."""
        return steadiness_of(list(self._trace))

    def _steadied(self, face: Reconstruction) -> Reconstruction:
        face_id = face.crop.face_id
        if face_id not in self._faces:
            shape = self._shape if not self._faces else None
            self._faces[face_id] = (HeadSmoother(self._model, shape), PosedHead(self._model))
        self._seen_ns[face_id] = face.t_ns
        smoother, head = self._faces[face_id]
        params = smoother.run(face.params, face.t_ns, face.quality)
        vertices = head.vertices(params)
        points = landmarks68(self._model, vertices, yaw_of(params))
        pixels = project(points @ params.R.T + params.t, face.camera.K).astype(np.float32)
        return replace(face, params=params, vertices=vertices, landmarks68_px=pixels)

    def _note(self, raw: Reconstruction, steadied: Reconstruction) -> None:
        if raw.crop.face_id != self._first:
            self._first = raw.crop.face_id
            self._trace.clear()
        if self._trace and self._trace[-1][0] == raw.t_ns / 1e9:
            self._trace.pop()  # the same frame, fitted once more
        self._trace.append((raw.t_ns / 1e9, raw.landmarks68_px, steadied.landmarks68_px))


def steadiness_of(trace: Sequence[tuple[float, F32, F32]]) -> Steadiness | None:
    """What a filter did.

    Args:
        trace: of frames in order: time in seconds, (N, 2) px raw, (N, 2) px filtered.
    Returns: None for fewer than ten frames.
    """
    if len(trace) < 10:
        return None
    times: F64 = np.array([t for t, _, _ in trace])
    raw = np.stack([points for _, points, _ in trace]).astype(np.float64)
    filtered = np.stack([points for _, _, points in trace]).astype(np.float64)
    inner = slice(_HALF_MEAN, -_HALF_MEAN)
    truth = _centred_mean(raw)
    jitter = [
        float(np.sqrt(((x[inner] - _centred_mean(x)) ** 2).sum(axis=2).mean()))
        for x in (raw, filtered)
    ]
    # Filtered is what was true a lag ago: truth - filtered = lag x speed, by least squares.
    speed = np.gradient(truth, times[inner], axis=0)
    gap = truth - filtered[inner]
    motion = float((speed**2).sum())
    is_moving = motion / speed[..., 0].size > _LEAST_MOTION_PX_S**2
    lag_ms = 1e3 * float((gap * speed).sum()) / motion if is_moving else None
    return Steadiness(jitter[0], jitter[1], lag_ms)


def _centred_mean(x: F64) -> F64:
    """Over five frames; shorter by two at each end."""
    n = 2 * _HALF_MEAN + 1
    sums = np.cumsum(np.concatenate([np.zeros((1, *x.shape[1:])), x]), axis=0)
    mean: F64 = (sums[n:] - sums[:-n]) / n
    return mean
