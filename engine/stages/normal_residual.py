"""How far a fitted head's normals are from those that a network sees: one number in degrees."""

import numpy as np

from engine.flame.lbs import rodrigues
from engine.flame.model import HeadModel
from engine.flame.normals import VertexNormals
from engine.frames import project
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
        counted = skin_of_face(model)
        # Triangles that touch a counted vertex: its normal takes them all in.
        faces = model.faces[counted[model.faces].any(axis=1)]
        self._vertices, corners = np.unique(faces, return_inverse=True)
        self._counted = np.flatnonzero(counted[self._vertices])
        n = len(self._vertices)
        self._normals = VertexNormals(corners.reshape(-1, 3).astype(np.int32), n)

    def __call__(
        self, vertices: F32, params: FlameParams, camera: Camera, normals: NormalMap
    ) -> float:
        """Mean angle in degrees over the face's vertices that the map shows; NaN without any.

        View normals count where the map has them, else head normals.
        Args:
            vertices: (V, 3) metres, model frame, as posed by params.
            camera: of the frame.
        """
        near = vertices[self._vertices]
        own = self._normals(near)[self._counted]
        placed = near[self._counted] @ params.R.T + params.t
        turned = own @ params.R.T
        sight = np.einsum("vk,vk->v", turned, -placed) / np.linalg.norm(placed, axis=1)
        pixels = project(placed, camera.K) @ normals.crop_from_frame[:, :2].T
        pixels += normals.crop_from_frame[:, 2]
        size = normals.mask.shape[0]
        column, row = np.clip(np.rint(np.nan_to_num(pixels, nan=-1)), -1, size).astype(int).T
        shown = (row >= 0) & (row < size) & (column >= 0) & (column < size) & (sight > _FACING)
        row, column = row[shown], column[shown]
        weights = normals.mask[row, column]
        if normals.view is not None:
            seen, own = normals.view[row, column], turned[shown]
        elif normals.head is not None:
            # The head frame does not turn with the neck.
            neck = rodrigues(params.neck[None].astype(np.float64), xp=np)[0]
            seen, own = normals.head[row, column], own[shown] @ neck
        certain = weights > 0.5
        if certain.sum() < _LEAST:
            return float("nan")
        cosines = np.einsum("vk,vk->v", seen, own)[certain]
        return float(np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))).mean())
