"""TorchHead: the parts of a head model that a camera sees, as tensors; points and normals of them.

Frames: points and normals in the model frame, metres.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from engine.fitting.state import HeadState
from engine.flame.lbs import joint_transforms, pose_feature
from engine.flame.model import HeadModel
from engine.types import F32, I32

__all__ = ["PosedSkin", "TorchHead"]

_LEFT_OUT = ("scalp", "neck", "teeth", "mouth_inside")
"""Under hair and clothes, or seldom seen; wholly inside one of these, a triangle is left out."""


class PosedSkin(NamedTuple):
    """The kept vertices of one pose."""

    points: Tensor  # (V, 3)
    normals: Tensor  # (V, 3) unit, by the area of triangles


class TorchHead:
    """For one head model on one device. V kept vertices, F kept triangles."""

    def __init__(
        self,
        model: HeadModel,
        device: str,
        dtype: torch.dtype = torch.float32,
        vertex_uv: F32 | None = None,
    ) -> None:
        """vertex_uv: (V, 2) in FLAME's texture, v up; None: nobody asks for places in it."""
        self.model, self.device, self.dtype = model, torch.device(device), dtype
        left_out = np.zeros(model.n_vertices, bool)
        for name in _LEFT_OUT:
            left_out[model.regions.get(name, [])] = True
        used = ~left_out[model.faces].all(axis=1)
        self.kept, corners = np.unique(model.faces[used], return_inverse=True)
        self.vertex_of = np.full(model.n_vertices, -1, np.int32)
        self.vertex_of[self.kept] = np.arange(len(self.kept), dtype=np.int32)
        whole = np.bincount(model.faces.ravel(), minlength=model.n_vertices)
        seen = np.bincount(model.faces[used].ravel(), minlength=model.n_vertices)
        self.has_normal = (whole == seen)[self.kept]  # none of its triangles is left out
        self.faces = torch.as_tensor(corners.reshape(-1, 3), dtype=torch.long, device=self.device)
        self.template = self._tensor(model.v_template[self.kept])
        lids = model.eyelid_dirs
        if lids is None:
            lids = np.zeros((model.n_vertices, 3, 2), np.float32)
        # Columns in the order of `HeadState.moved`, less its rotations.
        self.expr_dirs = self._tensor(model.exprdirs[self.kept])
        self.lid_dirs = self._tensor(lids[self.kept])
        self.shape_dirs = self._tensor(model.shapedirs[self.kept])
        self.pose_dirs = self._tensor(model.posedirs[self.kept])
        self.weights = self._tensor(model.lbs_weights[self.kept])
        regressor = model.J_regressor.astype(np.float64)
        self.J_template = self._tensor(regressor @ model.v_template)
        self.J_expr = self._tensor(np.einsum("jv,vck->jck", regressor, model.exprdirs))
        self.J_shape = self._tensor(np.einsum("jv,vck->jck", regressor, model.shapedirs))
        self.parents = tuple(int(p) for p in model.parents)
        self.jaw_fixed = model.jaw_fixed
        self._columns = torch.cat([self.shape_dirs, self.expr_dirs, self.lid_dirs], dim=2).reshape(
            3 * len(self.kept), -1
        )
        self.mirror = _mirror_columns(model, self.device, dtype)
        """Offset (Q,) and columns (Q, n_shape) of a shape's asymmetry; None where nobody knows."""
        self.places: Tensor | None = None  # (V, 2) in the texture, v down
        if vertex_uv is not None:
            self.places = self._tensor(vertex_uv[self.kept])
            self.places[:, 1] = 1 - self.places[:, 1]
        self._pose_columns = self.pose_dirs.reshape(3 * len(self.kept), -1)

    def _tensor(self, array: object) -> Tensor:
        return torch.as_tensor(np.asarray(array), dtype=self.dtype, device=self.device)

    def rest(self, state: HeadState) -> tuple[Tensor, Tensor, Tensor]:
        """Before skinning: points (V, 3), joints (5, 3), joints' rotations (5, 3, 3)."""
        rotations = state.joint_rotations()
        coefficients = torch.cat([state.shape, state.expr, state.eyelids])
        moved = self._columns @ coefficients + self._pose_columns @ pose_feature(
            rotations, xp=torch
        )
        joints = self.J_template + self.J_shape @ state.shape + self.J_expr @ state.expr
        return self.template + moved.view(-1, 3), joints, rotations

    def points(self, state: HeadState) -> Tensor:
        """(V, 3) posed, model frame."""
        rest, joints, rotations = self.rest(state)
        blended = self.blended(joints, rotations)
        return (blended[..., :3] @ rest[..., None])[..., 0] + blended[..., 3]

    def blended(self, joints: Tensor, rotations: Tensor) -> Tensor:
        """(V, 3, 4) what skinning does to each vertex."""
        moves = joint_transforms(rotations, joints, self.parents, xp=torch)
        return (self.weights @ moves.reshape(len(moves), 12)).view(-1, 3, 4)

    def face_vectors(self, points: Tensor) -> Tensor:
        """(F, 3) outward, as long as twice the triangles' area."""
        a, b, c = (points[self.faces[:, k]] for k in range(3))
        return torch.linalg.cross(b - a, c - a)

    def vertex_sums(self, of_faces: Tensor) -> Tensor:
        """(F, ...) -> (V, ...) summed over each vertex' triangles."""
        sums = torch.zeros(
            (len(self.kept), *of_faces.shape[1:]), dtype=of_faces.dtype, device=of_faces.device
        )
        for k in range(3):
            sums = sums.index_add(0, self.faces[:, k], of_faces)
        return sums

    def skin(self, state: HeadState) -> PosedSkin:
        """Points and normals of a pose."""
        points = self.points(state)
        sums = self.vertex_sums(self.face_vectors(points))
        return PosedSkin(points, torch.nn.functional.normalize(sums, dim=1, eps=1e-12))

    def corners(self, faces_idx: I32) -> I32:
        """(N,) rows of the model's triangles -> (N, 3) kept vertices, -1 where left out."""
        kept: I32 = self.vertex_of[self.model.faces[faces_idx]]
        return kept


def _mirror_columns(
    model: HeadModel, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor] | None:
    """How far apart a head and its mirror image are, as a function of its shape.

    The mean over vertices of squared distances is the sum of n_shape + 1 numbers' squares, by a
    triangular factor of the big matrix.
    """
    if model.mirror is None:
        return None
    flip = np.array([-1.0, 1.0, 1.0])[:, None]
    basis = np.concatenate(
        [model.v_template[..., None].astype(np.float64), model.shapedirs.astype(np.float64)], axis=2
    )
    apart = (basis[model.mirror] * flip - basis).reshape(-1, basis.shape[2])
    factor = np.linalg.qr(apart, mode="r") / np.sqrt(model.n_vertices)
    tensor = torch.as_tensor(factor, dtype=dtype, device=device)
    return tensor[:, 0], tensor[:, 1:]
