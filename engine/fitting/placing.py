"""The camera stage: a head whose shape is known is turned and moved onto its landmarks."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.fitting.energy import Energy, project, view_of
from engine.fitting.equations import crosses, project_jacobian
from engine.fitting.observed import Observed
from engine.fitting.rotation6d import matrix_from_6d, six_from_matrix
from engine.fitting.settings import FitSettings
from engine.fitting.state import HeadState
from engine.flame.lbs import rodrigues
from engine.flame.model import HeadModel
from engine.types import FlameParams

__all__ = ["neutral_start", "place", "place_at_once"]

_CROP_M = 0.25
"""About what a face's crop is wide."""
_DROP_AFTER = 0.75
_LANDMARK_WEIGHT = 3000.0
_STEPS, _DAMPING, _GAIN = 30, 1e-3, 1e-3


def neutral_start(model: HeadModel, seen: Observed) -> FlameParams:
    """The mean head, upright and frontal, in the middle of the map."""
    middle = np.linalg.solve(seen.camera.K, [(seen.size - 1) / 2, (seen.size - 1) / 2, 1.0])
    focal = float(np.sqrt(abs(np.linalg.det(seen.camera.K[:2, :2]))))
    depth = focal * _CROP_M / seen.size
    t = depth * np.array([middle[0], -middle[1], -1.0])
    return FlameParams.neutral(model.model_id, model.n_shape, model.n_expr).with_values(t=t)


def place(energy: Energy, state: HeadState, settings: FitSettings) -> HeadState:
    """Adam on rotation and translation alone; far misses count as the near ones do."""
    if settings.camera_steps == 0:
        return state
    with torch.no_grad():
        points = energy.head.points(state)
    marks = [(m.patch.at(points), m.patch.pixels) for m in (energy.dense, energy.eyes)]
    depth = float(-state.t[2])
    R, t = (x.detach().clone().requires_grad_() for x in (state.R, state.t))
    optimiser = torch.optim.Adam(
        [
            {"params": [R], "lr": settings.lr_camera_R},
            {"params": [t], "lr": settings.lr_camera_t * depth},
        ]
    )
    drop = max(int(_DROP_AFTER * settings.camera_steps), 1)
    falling = torch.optim.lr_scheduler.StepLR(optimiser, drop, 0.1)
    for _ in range(settings.camera_steps):
        optimiser.zero_grad()
        loss = _LANDMARK_WEIGHT * _miss(marks, matrix_from_6d(R), t, energy.seen)
        loss.backward()
        optimiser.step()
        falling.step()
    return replace(state.detached(), R=R.detach(), t=t.detach())


def place_at_once(energy: Energy, state: HeadState) -> HeadState:
    """The same by Gauss-Newton, in a few steps."""
    with torch.no_grad():
        points = energy.head.points(state)
        marks = [(m.patch.at(points), m.patch.pixels) for m in (energy.dense, energy.eyes)]
        own, px = (torch.cat(parts) for parts in zip(*marks, strict=True))
        R, t, damping = state.rotation, state.t, _DAMPING
        now = float(_miss([(own, px)], R, t, energy.seen))
        for _ in range(_STEPS):
            turned = own @ R.T
            view = turned + t
            d_px = project_jacobian(view, energy.seen.K)
            J = torch.cat([-d_px @ crosses(turned), d_px], dim=2).flatten(0, 1).double()
            miss = (project(view, energy.seen.K) - px).flatten().double()
            H = J.T @ J
            delta = -torch.linalg.solve(H + damping * torch.diag(H.diagonal()), J.T @ miss)
            step = delta.to(t.dtype)
            R_next, t_next = rodrigues(step[:3], xp=torch) @ R, t + step[3:]
            total = float(_miss([(own, px)], R_next, t_next, energy.seen))
            if total < now and float(t_next[2]) < 0:
                gain, R, t, now = now - total, R_next, t_next, total
                damping = max(damping / 10, 1e-6)
                if gain < _GAIN * now:
                    break
            else:
                damping *= 10
    return replace(state.detached(), R=six_from_matrix(R), t=t)


def _miss(marks: list[tuple[Tensor, Tensor]], R: Tensor, t: Tensor, seen: Observed) -> Tensor:
    """Mean squared distance, shares of the map's side."""
    misses = [project(view_of(points, R, t), seen.K) - px for points, px in marks]
    return torch.cat(misses).square().mean() / seen.size**2
