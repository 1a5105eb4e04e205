"""Adam over all unknowns, as in Pixel3DMM's tracker."""

import time
from itertools import pairwise

import torch
from torch import Tensor

from engine.fitting.curve import CurvePoint, OnProgress
from engine.fitting.energy import Energy
from engine.fitting.settings import FitSettings
from engine.fitting.state import HeadState, params_from
from engine.fitting.visibility import Rasteriser

__all__ = ["minimise_adam"]

_EARLY_STOP = 5.0
"""Mean change of the energy over ten iterations below which frames after the first end."""
_WINDOW = 10


def minimise_adam(
    energy: Energy,
    rasteriser: Rasteriser,
    start: HeadState,
    settings: FitSettings,
    *,
    iters: int,
    with_shape: bool,
    may_end_early: bool,
    on_progress: OnProgress,
) -> tuple[HeadState, list[CurvePoint], bool]:
    """Returns: the last state, the curve, and whether it was told to stop."""
    state, optimiser = _variables(energy, start, settings, with_shape=with_shape)
    began, curve, totals = time.perf_counter(), [], []
    for k in range(iters):
        if k % settings.refresh_every == 0:
            params = params_from(energy.head.model, state)
            energy.see(rasteriser.see(params, energy.seen, settings.normal_mask_ksize))
        optimiser.zero_grad()
        terms = energy.terms(state)
        total = torch.stack(list(terms.values())).sum()
        total.backward()
        totals.append(float(total.detach()))
        if k % settings.refresh_every == 0 or k == iters - 1:
            curve.append(_point(k, time.perf_counter() - began, terms))
            if not on_progress(curve[-1], iters):
                return state.detached(), curve, True
        if may_end_early and _stands_still(totals):
            break
        optimiser.step()
        with torch.no_grad():
            state.eyelids.clamp_(0.0, 1.0)
    return state.detached(), curve, False


def _point(k: int, seconds: float, terms: dict[str, Tensor]) -> CurvePoint:
    values = {name: float(value.detach()) for name, value in terms.items()}
    return CurvePoint(k, seconds, sum(values.values()), values)


def _stands_still(totals: list[float]) -> bool:
    changes = [abs(a - b) for a, b in pairwise(totals[-_WINDOW - 1 :])]
    return len(changes) == _WINDOW and sum(changes) / _WINDOW < _EARLY_STOP


def _variables(
    energy: Energy, start: HeadState, settings: FitSettings, *, with_shape: bool
) -> tuple[HeadState, torch.optim.Adam]:
    s = settings
    rates = {
        "shape": s.lr_shape,
        "expr": s.lr_exp,
        "jaw": s.lr_jaw,
        "eyes": s.lr_eyes,
        "eyelids": s.lr_eyelids,
        "R": s.lr_R,
        "t": s.lr_t * float(-start.t[2]),
    }
    fixed = [name for name, is_fixed in (("shape", not with_shape), ("jaw", energy.head.jaw_fixed))
             if is_fixed]  # fmt: skip
    state = start.detached()
    groups = []
    for name, rate in rates.items():
        if name not in fixed:
            groups.append({"params": [getattr(state, name).requires_grad_()], "lr": rate})
    return state, torch.optim.Adam(groups)
