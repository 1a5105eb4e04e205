"""FaceMesh: part of a head model on torch, for losses: even triangles of its face, and landmarks.

Metres, head frame: the neck stays at rest and the global rotation comes later.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from engine.flame.lbs import blend, joint_transforms, pose_feature, rodrigues, skin
from engine.flame.model import HeadModel
from engine.stages.weak_perspective import face_anchor
from engine.training.vectors import cross
from engine.types import F64, I32

__all__ = ["REGION_WEIGHTS", "FaceMesh", "PosedFace", "gram_matrix"]

REGION_WEIGHTS = {
    "face": 1.0, "eyes": 3.0, "nose": 3.0, "mouth": 4.0, "ears": 1.0, "scalp": 0.1, "neck": 0.05,
}  # fmt: skip
"""How much errors of a region count."""

_LID_PAIRS = ((37, 41), (38, 40), (43, 47), (44, 46))  # iBUG: upper, lower
_LIP_PAIRS = ((61, 67), (62, 66), (63, 65))


class PosedFace(NamedTuple):
    """Positions of B heads, metres, head frame."""

    corners: Tensor  # (B, T, 3, 3) of the triangles
    landmarks68: Tensor  # (B, 68, 3) jaw line as of a frontal head
    points: Tensor  # (B, M, 3) MediaPipe's

    @property
    def vertices(self) -> Tensor:
        """(B, T, 3) middles of the triangles."""
        return self.corners.mean(dim=2)

    @property
    def normals(self) -> Tensor:
        """(B, T, 3) unit, outward."""
        a, b, c = self.corners.unbind(2)
        return nn.functional.normalize(cross(b - a, c - a, -1), dim=-1)

    @property
    def gaps(self) -> Tensor:
        """(B, 7, 3) from lower to upper lids, right eye first, and lips."""
        upper, lower = zip(*_LID_PAIRS, *_LIP_PAIRS, strict=True)
        return self.landmarks68[:, list(upper)] - self.landmarks68[:, list(lower)]


class FaceMesh(nn.Module):
    """Coefficients of one head model in, PosedFace out."""

    def __init__(self, model: HeadModel, n_triangles: int = 500) -> None:
        super().__init__()
        chosen = _even_triangles(model, n_triangles)
        marks, points = model.landmarks68, model.mediapipe
        rows = [model.faces[i] for i in (chosen, marks.faces_idx, points.faces_idx)]
        used, places = np.unique(np.concatenate(rows), return_inverse=True)
        places = places.reshape(-1, 3)
        lids = model.eyelid_dirs
        J = model.J_regressor.astype(np.float64)
        arrays: dict[str, Any] = {
            "v_template": model.v_template[used],
            "dirs": _linear_dirs(model)[used],
            "posedirs": model.posedirs[used],
            "eyelid_dirs": np.zeros((len(used), 3, 2)) if lids is None else lids[used],
            "lbs_weights": model.lbs_weights[used],
            "J_template": J @ model.v_template,
            "J_dirs": np.einsum("jv,vck->jck", J, _linear_dirs(model)),
            "mark_bary": marks.bary,
            "point_bary": points.bary,
            "anchor": face_anchor(model),
            "gram": gram_matrix(model),
        }
        for name, array in arrays.items():
            tensor = torch.from_numpy(np.ascontiguousarray(array, np.float32))
            self.register_buffer(name, tensor, persistent=False)
        splits = np.cumsum([len(r) for r in rows])[:-1]
        for name, part in zip(("tri", "mark", "point"), np.split(places, splits), strict=True):
            self.register_buffer(f"{name}_corners", torch.from_numpy(part), persistent=False)
        self._parents = tuple(int(p) for p in model.parents)
        self._jaw_fixed = model.jaw_fixed
        self.model_id = model.model_id

    def forward(self, shape: Tensor, expr: Tensor, jaw: Tensor, eyelids: Tensor) -> PosedFace:
        """(B, n_shape), (B, n_expr) standard units; jaw (B, 3) axis-angle; eyelids (B, 2) 0..1."""
        linear = torch.cat([shape, expr], dim=-1)
        rest = torch.zeros_like(jaw)
        jaw = rest if self._jaw_fixed else jaw
        rotations = rodrigues(torch.stack([rest, rest, jaw, rest, rest], -2), xp=torch)
        joints = blend(self.J_template, self.J_dirs, linear, xp=torch)
        v = blend(self.v_template, self.dirs, linear, xp=torch)
        v = blend(v, self.posedirs, pose_feature(rotations, xp=torch), xp=torch)
        v = blend(v, self.eyelid_dirs, eyelids, xp=torch)
        moved = joint_transforms(rotations, joints, self._parents, xp=torch)
        v = skin(v, moved, self.lbs_weights, xp=torch)
        return PosedFace(
            corners=v[:, self.tri_corners],
            landmarks68=_mixed(v[:, self.mark_corners], self.mark_bary),
            points=_mixed(v[:, self.point_corners], self.point_bary),
        )


def _mixed(corners: Tensor, bary: Tensor) -> Tensor:
    """(B, N, 3, 3) corners, (N, 3) weights -> (B, N, 3)."""
    return (corners * bary[..., None]).sum(dim=2)


def _linear_dirs(model: HeadModel) -> Any:  # noqa: ANN401  (float array)
    """(V, 3, n_shape + n_expr)."""
    return np.concatenate([model.shapedirs, model.exprdirs], axis=2)


def gram_matrix(model: HeadModel) -> F64:
    """(K, K) mm² for K = n_shape + n_expr: d' G d is the weighted mean over the head of squared
    distances that a change d of coefficients moves its vertices by, before skinning.
    """
    dirs = 1e3 * _linear_dirs(model).astype(np.float64)
    total = np.zeros((dirs.shape[2],) * 2)
    for region, weight in REGION_WEIGHTS.items():
        B = dirs[model.regions[region]].reshape(-1, dirs.shape[2])
        total += weight * 3 * B.T @ B / max(1, len(B))
    gram: F64 = total / sum(REGION_WEIGHTS.values())
    return gram


def _even_triangles(model: HeadModel, n: int) -> I32:
    """(T,) at most n triangles of the face, each the farthest from those before it."""
    inside = np.zeros(model.n_vertices, np.bool_)
    inside[model.regions["face"]] = True
    for region in ("mouth_inside", "eyeballs", "eye_sockets", "nostrils", "teeth"):
        inside[model.regions.get(region, [])] = False
    own = np.flatnonzero(inside[model.faces].all(axis=1))
    middles = model.v_template[model.faces[own]].mean(axis=1)
    chosen = [int(middles[:, 2].argmax())]
    away = np.full(len(own), np.inf)
    for _ in range(min(n, len(own)) - 1):
        away = np.minimum(away, ((middles - middles[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(away.argmax()))
    return own[chosen].astype(np.int32)
