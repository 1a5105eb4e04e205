"""The head model reduced to MediaPipe's landmarks: their positions and derivatives, per frame.

Neck stays at rest (the global rotation takes its part), so every joint hangs on a resting parent.
Between the corners of a triangle weights and positions are interpolated apart, which is off by less
than 0.1 mm against the full mesh.
"""

from dataclasses import dataclass

import numpy as np

from engine.flame.lbs import pose_feature, rodrigues
from engine.flame.model import HeadModel, Landmarks
from engine.types import F32, F64

__all__ = ["LandmarkModel", "LandmarkState"]

_JAW, _EYES = 2, (3, 4)
_STEP = 1e-4  # radians, for the derivative of a 3x3 rotation
_STEPS = _STEP * np.eye(3)[[0, 1, 2, 0, 1, 0, 1]]  # jaw, left eye, right eye


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkState:
    """What the reduced model is evaluated at; lengths as in FlameParams."""

    shape: F64
    expr: F64
    jaw: F64  # (3,) axis-angle
    eyes: F64  # (2, 2) for left, right: turn about +x (down), about +y (to the subject's left)
    eyelids: F64  # (2,)


@dataclass(frozen=True, slots=True, eq=False)
class _Evaluated:
    """The reduced head in one state."""

    points: F64  # (N, 3) metres, model frame
    blended: F64  # (N, 3, 3) what turned each point
    rest: F64  # (N, 3) metres, before joints turned it
    joints: F64  # (5, 3) metres, at rest
    rotations: F64  # (5, 3, 3) of the joints


class LandmarkModel:
    """N landmarks of a head model as a small head of their own."""

    def __init__(self, model: HeadModel, points: Landmarks) -> None:
        corners = model.faces[points.faces_idx]
        bary = points.bary.astype(np.float64)

        def at_points(array: F32) -> F64:
            mixed: F64 = np.einsum("nk,nk...->n...", bary, array[corners].astype(np.float64))
            return mixed

        self.n_points = len(bary)
        self.template = at_points(model.v_template)
        self.shapedirs = at_points(model.shapedirs)
        self.exprdirs = at_points(model.exprdirs)
        self.weights = at_points(model.lbs_weights)
        self.jaw_dirs = at_points(model.posedirs)[..., 9:18]
        lids = model.eyelid_dirs
        self.eyelid_dirs = at_points(lids) if lids is not None else np.zeros((self.n_points, 3, 2))
        regressor = model.J_regressor.astype(np.float64)
        self.J_template = regressor @ model.v_template
        self.J_shape = np.einsum("jv,vck->jck", regressor, model.shapedirs)
        self.J_expr = np.einsum("jv,vck->jck", regressor, model.exprdirs)
        self._turned_by_eye = [np.flatnonzero(self.weights[:, j] > 0) for j in _EYES]
        self._identity: tuple[F64, F64, F64] | None = None
        self._last: tuple[LandmarkState, _Evaluated] | None = None

    def _shaped(self, shape: F64) -> tuple[F64, F64]:
        """Points and joints of an identity, kept until another one comes."""
        if self._identity is None or not np.array_equal(self._identity[0], shape):
            points = self.template + self.shapedirs @ shape
            self._identity = (shape.copy(), points, self.J_template + self.J_shape @ shape)
        return self._identity[1], self._identity[2]

    def positions(self, state: LandmarkState) -> F64:
        """(N, 3) metres, model frame."""
        return self._evaluate(state).points

    def _evaluate(self, state: LandmarkState) -> _Evaluated:
        """Kept until another state comes: misses and derivatives are asked for in turn."""
        if self._last is not None and self._last[0] is state:
            return self._last[1]
        points, joints = self._shaped(state.shape)
        joints = joints + self.J_expr @ state.expr
        R = self._rotations(state)
        rest = points + self.exprdirs @ state.expr + self.eyelid_dirs @ state.eyelids
        rest = rest + self.jaw_dirs @ pose_feature(R, xp=np)[9:18]
        offsets = joints - np.einsum("jab,jb->ja", R, joints)
        blended = (self.weights @ R.reshape(5, 9)).reshape(-1, 3, 3)
        moved = np.einsum("nab,nb->na", blended, rest) + self.weights @ offsets
        found = _Evaluated(moved, blended, rest, joints, R)
        self._last = (state, found)
        return found

    def _rotations(self, state: LandmarkState) -> F64:
        pose = np.zeros((5, 3))
        pose[_JAW] = state.jaw
        pose[_EYES, :2] = state.eyes
        rotations: F64 = rodrigues(pose, xp=np)
        return rotations

    def linearise(self, state: LandmarkState, *, with_shape: bool) -> tuple[F64, F64]:
        """Positions and their derivatives.

        Returns: (N, 3) metres, and (N, 3, P) metres per unit of expr, jaw (3), eyes (4), eyelids
            (2) and, at the end and only if asked for, shape.
        """
        now = self._evaluate(state)
        blended, rest, joints = now.blended, now.rest, now.joints
        slack = np.eye(3) - now.rotations  # how a joint's shift reaches what it turns
        d_jaw, d_eyes = _rotation_derivatives(state)
        parts = [
            blended @ self.exprdirs + self._joint_part(slack, self.J_expr),
            self._jaw_part(d_jaw, blended, rest, joints),
            self._eye_part(d_eyes, rest, joints),
            blended @ self.eyelid_dirs,
        ]
        if with_shape:
            parts.append(blended @ self.shapedirs + self._joint_part(slack, self.J_shape))
        return now.points, np.concatenate(parts, axis=2)

    def _joint_part(self, slack: F64, J_dirs: F64) -> F64:
        shifted = slack @ J_dirs
        part: F64 = (self.weights @ shifted.reshape(5, -1)).reshape(-1, 3, J_dirs.shape[2])
        return part

    def _jaw_part(self, d_jaw: F64, blended: F64, rest: F64, joints: F64) -> F64:
        corrective = (blended @ (self.jaw_dirs @ d_jaw.reshape(3, 9).T)).transpose(0, 2, 1)
        arm = rest - joints[_JAW]
        turned = self.weights[:, None, None, _JAW] * (d_jaw @ arm[:, None, :, None])[..., 0]
        part: F64 = (corrective + turned).transpose(0, 2, 1)
        return part

    def _eye_part(self, d_eyes: F64, rest: F64, joints: F64) -> F64:
        out = np.zeros((self.n_points, 3, 4))
        for side, joint in enumerate(_EYES):
            moved = self._turned_by_eye[side]
            arm = rest[moved] - joints[joint]
            weight = self.weights[moved, joint, None]
            for axis in range(2):
                out[moved, :, 2 * side + axis] = weight * (arm @ d_eyes[side, axis].T)
        return out


def _rotation_derivatives(state: LandmarkState) -> tuple[F64, F64]:
    """Derivatives of joint rotations by axis-angle components, by central differences (1e-8 off).

    Returns: jaw (3, 3, 3) by its three components, eyes (2, 2, 3, 3) by eye and first two.
    """
    turns = np.zeros((7, 3))
    turns[:3] = state.jaw
    turns[3:, :2] = np.repeat(state.eyes, 2, axis=0)
    rotations = rodrigues(np.concatenate([turns + _STEPS, turns - _STEPS]), xp=np)
    derivatives = (rotations[:7] - rotations[7:]) / (2 * _STEP)
    return derivatives[:3], derivatives[3:].reshape(2, 2, 3, 3)
