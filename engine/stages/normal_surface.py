"""A few hundred vertices of a head: places and normals now, and how these change at the mean head.

The change of a normal with shape, expression and jaw is computed once, at the mean head, in the two
directions across the normal there; it is carried along as the normal turns. Neck and eyes rest.
Coordinates come before vertices, so that sums run along memory.
"""

from dataclasses import dataclass

import numpy as np

from engine.flame.model import HeadModel
from engine.flame.part_normals import PartNormals
from engine.flame.posed import columns_of
from engine.flame.turns import turn, turn_with_slopes
from engine.stages.face_cover import face_cover
from engine.stages.landmark_model import LandmarkState
from engine.types import F32, F64, I32

__all__ = ["N_VERTICES", "NormalSurface", "Patches"]

N_VERTICES = 400
"""More vertices than these hardly help a fit, but cost time."""

_JAW = 2
_UNTURNED = np.eye(3)
_TURNED_BACK = 0.2
"""Least 1 + cosine to the mean head's normal for which directions can be carried along."""


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """M places on a face, model frame."""

    points: F32  # (3, M) metres
    normals: F32  # (3, M) unit
    across: F32  # (2, 3, M) unit, the directions in which changes of the normal are counted


class NormalSurface:
    """For one head model; made once, takes a tenth of a second, and is shared between faces."""

    def __init__(self, model: HeadModel, n_vertices: int = N_VERTICES) -> None:
        """n_vertices: at most this many, even over the face, off eyes, mouth and border."""
        self.vertices = face_cover(model, n_vertices)
        self.n_shape = model.n_shape
        self._normals = PartNormals(model.faces, self.vertices)
        near = self._normals.near
        self._jaw_weight = model.lbs_weights[near, _JAW]
        self._template = np.ascontiguousarray(model.v_template[near].T)
        flat = model.v_template[self.vertices][:, :2].astype(np.float64)
        self.places = (flat - flat.mean(axis=0)) / flat.std(axis=0)  # (M, 2) across and up the face
        self._shapedirs = columns_of(model.shapedirs[near])
        lids = model.eyelid_dirs
        still = np.zeros((len(near), 3, 2), np.float32)
        parts = [
            model.exprdirs[near],
            still if lids is None else lids[near],
            model.posedirs[near][..., 9:18],  # the jaw's correctives
        ]
        self._frame_dirs = columns_of(np.concatenate(parts, axis=2))
        regressor = model.J_regressor[_JAW].astype(np.float64)
        self._joint = regressor @ model.v_template
        self._joint_shape = np.einsum("v,vck->ck", regressor, model.shapedirs)
        self._joint_expr = np.einsum("v,vck->ck", regressor, model.exprdirs)
        self._identity: tuple[F64, F32, F64] | None = None
        self._freeze(model)

    def _freeze(self, model: HeadModel) -> None:
        """What the mean head's normals and points change by.

        Columns: expression, jaw (3), eyes (4), eyelids (2), shape. Eyes and lids are left to the
        landmarks: their columns are 0.
        """
        E, S = model.n_expr, model.n_shape
        n = len(self._jaw_weight)
        d_points = np.zeros((n, 3, E + 9 + S))
        d_points[:, :, :E] = model.exprdirs[self._normals.near]
        d_points[:, :, E : E + 3] = self._jaw_columns(model)
        d_points[:, :, E + 9 :] = model.shapedirs[self._normals.near]
        template = self._template.T.astype(np.float64)
        rows, faces = self._normals.rows, self._normals.faces
        normals, d_normals = _normal_changes(template, faces, d_points, rows)
        across = _directions_across(normals).astype(np.float32)
        self.d_points = d_points[rows].astype(np.float32)
        self.d_normals = (across @ d_normals).astype(np.float32)
        self._mean_normals = np.ascontiguousarray(normals.T, np.float32)
        self._mean_across = np.ascontiguousarray(across.transpose(1, 2, 0))

    def _jaw_columns(self, model: HeadModel) -> F64:
        """(P, 3, 3) metres per radian at rest."""
        near, slopes = self._normals.near, turn_with_slopes(np.zeros(3))[1]
        correctives = model.posedirs[near][..., 9:18].astype(np.float64) @ slopes.reshape(3, 9).T
        arm = model.v_template[near] - self._joint
        turned = np.einsum("p,kab,pb->pak", self._jaw_weight, slopes, arm)
        columns: F64 = correctives + turned
        return columns

    def _posed(self, identity: F32, joint: F64, coefficients: F64, jaw: F64) -> F32:
        """(3, P) points after face and jaw have moved.

        Args: coefficients: of expression and eyelids.
        """
        moves = turn(jaw) - _UNTURNED
        moved = np.concatenate([coefficients, moves.ravel()]).astype(np.float32)
        rest = identity + (moved @ self._frame_dirs).reshape(3, -1)
        arm = rest - joint[:, None].astype(np.float32)
        posed: F32 = rest + self._jaw_weight * (moves.astype(np.float32) @ arm)
        return posed

    def at(self, state: LandmarkState) -> Patches:
        """Places and normals of a head, exactly, but for its neck and eyes."""
        identity, joint = self._shaped(state.shape)
        coefficients = np.concatenate([state.expr, state.eyelids])
        joint = joint + self._joint_expr @ state.expr
        posed = self._posed(identity, joint, coefficients, state.jaw)
        normals = self._normals(posed)
        points = posed.take(self._normals.rows, axis=1)
        return Patches(points, normals, self._carried(normals))

    def _shaped(self, shape: F64) -> tuple[F32, F64]:
        """Points (3, P) and jaw joint of an identity, kept until another one comes."""
        if self._identity is None or not np.array_equal(self._identity[0], shape):
            moved = (shape.astype(np.float32) @ self._shapedirs).reshape(3, -1)
            joint = self._joint + self._joint_shape @ shape
            self._identity = (shape.copy(), self._template + moved, joint)
        return self._identity[1], self._identity[2]

    def _carried(self, normals: F32) -> F32:
        """(2, 3, M) the mean head's directions, turned the shortest way with its normals."""
        mean, across = self._mean_normals, self._mean_across
        room = np.maximum(1.0 + (mean * normals).sum(axis=0), _TURNED_BACK)
        lean = (across * normals).sum(axis=1) / room
        carried: F32 = across - lean[:, None] * (mean + normals)
        return carried


def _normal_changes(points: F64, faces: I32, d_points: F64, rows: I32) -> tuple[F64, F64]:
    """Unit normals (M, 3) of some vertices, and (M, 3, K) their derivatives.

    Args:
        points: (P, 3); d_points: (P, 3, K) their derivatives.
        rows: (M,) the vertices asked for; `faces` has all triangles around them.
    """
    a, b, c = points[faces.T]
    u, v = (b - a)[:, :, None], (c - a)[:, :, None]
    d_a, d_b, d_c = d_points[faces.T]
    d_vectors = np.cross(d_b - d_a, v, axis=1) + np.cross(u, d_c - d_a, axis=1)
    sums, d_sums = np.zeros_like(points), np.zeros_like(d_points)
    for corner in range(3):
        np.add.at(sums, faces[:, corner], np.cross(u, v, axis=1)[:, :, 0])
        np.add.at(d_sums, faces[:, corner], d_vectors)
    lengths = np.linalg.norm(sums[rows], axis=1)
    normals = sums[rows] / lengths[:, None]
    d_unit = d_sums[rows] / lengths[:, None, None]
    along = np.einsum("mc,mck->mk", normals, d_unit)
    return normals, d_unit - normals[:, :, None] * along[:, None, :]


def _directions_across(normals: F64) -> F64:
    """(M, 2, 3) two unit directions at right angles to each normal and each other."""
    first = np.cross(normals, np.eye(3)[np.abs(normals).argmin(axis=1)])
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    across: F64 = np.stack([first, np.cross(normals, first)], axis=1)
    return across
