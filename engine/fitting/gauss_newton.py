"""The same energy by Gauss-Newton steps with Levenberg's damping; visibility is drawn anew."""

import time

import torch
from torch import Tensor

from engine.fitting.curve import CurvePoint, OnProgress
from engine.fitting.energy import Energy
from engine.fitting.equations import normal_equations
from engine.fitting.linear_head import HeadLinearizer
from engine.fitting.settings import FitSettings
from engine.fitting.state import HeadState, params_from
from engine.fitting.visibility import Rasteriser

__all__ = ["minimise_gauss_newton"]

_EVERY_PIXEL = 3
"""Each so-manieth pixel makes the equations; all of them judge a step."""
_DAMPING = 1e-3
_MOST_TRIES = 4
_GAIN = 5e-4
"""Share of the energy that a step must bring for another one to be worth it, or the one after."""


def minimise_gauss_newton(
    energy: Energy,
    linearizer: HeadLinearizer,
    rasteriser: Rasteriser,
    start: HeadState,
    settings: FitSettings,
    *,
    with_shape: bool,
    on_progress: OnProgress,
) -> tuple[HeadState, list[CurvePoint], bool]:
    """Returns: the last state, the curve, and whether it was told to stop."""
    state, damping = start.detached(), _DAMPING
    began, curve, idle = time.perf_counter(), [], 0
    with torch.no_grad():
        for k in range(settings.gn_steps):
            params = params_from(energy.head.model, state)
            energy.see(rasteriser.see(params, energy.seen, settings.normal_mask_ksize))
            terms = {name: float(value) for name, value in energy.terms(state).items()}
            now = sum(terms.values())
            curve.append(CurvePoint(k, time.perf_counter() - began, now, terms))
            if not on_progress(curve[-1], settings.gn_steps):
                return state, curve, True
            found = normal_equations(
                energy, linearizer, state, with_shape=with_shape, every=_EVERY_PIXEL
            )
            state, gain, damping = _step(energy, state, found.H, found.g, now, damping)
            idle = idle + 1 if gain < _GAIN * now else 0
            if idle == 2:
                break
    return state, curve, False


def _step(
    energy: Energy, state: HeadState, H: Tensor, g: Tensor, now: float, damping: float
) -> tuple[HeadState, float, float]:
    """The next state, what it gains, and the damping to go on with."""
    if energy.head.jaw_fixed:
        jaw = slice(6 + len(state.expr), 9 + len(state.expr))
        H[jaw, jaw] += 1e12 * torch.eye(3, dtype=H.dtype, device=H.device)
    for _ in range(_MOST_TRIES):
        damped = H + damping * torch.diag(H.diagonal() + 1e-9)
        factor, failed = torch.linalg.cholesky_ex(damped)
        if not failed:
            delta = -torch.cholesky_solve(g[:, None], factor)[:, 0]
            n = 6 + len(state.expr) + 9 + len(state.shape)
            whole = torch.zeros(n, dtype=state.t.dtype, device=state.t.device)
            whole[: len(delta)] = delta.to(state.t.dtype)
            moved = state.moved(whole)
            total = float(torch.stack(list(energy.terms(moved).values())).sum())
            if total < now:
                return moved, now - total, max(damping / 5, 1e-6)
        damping *= 10
    return state, 0.0, damping
