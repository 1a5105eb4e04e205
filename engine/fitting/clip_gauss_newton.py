"""The second stage of a video by Gauss-Newton: all frames in one step.

Each frame has its own unknowns (m) and is tied to its neighbours; the shape (S) belongs to all. The
equations are three diagonals of m x m blocks with a border of S columns, so that a step costs as
much as its frames do.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.fitting.clip import Clip
from engine.fitting.curve import CurvePoint, OnProgress
from engine.fitting.equations import normal_equations, six_columns
from engine.fitting.linear_head import HeadLinearizer
from engine.fitting.settings import FitSettings
from engine.fitting.state import HeadState

__all__ = ["Blocks", "minimise_clip_gauss_newton", "solved"]

_EVERY_PIXEL = 3
_DAMPING, _LEAST_DAMPING = 1e-3, 1e-6
_MOST_TRIES = 4
_GAIN = 5e-4
_FIXED = 1e12
_N_POSE = 6


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """T frames, m unknowns each, S of all; float64."""

    own: list[Tensor]  # T x (m, m)
    tie: list[Tensor | None]  # T x (m, m): frame's rows, columns of the one before; None: not tied
    border: list[Tensor]  # T x (m, S)
    g: list[Tensor]  # T x (m,)
    shape: Tensor  # (S, S)
    g_shape: Tensor  # (S,)


def minimise_clip_gauss_newton(
    clip: Clip,
    linearizer: HeadLinearizer,
    start: Sequence[HeadState],
    settings: FitSettings,
    *,
    free_shape: bool,
    on_progress: OnProgress,
) -> tuple[list[HeadState], list[CurvePoint], bool]:
    """Returns: the last states, the curve, and whether it was told to stop."""
    states, damping = [state.detached() for state in start], _DAMPING
    began, curve, idle = time.perf_counter(), [], 0
    with torch.no_grad():
        for k in range(settings.global_gn_steps):
            for frame, state in enumerate(states):
                clip.see(frame, state)
            terms = clip.terms(states)
            now = sum(terms.values())
            curve.append(CurvePoint(k, time.perf_counter() - began, now, terms))
            if not on_progress(curve[-1], settings.global_gn_steps):
                return states, curve, True
            blocks = _blocks(clip, linearizer, states, free_shape=free_shape)
            states, gain, damping = _step(clip, states, blocks, now, damping)
            idle = idle + 1 if gain < _GAIN * now else 0
            if idle == 2:
                break
    return states, curve, False


def _step(
    clip: Clip, states: list[HeadState], blocks: Blocks, now: float, damping: float
) -> tuple[list[HeadState], float, float]:
    """The next states, what they gain, and the damping to go on with."""
    for _ in range(_MOST_TRIES):
        moves = solved(blocks, damping)
        if moves is not None:
            moved = _moved(states, *moves)
            total = sum(clip.terms(moved).values())
            if total < now:
                return moved, now - total, max(damping / 5, _LEAST_DAMPING)
        damping *= 10
    return states, 0.0, damping


def _moved(states: list[HeadState], own: list[Tensor], shape: Tensor) -> list[HeadState]:
    like = states[0].t
    rest = torch.zeros(len(states[0].shape), dtype=like.dtype, device=like.device)
    moved = [
        state.moved(torch.cat([delta.to(like.dtype), rest]))
        for state, delta in zip(states, own, strict=True)
    ]
    together = states[0].shape + shape.to(like.dtype) if len(shape) else states[0].shape
    return [replace(state, shape=together) for state in moved]


def _blocks(
    clip: Clip, linearizer: HeadLinearizer, states: list[HeadState], *, free_shape: bool
) -> Blocks:
    n, m = len(clip), _N_POSE + len(states[0].expr) + 9
    own, border, g = [], [], []
    shape = torch.zeros(0, 0, dtype=torch.float64)
    g_shape = torch.zeros(0, dtype=torch.float64)
    for k, (energy, state) in enumerate(zip(clip.frames, states, strict=True)):
        found = normal_equations(
            energy, linearizer, state, with_shape=free_shape, every=_EVERY_PIXEL
        )
        H = found.H / n
        if energy.head.jaw_fixed:
            jaw = slice(_N_POSE + len(state.expr), _N_POSE + len(state.expr) + 3)
            H[jaw, jaw] += _FIXED * torch.eye(3, dtype=H.dtype, device=H.device)
        own.append(H[:m, :m].clone())
        border.append(H[:m, m:].clone())
        g.append(found.g[:m] / n)
        shape = H[m:, m:].clone() if k == 0 else shape + H[m:, m:]
        g_shape = found.g[m:] / n if k == 0 else g_shape + found.g[m:] / n
    blocks = Blocks(own, [None] * n, border, g, shape, g_shape)
    _add_ties(blocks, clip, states)
    return blocks


def _add_ties(blocks: Blocks, clip: Clip, states: list[HeadState]) -> None:
    if not clip.n_ties:
        return
    weights = _tie_weights(clip, states[0]) / clip.n_ties
    D = [_features(state)[1] for state in states]
    values = [_features(state)[0] for state in states]
    for k in clip.ties:
        apart = weights * (values[k] - values[k - 1])
        weighted = weights[:, None] * D[k]
        blocks.own[k].add_(D[k].T @ weighted)
        blocks.own[k - 1].add_(D[k - 1].T @ (weights[:, None] * D[k - 1]))
        blocks.tie[k] = -(weighted.T @ D[k - 1])
        blocks.g[k].add_(D[k].T @ apart)
        blocks.g[k - 1].sub_(D[k - 1].T @ apart)
    if clip.before is not None:
        apart = weights * (values[0] - _features(clip.before)[0])
        blocks.own[0].add_(D[0].T @ (weights[:, None] * D[0]))
        blocks.g[0].add_(D[0].T @ apart)


def _features(state: HeadState) -> tuple[Tensor, Tensor]:
    """(Q,) what temporal terms compare, and (Q, m) how it changes with a frame's unknowns."""
    E = len(state.expr)
    eyes = torch.block_diag(*(six_columns(eye)[:, :2] for eye in state.eyes))
    unit = torch.eye(E + 3, dtype=state.t.dtype, device=state.t.device)
    parts = [six_columns(state.R), unit[:3, :3], unit[:E, :E], six_columns(state.jaw), eyes]
    changes = torch.block_diag(*parts, unit[:2, :2]).double()
    values = [state.R, state.t, state.expr, state.jaw, state.eyes.flatten(), state.eyelids]
    return torch.cat(values).double(), changes


def _tie_weights(clip: Clip, state: HeadState) -> Tensor:
    """(Q,) of squares in the order of `_features`, for a mean over one pair."""
    s = clip.settings
    parts = [(s.reg_smooth_R, 6), (s.reg_smooth_t, 3), (s.reg_smooth_exp, len(state.expr))]
    parts += [(s.reg_smooth_jaw, 6), (s.reg_smooth_eyes, 12), (s.reg_smooth_eyelids, 2)]
    each = [torch.full((n,), 2 * weight / n, dtype=torch.float64) for weight, n in parts]
    return torch.cat(each).to(state.t.device)


def solved(blocks: Blocks, damping: float) -> tuple[list[Tensor], Tensor] | None:
    """The step of each frame (m,) and of the shape (S,); None where the equations have none."""
    factors: list[Tensor] = []
    rhs: list[Tensor] = []
    for own, tie, border, g in zip(blocks.own, blocks.tie, blocks.border, blocks.g, strict=True):
        left, right = _damped(own, damping), torch.cat([g[:, None], border], dim=1)
        if tie is not None:
            carried = torch.cholesky_solve(torch.cat([tie.T, rhs[-1]], dim=1), factors[-1])
            m = len(own)
            left = left - tie @ carried[:, :m]
            right = right - tie @ carried[:, m:]
        factor, failed = torch.linalg.cholesky_ex(left)
        if failed:
            return None
        factors.append(factor)
        rhs.append(right)
    found = [torch.cholesky_solve(rhs[-1], factors[-1])]
    for k in range(len(factors) - 2, -1, -1):
        right, tie = rhs[k], blocks.tie[k + 1]
        if tie is not None:
            right = right - tie.T @ found[0]
        found.insert(0, torch.cholesky_solve(right, factors[k]))
    shape = -blocks.g_shape
    if len(shape):
        H = _damped(blocks.shape, damping)
        for border, x in zip(blocks.border, found, strict=True):
            H = H - border.T @ x[:, 1:]
            shape = shape + border.T @ x[:, 0]
        factor, failed = torch.linalg.cholesky_ex(H)
        if failed:
            return None
        shape = torch.cholesky_solve(shape[:, None], factor)[:, 0]
    return [-x[:, 0] - x[:, 1:] @ shape for x in found], shape


def _damped(H: Tensor, damping: float) -> Tensor:
    return H + damping * torch.diag(H.diagonal() + 1e-9)
