"""PosedHead: one person's head, fast. Identity is paid once, a frame costs expression and pose."""

import numpy as np

from engine.errors import ModelContractError
from engine.flame.lbs import joint_transforms, pose_feature, rodrigues
from engine.flame.model import HeadModel, Landmarks
from engine.types import F32, I32, FlameParams

__all__ = ["PosedHead", "surface_points"]


def surface_points(vertices: F32, faces: I32, points: Landmarks) -> F32:
    """(V, 3) vertices, (F, 3) triangles -> (N, 3) positions of points fixed to the surface."""
    corners = vertices[faces[points.faces_idx]]
    positions: F32 = np.einsum("nk,nkc->nc", points.bary, corners)
    return positions


class PosedHead:
    """Poses a head model for FlameParams of one identity at a time."""

    def __init__(self, model: HeadModel) -> None:
        V = model.n_vertices
        self.model = model
        self._shapedirs = np.ascontiguousarray(model.shapedirs.reshape(3 * V, -1))
        joints_from = model.J_regressor.astype(np.float64)
        self._J_template = joints_from @ model.v_template
        self._J_shape = np.einsum("jv,vck->jck", joints_from, model.shapedirs)
        self._J_expr = np.einsum("jv,vck->jck", joints_from, model.exprdirs)
        # One matrix for all that changes per frame; pose correctives that are zero cost nothing.
        posedirs = model.posedirs.reshape(3 * V, -1)
        self._pose_columns = np.flatnonzero(np.abs(posedirs).max(axis=0) > 0)
        parts = [model.exprdirs.reshape(3 * V, -1), posedirs[:, self._pose_columns]]
        if model.eyelid_dirs is not None:
            parts.append(model.eyelid_dirs.reshape(3 * V, 2))
        self._frame_dirs = np.ascontiguousarray(np.concatenate(parts, axis=1))
        self._parents = tuple(int(p) for p in model.parents)
        self._shape: F32 | None = None
        self.set_identity(np.zeros(model.n_shape, np.float32))

    def set_identity(self, shape: F32) -> None:
        """Fix the person; (n_shape,) standard units."""
        if self._shape is not None and np.array_equal(shape, self._shape):
            return
        self._shape = shape.copy()
        self._v_identity = self.model.v_template.reshape(-1) + self._shapedirs @ shape
        self._J_identity = self._J_template + self._J_shape @ shape

    def vertices(self, params: FlameParams) -> F32:
        """(V, 3) metres, model frame; sets the identity when params carry another one.

        Raises: ModelContractError: if params were made for another head model.
        """
        if params.model_id != self.model.model_id:
            raise ModelContractError(
                f"parameters belong to head model {params.model_id[:12]}, but "
                f"{self.model.name} ({self.model.model_id[:12]}) is loaded; "
                "fit again with this model or pass the other with --model"
            )
        self.set_identity(params.shape)
        pose = np.concatenate([np.zeros(3), params.neck, params.jaw, params.eyes]).reshape(5, 3)
        rotations = rodrigues(pose, xp=np)
        joints = self._J_identity + self._J_expr @ params.expr
        transforms = joint_transforms(rotations, joints, self._parents, xp=np).astype(np.float32)
        coefficients = [params.expr, pose_feature(rotations, xp=np)[self._pose_columns]]
        if self.model.eyelid_dirs is not None:
            coefficients.append(params.eyelids)
        moved = self._frame_dirs @ np.concatenate(coefficients).astype(np.float32)
        return _skin_rows((self._v_identity + moved).reshape(-1, 3), transforms, self.model)


def _skin_rows(v_posed: F32, transforms: F32, model: HeadModel) -> F32:
    """`lbs.skin` for one head, three times as fast: four columns of (V, 3) instead of (V, 3, 4)."""
    columns = model.lbs_weights @ transforms.transpose(0, 2, 1).reshape(5, 12)
    out: F32 = columns[:, 9:].copy()
    for axis in range(3):
        out += columns[:, 3 * axis : 3 * axis + 3] * v_posed[:, axis : axis + 1]
    return out
