"""A few hundred vertices of a head: places and normals now, and how these change at the mean head.

The change of a normal with shape, expression and jaw is computed once, at the mean head, in the two
directions across the normal there; it is carried along as the normal turns. Neck and eyes rest.
"""

from dataclasses import dataclass

import numpy as np

from engine.flame.lbs import pose_feature, rodrigues
from engine.flame.model import HeadModel
from engine.flame.normals import VertexNormals
from engine.stages.face_cover import face_cover
from engine.stages.landmark_model import LandmarkState
from engine.types import F32, F64, I32

__all__ = ["N_VERTICES", "NormalSurface", "Patches"]

N_VERTICES = 400
"""More vertices than these hardly help a fit, but cost time."""

_JAW = 2
_STEP = 1e-4  # radians, for the derivative of the jaw's rotation
_TURNED_BACK = 0.2
"""Least 1 + cosine to the mean head's normal for which directions can be carried along."""


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """M places on a face, model frame."""

    points: F64  # (M, 3) metres
    normals: F32  # (M, 3) unit
    across: F32  # (M, 2, 3) unit, the directions in which changes of the normal are counted


class NormalSurface:
    """For one head model; made once, takes a tenth of a second, and is shared between faces."""

    def __init__(self, model: HeadModel, n_vertices: int = N_VERTICES) -> None:
        """n_vertices: at most this many, even over the face, off eyes, mouth and border."""
        self.vertices = face_cover(model, n_vertices)
        self.n_shape = model.n_shape
        faces = model.faces[np.isin(model.faces, self.vertices).any(axis=1)]
        near, corners = np.unique(np.r_[faces.ravel(), self.vertices], return_inverse=True)
        corners = corners.ravel().astype(np.int32)
        self._rows = corners[faces.size :]
        self._faces = corners[: faces.size].reshape(-1, 3)
        self._normals = VertexNormals(self._faces, len(near))
        self._jaw_weight = model.lbs_weights[near, _JAW, None]
        self._template = model.v_template[near]
        flat = model.v_template[self.vertices][:, :2].astype(np.float64)
        self.places = (flat - flat.mean(axis=0)) / flat.std(axis=0)  # (M, 2) across and up the face
        self._shapedirs = _flat(model.shapedirs[near])
        lids = model.eyelid_dirs
        still = np.zeros((len(near), 3, 2), np.float32)
        self._frame_dirs = _flat(
            np.concatenate([model.exprdirs[near], still if lids is None else lids[near]], axis=2)
        )
        self._jaw_dirs = _flat(model.posedirs[near][..., 9:18])
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
        n = len(self._template)
        d_points = np.zeros((n, 3, E + 9 + S))
        d_points[:, :, :E] = self._frame_dirs.reshape(n, 3, -1)[:, :, :E]
        d_points[:, :, E : E + 3] = self._jaw_columns()
        d_points[:, :, E + 9 :] = self._shapedirs.reshape(n, 3, -1)
        normals, d_normals = _normal_changes(
            self._template.astype(np.float64), self._faces, d_points, self._rows
        )
        self._mean_normals = normals.astype(np.float32)
        self._mean_across = _directions_across(normals).astype(np.float32)
        self.d_points = d_points[self._rows].astype(np.float32)
        self.d_normals = (self._mean_across @ d_normals).astype(np.float32)

    def _jaw_columns(self) -> F64:
        """(P, 3, 3) metres per radian at rest."""
        turns = _STEP * np.concatenate([np.eye(3), -np.eye(3)])
        moved = [self._posed(self._template, self._joint, turn) for turn in turns]
        columns: F64 = np.stack([moved[k] - moved[k + 3] for k in range(3)], axis=2) / (2 * _STEP)
        return columns

    def _posed(self, rest: F32 | F64, joint: F64, jaw: F64) -> F64:
        """(P, 3) rest points after the jaw has turned."""
        turn = rodrigues(jaw, xp=np)
        rest = rest.astype(np.float64)
        feature = pose_feature(np.stack([np.eye(3), turn]), xp=np)
        rest = rest + (self._jaw_dirs @ feature.astype(np.float64)).reshape(-1, 3)
        posed: F64 = rest + self._jaw_weight * ((rest - joint) @ (turn - np.eye(3)).T)
        return posed

    def at(self, state: LandmarkState) -> Patches:
        """Places and normals of a head, exactly, but for its neck and eyes."""
        identity, joint = self._shaped(state.shape)
        coefficients = np.concatenate([state.expr, state.eyelids]).astype(np.float32)
        rest = identity + (self._frame_dirs @ coefficients).reshape(-1, 3)
        posed = self._posed(rest, joint + self._joint_expr @ state.expr, state.jaw)
        normals = self._normals(posed.astype(np.float32))[self._rows]
        return Patches(posed[self._rows], normals, self._carried(normals))

    def _shaped(self, shape: F64) -> tuple[F32, F64]:
        """Points and jaw joint of an identity, kept until another one comes."""
        if self._identity is None or not np.array_equal(self._identity[0], shape):
            moved = (self._shapedirs @ shape.astype(np.float32)).reshape(-1, 3)
            joint = self._joint + self._joint_shape @ shape
            self._identity = (shape.copy(), self._template + moved, joint)
        return self._identity[1], self._identity[2]

    def _carried(self, normals: F32) -> F32:
        """(M, 2, 3) the mean head's directions, turned the shortest way with its normals."""
        mean, across = self._mean_normals, self._mean_across
        room = np.maximum(1.0 + (mean * normals).sum(axis=1), _TURNED_BACK)
        lean = (across @ normals[:, :, None]) / room[:, None, None]
        carried: F32 = across - lean * (mean + normals)[:, None, :]
        return carried


def _flat(dirs: F32) -> F32:
    """(P, 3, K) -> (3 P, K)."""
    return np.ascontiguousarray(dirs.reshape(3 * len(dirs), -1))


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
