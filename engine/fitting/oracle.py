"""Oracle fit: the head model fitted to a true surface, to show what it can represent at all.

The true surface may lie in any frame; metres. R, t of the fit put the head there.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.errors import CaptureError
from engine.fitting.equations import Equations, crosses, gathered
from engine.fitting.linear_head import HeadLinearizer
from engine.fitting.state import HeadState, params_from, state_from
from engine.fitting.torch_head import TorchHead
from engine.fitting.visibility import Patch
from engine.flame.closest import Surface, smooth_normals
from engine.flame.landmarks import landmarks68
from engine.flame.model import HeadModel
from engine.flame.registration import Similarity, fit_similarity
from engine.types import F64, I32, FlameParams

__all__ = ["OracleFitter"]

_STEPS = 15
_PRIOR = 1e-4
"""Of standard units, per vertex, in millimetres squared: keeps what the face does not show."""
_SLIDING = 0.05
"""Weight of the distance along the surface, beside the one off it."""
_FAR_M = 0.010
_INNER = 17  # the jaw line before it slides
_MARK_STEPS = 8
_MARKS, _MARKS_LATER = 1.0, 0.02
"""Weight of all landmarks together, as a share of the surface's: they lead, and then let go."""
_NORMAL_SCALE_M = 0.02


class OracleFitter:
    """For one head model; keeps nothing of a face."""

    def __init__(self, model: HeadModel, *, neutral: bool = False) -> None:
        """neutral: the surface is a face at rest: its shape alone is fitted."""
        self._model, self._neutral = model, neutral
        self._head = TorchHead(model, "cpu", torch.float64)
        self._linearizer = HeadLinearizer(self._head)
        kept = self._head.vertex_of[model.regions["face"]]
        self._face = torch.as_tensor(kept[kept >= 0], dtype=torch.long)

    def fit_vertices(self, vertices: F64) -> FlameParams:
        """To a mesh of the head model's own topology: each vertex to its own.

        Args:
            vertices: (V, 3) metres, any frame.
        Raises: CaptureError: if there are not V of them, or one is not finite.
        """
        _check(vertices)
        if len(vertices) != self._model.n_vertices:
            raise CaptureError(
                f"{len(vertices)} true vertices, expected {self._model.n_vertices} of "
                f"{self._model.name}; other topologies need fit_surface"
            )
        kept = self._head.kept[self._face.numpy()]
        targets = torch.as_tensor(vertices[kept])
        state = self._placed(self._model.v_template[kept].astype(np.float64), vertices[kept])
        for _ in range(_STEPS):
            found = self._equations(state, targets, None, torch.ones(len(kept)).double())
            state = _stepped(state, found)
        return params_from(self._model, state)

    def fit_surface(self, vertices: F64, faces: I32, landmarks: F64) -> FlameParams:
        """To a mesh of any topology, by closest points.

        Args:
            vertices: (V', 3) metres, any frame; faces: (F', 3) outward.
            landmarks: (68, 3) iBUG points on it; NaN where not known, at least 4 of the inner 51.
        Raises: CaptureError: if the mesh has no faces, or values are not finite.
        """
        _check(vertices)
        if len(faces) == 0:
            raise CaptureError("the true mesh has no faces; a surface is needed")
        own = landmarks68(self._model, self._model.v_template, 0.0).astype(np.float64)
        known = np.isfinite(landmarks).all(axis=1)
        known[:_INNER] = False
        if known.sum() < 4:
            raise CaptureError(f"{known.sum()} true landmarks off the jaw line, expected 4 or more")
        state = self._placed(own[known], landmarks[known])
        surface = Surface(vertices.astype(np.float64), faces)
        normals = smooth_normals(vertices.astype(np.float64), faces)
        marks = self._patch(np.flatnonzero(known), landmarks[known])
        for k in range(_STEPS):
            targets, facing, weight = self._matches(state, surface, faces, normals)
            found = self._equations(state, targets, facing, weight)
            share = _MARKS if k < _MARK_STEPS else _MARKS_LATER
            self._add_marks(found, state, marks, share * len(targets) / len(marks[1]))
            state = _stepped(state, found)
        return params_from(self._model, state)

    def _placed(self, own: F64, true: F64) -> HeadState:
        """The mean head, turned and moved onto the truth."""
        best: Similarity = fit_similarity(own, true, np.ones(len(own)))
        neutral = FlameParams.neutral(
            self._model.model_id, self._model.n_shape, self._model.n_expr
        ).with_values(t=true.mean(axis=0) - best.R @ own.mean(axis=0), R=best.R)
        return state_from(self._model, neutral, "cpu", torch.float64)

    def _patch(self, which: npt.NDArray[np.intp], true: F64) -> tuple[Patch, Tensor]:
        """Landmarks on the kept surface, and where they belong (N, 3)."""
        points = self._model.landmarks68
        corners = self._head.corners(points.faces_idx[which])
        use = (corners >= 0).all(axis=1)
        patch = Patch(
            torch.as_tensor(corners[use], dtype=torch.long),
            torch.as_tensor(points.bary[which][use], dtype=torch.float64),
            torch.zeros(int(use.sum()), 2),
        )
        return patch, torch.as_tensor(true[use])

    def _add_marks(
        self, found: Equations, state: HeadState, marks: tuple[Patch, Tensor], weight: float
    ) -> None:
        patch, true = marks
        skin = self._linearizer.at(state, with_shape=True)
        R = state.rotation
        turned = patch.at(skin.points) @ R.T
        unit = torch.eye(3, dtype=R.dtype).expand(len(turned), 3, 3)
        J = torch.cat([-crosses(turned), unit, R @ gathered(patch, skin.d_points)], dim=2)
        found.add(1e3 * J.flatten(0, 1), 1e3 * (turned + state.t - true).flatten(), weight)

    def _matches(
        self, state: HeadState, surface: Surface, faces: I32, normals: F64
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Closest points (N, 3), normals there (N, 3), weights (N,)."""
        skin = self._head.skin(state)
        R = state.rotation
        points = (skin.points[self._face] @ R.T + state.t).numpy()
        match = surface.closest(points, (skin.normals[self._face] @ R.T).numpy(), _NORMAL_SCALE_M)
        corners = normals[faces[match.faces_idx]]
        facing = np.einsum("nk,nkc->nc", match.bary, corners)
        facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
        away = np.linalg.norm(match.points - points, axis=1)
        good = (away < max(_FAR_M, 3 * float(np.median(away)))) & (match.facing > 0.5)
        inside = (match.bary > 1e-6).all(axis=1) | (away < 1e-3)  # not beyond an open rim
        weight = (good & inside).astype(np.float64)
        return torch.as_tensor(match.points), torch.as_tensor(facing), torch.as_tensor(weight)

    def _equations(
        self, state: HeadState, targets: Tensor, facing: Tensor | None, weight: Tensor
    ) -> Equations:
        """In millimetres."""
        skin = self._linearizer.at(state, with_shape=True)
        R = state.rotation
        turned = skin.points[self._face] @ R.T
        unit = torch.eye(3, dtype=R.dtype).expand(len(turned), 3, 3)
        moved = R @ skin.d_points[self._face]
        J = 1e3 * torch.cat([-crosses(turned), unit, moved], dim=2)
        miss = 1e3 * (turned + state.t - targets)
        found = Equations(J.shape[2], state.t)
        along = 1.0 if facing is None else _SLIDING
        found.add(J.flatten(0, 1), miss.flatten(), (along * weight).repeat_interleave(3))
        if facing is not None:
            off = (facing[:, None] @ J)[:, 0]
            found.add(off, (facing * miss).sum(dim=1), weight)
        n_expr = len(state.expr)
        prior = torch.zeros(len(found.g), dtype=R.dtype)
        prior[6:] = _PRIOR * len(turned)
        values = torch.cat([state.expr, torch.zeros(9, dtype=R.dtype), state.shape])
        found.H += torch.diag(prior)
        found.g[6:] += prior[6:] * values
        jaw = slice(6 + n_expr, 15 + n_expr)
        found.H[jaw, jaw] += torch.eye(9, dtype=R.dtype)  # what no vertex tells of rests
        if self._head.jaw_fixed or self._neutral:
            found.H[jaw, jaw] += 1e12 * torch.eye(9, dtype=R.dtype)
        if self._neutral:
            bent = slice(6, 6 + n_expr)
            found.H[bent, bent] += 1e12 * torch.eye(n_expr, dtype=R.dtype)
        return found


def _stepped(state: HeadState, found: Equations) -> HeadState:
    delta = -torch.linalg.solve(found.H, found.g)
    return state.moved(delta.to(state.t.dtype))


def _check(vertices: F64) -> None:
    if n_bad := int((~np.isfinite(vertices)).any(axis=1).sum()):
        raise CaptureError(f"the true mesh has {n_bad} vertices that are not finite; leave it out")
