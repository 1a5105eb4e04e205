"""A head model as other programs know heads: one neutral mesh, morph targets, joints that turn.

Nothing is lost by it: expressions, lids and pose correctives are linear, hence morph targets, and
skinning is glTF's own. Only the identity has to be one for all frames.
"""

from dataclasses import dataclass

import numpy as np

from engine.flame.lbs import joint_transforms, pose_feature, rodrigues
from engine.flame.model import HeadModel
from engine.types import F32, F64, FlameParams

__all__ = ["MorphRig", "RigPose"]


@dataclass(frozen=True, slots=True, eq=False)
class RigPose:
    """What a rig's targets and joints are set to in one frame."""

    weights: F32  # (K,)
    local_R: F64  # (5, 3, 3) each joint in its parent; the root in the model frame
    local_t: F64  # (5, 3) metres, same
    R: F64  # (3, 3) view from model
    t: F64  # (3,) metres, view from model


class MorphRig:
    """The rig of one person, and its pose for any parameters. V vertices, K targets, 5 joints."""

    def __init__(self, model: HeadModel, shape: F32) -> None:
        """shape: (n_shape,) the person, in standard units."""
        self._model = model
        identity = model.shapedirs.reshape(-1, model.n_shape) @ shape
        self.vertices: F32 = model.v_template + identity.reshape(-1, 3)
        """(V, 3) metres, model frame: the person at rest."""
        regressor = model.J_regressor.astype(np.float64)
        self.joints: F64 = regressor @ self.vertices
        """(5, 3) metres, model frame."""
        self._joints_expr = np.einsum("jv,vck->jck", regressor, model.exprdirs)
        flat = model.posedirs.reshape(-1, model.posedirs.shape[2])
        self._corrective = np.flatnonzero(np.abs(flat).max(axis=0, initial=0.0) > 0)
        names = [f"expression_{i:03d}" for i in range(model.n_expr)]
        parts = [model.exprdirs]
        if model.eyelid_dirs is not None:
            names += ["eyelid_left", "eyelid_right"]
            parts.append(model.eyelid_dirs)
        names += [f"corrective_{i:02d}" for i in self._corrective]
        parts.append(model.posedirs[:, :, self._corrective])
        self.target_names = tuple(names)
        self.targets: F32 = np.ascontiguousarray(np.concatenate(parts, axis=2).transpose(2, 0, 1))
        """(K, V, 3) metres that a target moves at weight 1."""

    def pose(self, params: FlameParams) -> RigPose:
        """The rig as these parameters set it; their shape is left out of account."""
        turns = np.concatenate([np.zeros(3), params.neck, params.jaw, params.eyes]).reshape(5, 3)
        rotations = rodrigues(turns.astype(np.float64), xp=np)
        parents = tuple(int(p) for p in self._model.parents)
        joints = self.joints + self._joints_expr @ params.expr
        placed = joint_transforms(rotations, joints, parents, xp=np)
        world_R = placed[:, :, :3]
        # A joint's node moves with what the expression does to its place.
        world_t = placed[:, :, 3] + np.einsum("jab,jb->ja", world_R, self.joints)
        local_R, local_t = world_R.copy(), world_t.copy()
        for joint, parent in enumerate(parents):
            if parent >= 0:
                back = world_R[parent].T
                local_R[joint] = back @ world_R[joint]
                local_t[joint] = back @ (world_t[joint] - world_t[parent])
        weights = [params.expr]
        if self._model.eyelid_dirs is not None:
            weights.append(params.eyelids)
        weights.append(pose_feature(rotations, xp=np)[self._corrective])
        return RigPose(
            np.concatenate(weights).astype(np.float32), local_R, local_t, params.R, params.t
        )
