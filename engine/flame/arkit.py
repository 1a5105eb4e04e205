"""ARKit's 52 blend shapes from a head model's parameters: a bounded least-squares solve.

The strengths are those whose vertices come closest to the fitted expression's, every one in 0..1;
a term for what changed since the last frame keeps shapes that look alike from taking turns.
"""

from typing import Final

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from engine.errors import ModelContractError
from engine.flame.model import ArkitMap, HeadModel
from engine.flame.posed import PosedHead
from engine.types import F32, F64, Bool, FlameParams

__all__ = ["ARKIT_NAMES", "ArkitSolver", "linear_motion", "motion_of"]

ARKIT_NAMES: Final = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft",
    "eyeSquintLeft", "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight",
    "eyeLookOutRight", "eyeLookUpRight", "eyeSquintRight", "eyeWideRight", "jawForward", "jawLeft",
    "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft",
    "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower",
    "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight",
    "tongueOut",
)  # fmt: skip
"""Apple's names in the order of Unreal's EARFaceBlendShape, which Live Link Face sends them in."""

_TURN_RAD = 0.05
"""Joints are turned this far to find what a radian moves."""
_STEADY = 0.02
"""Weight of a strength's change from frame to frame, at 30 frames a second, as a share of what a
typical shape moves."""
_STEADY_S = 1 / 30
_FORGET_S = 0.5  # after a longer gap the last frame says nothing
_RIDGE = 1e-7  # same share; decides where a head model cannot tell two shapes apart
_ROUNDS = 60  # far more than are ever needed


def linear_motion(model: HeadModel) -> F64:
    """(3 V, P) metres that vertices move per unit of expression, jaw, eyes and eyelids, in order.

    P is n_expr + 3 + 6 + 2; joints turn about their places in the mean head.
    """
    neutral = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)
    head = PosedHead(model)
    columns = [model.exprdirs.reshape(-1, model.n_expr).astype(np.float64)]
    for name, size in (("jaw", 3), ("eyes", 6)):
        for axis in range(size):
            turn = np.zeros(size, np.float32)
            turn[axis] = _TURN_RAD
            there = head.vertices(neutral.with_values(**{name: turn})).astype(np.float64)
            back = head.vertices(neutral.with_values(**{name: -turn}))
            columns.append((there - back).reshape(-1, 1) / (2 * _TURN_RAD))
    lids = np.zeros((model.n_vertices, 3, 2))
    if model.eyelid_dirs is not None:
        lids += model.eyelid_dirs
    columns.append(lids.reshape(-1, 2))
    return np.concatenate(columns, axis=1)


def motion_of(params: FlameParams) -> F64:
    """(P,) the parameters that `linear_motion` has columns for."""
    parts = [params.expr, params.jaw, params.eyes, params.eyelids]
    return np.concatenate(parts).astype(np.float64)


class ArkitSolver:
    """Finds strengths frame by frame, for one person; `reset` before another. One thread."""

    def __init__(self, model: HeadModel, arkit: ArkitMap | None = None) -> None:
        """arkit: what the shapes are in the model's parameters; None: as the model's file says.

        Raises: ModelContractError: if neither says.
        """
        arkit = arkit or model.arkit
        if arkit is None:
            raise ModelContractError(
                f"{model.name} does not say what ARKit's shapes are in its parameters; carry them "
                "over from openhead with engine.flame.arkit_transfer, or use openhead"
            )
        self._model_id = model.model_id
        rows = [arkit.names.index(name) for name in ARKIT_NAMES]
        motion = linear_motion(model)
        parts = (arkit.expr, arkit.jaw, arkit.eyes, arkit.eyelids)
        shapes = motion @ np.concatenate(parts, axis=1)[rows].T.astype(np.float64)
        self._among = shapes.T @ shapes
        self._with_params = shapes.T @ motion
        self._scale = float(np.median(np.diag(self._among)))
        self.reset()

    def reset(self) -> None:
        """The next frame follows from no other."""
        self._last: F64 | None = None
        self._last_ns = 0

    def solve(self, params: FlameParams, t_ns: int) -> F32:
        """(52,) strengths 0..1 in the order of ARKIT_NAMES.

        Args:
            params: of the solver's head model.
            t_ns: when the frame was taken; the steadier the shorter ago the last one was.
        """
        if params.model_id != self._model_id:
            raise ModelContractError(
                f"parameters of head model {params.model_id[:12]}, but the solver was made for "
                f"{self._model_id[:12]}; make one for the model of the fit"
            )
        elapsed_s = (t_ns - self._last_ns) / 1e9
        if self._last is not None and not 0 < elapsed_s <= _FORGET_S:
            self._last = None
        system = self._among + _RIDGE * self._scale * np.eye(len(ARKIT_NAMES))
        wanted = self._with_params @ motion_of(params)
        if self._last is not None:
            pull = _STEADY * self._scale * _STEADY_S / elapsed_s
            system[np.diag_indices_from(system)] += pull
            wanted += pull * self._last
        self._last, self._last_ns = _within_bounds(system, wanted, self._last), t_ns
        return self._last.astype(np.float32)


def _within_bounds(system: F64, wanted: F64, start: F64 | None) -> F64:
    """The w in 0..1 that makes wᵀ system w / 2 - wanted w least; system is positive definite.

    Walks from a feasible start towards the minimum of the free strengths, holding those that reach
    a bound and letting go those that pull away from theirs.
    Source: Nocedal and Wright 2006, "Numerical Optimization", 16.5.
    """
    w = np.zeros(len(wanted)) if start is None else start.copy()
    free = (w > 0.0) & (w < 1.0)
    tolerance = 1e-9 * float(np.abs(wanted).max() + 1.0e-30)
    for _ in range(_ROUNDS * len(w)):
        step = np.zeros_like(w)
        if free.any():
            step[free] = _minimum(system, wanted, w, free) - w[free]
        share, reached = _room(w, step)
        w = np.clip(w + share * step, 0.0, 1.0)
        if reached is not None:
            w[reached] = round(w[reached])
            free[reached] = False
            continue
        slope = system @ w - wanted
        away = np.where(w <= 0.0, -slope, slope)
        away[free] = 0.0
        most = int(away.argmax())
        if away[most] <= tolerance:
            break
        free[most] = True
    return w


def _minimum(system: F64, wanted: F64, w: F64, free: Bool) -> F64:
    held = wanted[free] - system[np.ix_(free, ~free)] @ w[~free]
    best: F64 = cho_solve(cho_factor(system[np.ix_(free, free)]), held)
    return best


def _room(w: F64, step: F64) -> tuple[float, int | None]:
    """How much of the step stays within 0..1, and which strength stops it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rooms = np.where(step > 0, (1.0 - w) / step, np.where(step < 0, -w / step, np.inf))
    first = int(rooms.argmin())
    return (float(rooms[first]), first) if rooms[first] < 1.0 else (1.0, None)
