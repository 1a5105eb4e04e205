"""Normal equations of the energy near one state.

Unknowns: rotation (3, left-multiplied), translation (3), then the columns of `linear_head`. Costs
that are sums of absolute values are taken as squares that touch them where they are now, so that
each step lowers them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.fitting.energy import Energy, Marks, project, sampled
from engine.fitting.linear_head import HeadLinearizer, LinearSkin
from engine.fitting.rotation6d import matrix_from_6d
from engine.fitting.state import HeadState
from engine.fitting.torch_head import PosedSkin
from engine.fitting.visibility import Patch

__all__ = [
    "Equations",
    "crosses",
    "gathered",
    "normal_equations",
    "project_jacobian",
    "six_columns",
]

_LEAST_MISS = 0.02
"""Absolute values below this count as squares: a normal's component, about a degree."""
_N_POSE = 6


class Equations:
    """Sum of squares a (r + J d)^2 / 2, as H and g."""

    def __init__(self, n: int, like: Tensor) -> None:
        self.H = torch.zeros(n, n, dtype=torch.float64, device=like.device)
        self.g = torch.zeros(n, dtype=torch.float64, device=like.device)

    def add(self, J: Tensor, r: Tensor, a: Tensor | float, columns: slice = slice(None)) -> None:
        """Args:
        J: (N, P); r: (N,); a: (N,) or one for all.
        columns: unknowns that J's are of.
        """
        weighted = J * a[:, None] if isinstance(a, Tensor) else J * a
        self.H[columns, columns] += (weighted.T @ J).double()
        self.g[columns] += (weighted.T @ r).double()


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """A linearised skin in front of the camera."""

    skin: LinearSkin
    R: Tensor  # (3, 3)
    t: Tensor  # (3,)
    K: Tensor  # (2, 3)

    def pixels(self, patch: Patch) -> tuple[Tensor, Tensor]:
        """(N, 2) px and (N, 2, P) how they change with all unknowns."""
        turned = patch.at(self.skin.points) @ self.R.T
        view = turned + self.t
        d_px = project_jacobian(view, self.K)
        moved = (d_px @ self.R) @ gathered(patch, self.skin.d_points)
        return project(view, self.K), torch.cat([-d_px @ crosses(turned), d_px, moved], dim=2)


def gathered(patch: Patch, values: Tensor) -> Tensor:
    """(V, 3, C) of vertices -> (N, 3, C)."""
    parts = [values[patch.corners[:, k]] * patch.bary[:, k, None, None] for k in range(3)]
    return parts[0].add_(parts[1]).add_(parts[2])


def normal_equations(
    energy: Energy,
    linearizer: HeadLinearizer,
    state: HeadState,
    *,
    with_shape: bool,
    every: int = 1,
) -> Equations:
    """Args: every: take each so-manieth pixel, for all."""
    skin = linearizer.at(state, with_shape=with_shape)
    placed = _Placed(skin, state.rotation, state.t, energy.seen.K)
    found = Equations(_N_POSE + skin.d_points.shape[2], state.t)
    _add_normals(found, energy, placed, every)
    _add_marks(found, energy, placed)
    _add_places(found, energy, placed, every)
    _add_silhouette(found, energy, placed, every)
    _add_regularisers(found, energy, state, with_shape=with_shape)
    return found


def _add_normals(found: Equations, energy: Energy, placed: _Placed, every: int) -> None:
    visible, s = energy.visible, energy.settings
    if visible is None or len(visible.skin.pixels) == 0:
        return
    patch = visible.skin.every(every)
    px, d_px = placed.pixels(patch)
    mixed = patch.at(placed.skin.normals)
    length = mixed.norm(dim=1, keepdim=True).clamp_min(1e-12)
    own = mixed / length
    d_own = gathered(patch, placed.skin.d_normals)
    d_own -= own[..., None] * (own[:, None] @ d_own)
    d_own /= length[..., None]
    share = len(visible.skin.pixels) / len(patch.pixels)
    scale = share / (3 * energy.seen.size**2)
    R = placed.R
    if energy.seen.head is not None and s.normal_super > 0:
        J = _slopes(energy.seen.head, px) @ d_px
        J[..., _N_POSE:] -= d_own
        _add_absolute(
            found, J, sampled(energy.seen.head, px) - own, s.normal_super * scale, s.delta_n
        )
    if energy.seen.view is not None and s.view_normal_super > 0:
        turned = own @ R.T
        J = _slopes(energy.seen.view, px) @ d_px
        J[..., :3] += crosses(turned)
        J[..., _N_POSE:] -= R @ d_own
        miss = sampled(energy.seen.view, px) - turned
        _add_absolute(found, J, miss, s.view_normal_super * scale, s.delta_n)


def _add_absolute(found: Equations, J: Tensor, miss: Tensor, scale: float, limit: float) -> None:
    valid = miss.abs().mean(dim=1, keepdim=True) < limit
    a = scale * valid / miss.abs().clamp_min(_LEAST_MISS)
    found.add(J.flatten(0, 1), miss.flatten(), a.flatten())


def _add_marks(found: Equations, energy: Energy, placed: _Placed) -> None:
    size = energy.seen.size
    patch = energy.dense.patch
    px, d_px = placed.pixels(patch)
    view = placed.skin.points @ placed.R.T + placed.t
    as_skin = PosedSkin(placed.skin.points, placed.skin.normals)
    weight = energy.dense_weights(as_skin, view, placed.R)
    scale = 100 * energy.dense_weight / max(len(weight), 1)
    miss = (px - patch.pixels) / size
    found.add(d_px.flatten(0, 1) / size, miss.flatten(), (scale * weight).repeat_interleave(2))
    for _, each, marks in energy.quadratic():
        if isinstance(marks, Marks):
            px, d_px = placed.pixels(marks.patch)
            miss = (px - marks.patch.pixels) / size
        else:
            first, second = (placed.pixels(m.patch) for m in marks)
            d_px = first[1] - second[1]
            apart = marks[0].patch.pixels - marks[1].patch.pixels
            miss = (first[0] - second[0] - apart) / size
        found.add(d_px.flatten(0, 1) / size, miss.flatten(), 2 * each / max(miss.numel(), 1))


def _add_places(found: Equations, energy: Energy, placed: _Placed, every: int) -> None:
    visible, places = energy.visible, energy.seen.places
    view = placed.skin.points @ placed.R.T + placed.t
    misses = energy.place_misses(view, every)
    if misses is None or visible is None or visible.textured is None or places is None:
        return
    miss, shown = misses
    patch = visible.textured.every(every)
    px, d_px = placed.pixels(patch)
    share = len(visible.textured.pixels) / max(len(patch.pixels), 1)
    scale = share * 100 * energy.settings.uv_map_super / energy.seen.size**2
    J = _slopes(places.uv, px) @ d_px
    found.add(J.flatten(0, 1), miss.flatten(), (scale * shown).repeat_interleave(2))


def _add_silhouette(found: Equations, energy: Energy, placed: _Placed, every: int) -> None:
    away, visible = energy.seen.away, energy.visible
    if away is None or visible is None or len(visible.spilt.pixels) == 0:
        return
    patch = visible.spilt.every(every)
    px, d_px = placed.pixels(patch)
    left = sampled(away, px)[:, 0]
    share = len(visible.spilt.pixels) / len(patch.pixels)
    scale = share * energy.settings.sil_super / energy.seen.size**2
    a = scale / (energy.spilt_px[::every] * left.clamp_min(1.0))
    found.add((_slopes(away, px) @ d_px)[:, 0], left, a)


def _slopes(maps: Tensor, px: Tensor) -> Tensor:
    """(N, C, 2) change of (C, S, S) per px along x and y."""
    half = 0.5 * torch.eye(2, dtype=px.dtype, device=px.device)
    slopes = [sampled(maps, px + step) - sampled(maps, px - step) for step in half]
    return torch.stack(slopes, dim=-1)


def _add_regularisers(
    found: Equations, energy: Energy, state: HeadState, *, with_shape: bool
) -> None:
    s, E = energy.settings, len(state.expr)
    expr, jaw = slice(_N_POSE, _N_POSE + E), slice(_N_POSE + E, _N_POSE + E + 3)
    eyes, lids = slice(jaw.stop, jaw.stop + 4), slice(jaw.stop + 4, jaw.stop + 6)
    rest = torch.tensor([1.0, 0, 0, 0, 1, 0], dtype=state.t.dtype, device=state.t.device)
    J_jaw, J_eyes = six_columns(state.jaw), [six_columns(eye)[:, :2] for eye in state.eyes]
    both = torch.block_diag(*J_eyes)
    unit = torch.eye(E, dtype=state.t.dtype, device=state.t.device)
    found.add(unit, state.expr, 2 * s.w_exp, expr)
    found.add(J_jaw, state.jaw - rest, 2 * s.w_jaw, jaw)
    found.add(both, (state.eyes - rest).flatten(), 2 * s.w_eyes, eyes)
    apart = state.eyes[0] - state.eyes[1]
    found.add(torch.cat([J_eyes[0], -J_eyes[1]], dim=1), apart, 2 * s.w_eyes_same, eyes)
    if with_shape:
        _add_shape(found, energy, state, slice(lids.stop, None))
    before = energy.before
    if before is None:
        return
    found.add(unit, state.expr - before.expr, 2 * s.reg_smooth_exp / E, expr)
    found.add(J_jaw, state.jaw - before.jaw, 2 * s.reg_smooth_jaw / 6, jaw)
    found.add(both, (state.eyes - before.eyes).flatten(), 2 * s.reg_smooth_eyes / 12, eyes)
    found.add(unit[:2, :2], state.eyelids - before.eyelids, s.reg_smooth_eyelids, lids)
    found.add(six_columns(state.R), state.R - before.R, 2 * s.reg_smooth_R / 6, slice(0, 3))
    found.add(unit[:3, :3], state.t - before.t, 2 * s.reg_smooth_t / 3, slice(3, 6))


def _add_shape(found: Equations, energy: Energy, state: HeadState, columns: slice) -> None:
    s, shape = energy.settings, state.shape
    unit = torch.eye(len(shape), dtype=shape.dtype, device=shape.device)
    found.add(unit, shape, 2 * s.w_shape_general, columns)
    if energy.start_shape is not None:
        found.add(unit, shape - energy.start_shape, 2 * s.w_shape, columns)
    if energy.mirror is not None:
        offset, mirrored = energy.mirror
        found.add(mirrored, offset + mirrored @ shape, 2 * s.w_mirror, columns)


def six_columns(six: Tensor) -> Tensor:
    """(6, 3) how six numbers change with a turn, radians, multiplied from the left."""
    R = matrix_from_6d(six)
    turns = crosses(torch.eye(3, dtype=R.dtype, device=R.device))
    return (turns @ R)[:, :2].flatten(1).T


def project_jacobian(view: Tensor, K: Tensor) -> Tensor:
    """How pixels change with points, (N, 2, 3) px per metre; as `engine.frames` has it.

    Args: view: (N, 3) metres, view frame; K: (2, 3) or (3, 3).
    """
    x, y, z = view.unbind(-1)
    zero = torch.zeros_like(z)
    rows = [torch.stack([-1 / z, zero, x / z**2], -1), torch.stack([zero, 1 / z, -y / z**2], -1)]
    return K[:, :2] @ torch.stack(rows, dim=-2)


def crosses(vectors: Tensor) -> Tensor:
    """(N, 3) -> (N, 3, 3) with matrix @ w = vector x w."""
    unit = torch.eye(3, dtype=vectors.dtype, device=vectors.device).expand(len(vectors), 3, 3)
    return torch.linalg.cross(vectors[:, :, None].expand(-1, 3, 3), unit, dim=1)
