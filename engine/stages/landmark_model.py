"""The head model reduced to MediaPipe's landmarks: their positions and derivatives, per frame.

Neck stays at rest (the global rotation takes its part), so every joint hangs on a resting parent.
Between the corners of a triangle weights and positions are interpolated apart, which is off by less
than 0.1 mm against the full mesh. Coordinates come before points, so that sums run along memory.
"""

from dataclasses import dataclass

import numpy as np

from engine.flame.model import HeadModel, Landmarks
from engine.flame.posed import columns_of
from engine.flame.turns import turn_with_slopes
from engine.types import F32, F64

__all__ = ["LandmarkModel", "LandmarkState"]

_JAW_AND_EYES = (2, 3, 4)
"""The joints that turn: jaw, left eye, right eye, in this order here."""
_UNTURNED = np.eye(3)


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

    points: F64  # (3, N) metres, model frame
    blended: F64  # (3, 3, N) what turned each point
    rest: F64  # (3, N) metres, before joints turned it
    joints: F64  # (3, 3) metres, at rest
    turned_by: F64  # (3, 3, 3) of each joint, rotation less identity
    slopes: F64  # (3, 3, 3, 3) per radian, of each joint by each component


class LandmarkModel:
    """N landmarks of a head model as a small head of their own."""

    def __init__(self, model: HeadModel, points: Landmarks) -> None:
        corners = model.faces[points.faces_idx]
        bary = points.bary.astype(np.float64)

        def at_points(array: F32) -> F64:
            mixed: F64 = np.einsum("nk,nk...->n...", bary, array[corners].astype(np.float64))
            return mixed

        N, E, S = len(bary), model.n_expr, model.n_shape
        self.n_points, self._n_expr = N, E
        self._template = np.ascontiguousarray(at_points(model.v_template).T)
        lids = model.eyelid_dirs
        lid_dirs = at_points(lids) if lids is not None else np.zeros((N, 3, 2))
        expr_dirs, shape_dirs = at_points(model.exprdirs), at_points(model.shapedirs)
        jaw_dirs = at_points(model.posedirs)[..., 9:18]
        self._frame_dirs = columns_of(np.concatenate([expr_dirs, lid_dirs, jaw_dirs], axis=2))
        self._shape_dirs = columns_of(shape_dirs)
        # For derivatives, in single precision: columns in the unknowns' order, where jaw and eyes
        # are filled in per frame.
        turning = np.zeros((N, 3, 7))
        dirs = np.concatenate([expr_dirs, turning, lid_dirs, shape_dirs], axis=2)
        self._dirs = dirs.astype(np.float32)
        self._own_dirs = np.ascontiguousarray(self._dirs[:, :, : E + 9])
        self._jaw_dirs = np.ascontiguousarray(jaw_dirs, np.float32)
        self._weights = np.ascontiguousarray(at_points(model.lbs_weights)[:, _JAW_AND_EYES].T)
        regressor = model.J_regressor[_JAW_AND_EYES, :].astype(np.float64)
        self._J_template = regressor @ model.v_template
        self._J_dirs = np.zeros((3, 3, E + 9 + S))  # columns as in _dirs
        self._J_dirs[:, :, :E] = np.einsum("jv,vck->jck", regressor, model.exprdirs)
        self._J_dirs[:, :, E + 9 :] = np.einsum("jv,vck->jck", regressor, model.shapedirs)
        self._J_expr = np.ascontiguousarray(self._J_dirs[:, :, :E]).reshape(9, E)
        self._joint_weights = self._weights.astype(np.float32)
        eye, turned = np.nonzero(self._weights[1:])
        self._of_eyes = turned, 1 + eye  # which points an eye turns, and which eye's joint
        self._identity: tuple[F64, F64, F64] | None = None
        self._last: tuple[LandmarkState, _Evaluated] | None = None

    def positions(self, state: LandmarkState) -> F64:
        """(3, N) metres, model frame."""
        return self._evaluate(state).points

    def changes(self, state: LandmarkState, by_point: F32, out: F32) -> None:
        """How what depends on the points changes with the unknowns.

        Args:
            by_point: (D, 3, N) how each of D values changes with its point, per metre.
            out: (N, D, P), written to: per unit of expr, jaw (3), eyes (4), eyelids (2) and, if P
                has room for it, shape.
        """
        now, P, D = self._evaluate(state), out.shape[2], len(by_point)
        by_rest = np.einsum("dan,abn->dbn", by_point, now.blended.astype(np.float32))
        by_rest = np.ascontiguousarray(by_rest.transpose(2, 0, 1))
        dirs = self._own_dirs if self._own_dirs.shape[2] == P else self._dirs
        np.matmul(by_rest, dirs, out=out)
        # How a joint's shift reaches what the joint turns.
        shifted = (-now.turned_by @ self._J_dirs[:, :, :P]).reshape(9, P).astype(np.float32)
        by_joint = self._joint_weights[:, None] * by_point[:, None]  # (D, 3 joints, 3, N)
        by_joint = by_joint.reshape(D, 9, -1).transpose(2, 0, 1).reshape(-1, 9)
        out += (by_joint @ shifted).reshape(-1, D, P)
        self._add_jaw(now, by_point, by_rest, out[:, :, self._n_expr : self._n_expr + 3])
        self._add_eyes(now, by_point, out[:, :, self._n_expr + 3 : self._n_expr + 7])

    def eye_changes(self, state: LandmarkState, by_point: F32) -> F32:
        """(N, D, 4) the columns of the eyes alone; see `changes`."""
        out = np.zeros((self.n_points, len(by_point), 4), np.float32)
        self._add_eyes(self._evaluate(state), by_point, out)
        return out

    def _add_jaw(self, now: _Evaluated, by_point: F32, by_rest: F32, out: F32) -> None:
        slopes = now.slopes[0].astype(np.float32)
        correctives = (by_rest @ self._jaw_dirs).reshape(-1, 9) @ slopes.reshape(3, 9).T
        arm = self._joint_weights[0] * (now.rest - now.joints[0, :, None]).astype(np.float32)
        turned = (slopes.reshape(9, 3) @ arm).reshape(3, 3, -1)
        out += correctives.reshape(out.shape) + np.einsum("dcn,kcn->ndk", by_point, turned)

    def _add_eyes(self, now: _Evaluated, by_point: F32, out: F32) -> None:
        points, joints = self._of_eyes
        arm = now.rest[:, points] - now.joints[joints].T
        turned = self._weights[joints, points, None, None] * (
            now.slopes[joints, :2] @ arm.T[:, None, :, None]
        )  # (points, 2, 3, 1)
        changed = by_point[:, :, points].transpose(2, 0, 1) @ turned[..., 0].transpose(0, 2, 1)
        # Two columns of each eye, left before right.
        out.reshape(*out.shape[:2], 2, 2)[points, :, joints - 1] += changed

    def _evaluate(self, state: LandmarkState) -> _Evaluated:
        """Kept until another state comes: misses and derivatives are asked for in turn."""
        if self._last is not None and self._last[0] is state:
            return self._last[1]
        points, joints = self._shaped(state.shape)
        joints = joints + (self._J_expr @ state.expr).reshape(3, 3)
        rotations, slopes = zip(*map(turn_with_slopes, _axis_angles(state)), strict=True)
        turned_by = np.array(rotations) - _UNTURNED
        coefficients = np.concatenate([state.expr, state.eyelids, turned_by[0].ravel()])
        rest = points + (coefficients @ self._frame_dirs).reshape(3, -1)
        blended = (turned_by.reshape(3, 9).T @ self._weights).reshape(3, 3, -1)
        blended += _UNTURNED[:, :, None]
        offsets = -(turned_by @ joints[:, :, None])[:, :, 0]
        moved = np.einsum("abn,bn->an", blended, rest) + offsets.T @ self._weights
        found = _Evaluated(moved, blended, rest, joints, turned_by, np.array(slopes))
        self._last = (state, found)
        return found

    def _shaped(self, shape: F64) -> tuple[F64, F64]:
        """Points and joints of an identity, kept until another one comes."""
        if self._identity is None or not np.array_equal(self._identity[0], shape):
            points = self._template + (shape @ self._shape_dirs).reshape(3, -1)
            joints = self._J_template + self._J_dirs[:, :, self._n_expr + 9 :] @ shape
            self._identity = (shape.copy(), points, joints)
        return self._identity[1], self._identity[2]


def _axis_angles(state: LandmarkState) -> F64:
    """(3, 3) radians: jaw, left eye, right eye."""
    turns = np.zeros((3, 3))
    turns[0] = state.jaw
    turns[1:, :2] = state.eyes
    return turns
