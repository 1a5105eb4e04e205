"""How far a fitted head's normals are from those that a network sees: one number in degrees."""

import numpy as np

from engine.flame.model import HeadModel
from engine.flame.part_normals import PartNormals
from engine.flame.turns import turn
from engine.frames import project_columns
from engine.stages.face_cover import skin_of_face
from engine.types import F32, Camera, FlameParams, NormalMap

__all__ = ["NormalResidual"]

_FACING = 0.2
"""Cosine to the line of sight below which a vertex counts as turned away or hidden."""
_LEAST = 20
"""Fewer vertices say nothing."""


class NormalResidual:
    """For one head model; what depends on its topology is paid once."""

    def __init__(self, model: HeadModel) -> None:
        counted = np.flatnonzero(skin_of_face(model)).astype(np.int32)
        self._normals = PartNormals(model.faces, counted)

    def __call__(
        self, vertices: F32, params: FlameParams, camera: Camera, normals: NormalMap
    ) -> float:
        """Mean angle in degrees over the face's vertices that the map shows; NaN without any.

        View normals count where the map has them, else head normals.
        Args:
            vertices: (V, 3) metres, model frame, as posed by params.
            camera: of the frame.
        """
        near = np.ascontiguousarray(vertices.take(self._normals.near, axis=0).T)
        own = self._normals(near)
        R = params.R.astype(np.float32)
        turned = R @ own
        placed = R @ near.take(self._normals.rows, axis=1) + params.t[:, None]
        sight = -(turned * placed).sum(axis=0) / np.sqrt((placed * placed).sum(axis=0))
        matrix, size = normals.crop_from_frame, normals.mask.shape[0]
        pixels = np.rint(matrix[:, :2] @ project_columns(placed, camera.K) + matrix[:, 2:])
        shown = ((pixels >= 0) & (pixels < size)).all(axis=0) & (sight > _FACING)  # not NaN
        column, row = np.where(shown, pixels, 0).astype(np.intp)
        index = row * size + column
        certain = shown & (normals.mask.take(index) > 0.5)
        if certain.sum() < _LEAST:
            return float("nan")
        if normals.view is not None:
            seen, own = normals.view, turned
        elif normals.head is not None:
            # The head frame does not turn with the neck.
            seen, own = normals.head, turn(params.neck.astype(np.float64)).T @ own
        cosines = (seen.reshape(-1, 3).take(index, axis=0).T * own).sum(axis=0)[certain]
        return float(np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))).mean())
