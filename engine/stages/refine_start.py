"""Where a refinement starts, and how far it is believed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.flame.model import HeadModel
from engine.flame.turns import axis_angle
from engine.stages.head_unknowns import unknowns_of
from engine.stages.landmark_energy import Unknowns
from engine.types import F64, FlameParams

__all__ = ["RefineStart", "StartPrior"]

_LEAST_STD = 1e-6
_POSE = np.arange(6)


@dataclass(frozen=True, slots=True, eq=False)
class RefineStart:
    """A fit or a network's answer: means, and standard deviations for each group of parameters.

    A deviation is one number for its group, or one for each of its parameters.
    """

    params: FlameParams
    shape_std: npt.ArrayLike = 1.0  # standard units
    expr_std: npt.ArrayLike = 0.8  # standard units
    jaw_std: npt.ArrayLike = (0.15, 0.03, 0.02)  # radians about x, y, z
    eyes_std: npt.ArrayLike = 0.2  # radians: left down, left sideways, right down, right sideways
    eyelids_std: npt.ArrayLike = 0.5  # 0..1: left, right
    rotation_std_deg: float = 6.0
    translation_std: npt.ArrayLike = (0.02, 0.02, 0.06)  # metres
    mean_head: bool = False  # shape, expression and jaw are believed to be near 0, not the start's

    @classmethod
    def of_landmarks(cls, params: FlameParams) -> "RefineStart":
        """A fit of landmarks: its face says nothing that the landmarks will not say again."""
        return cls(params, mean_head=True)


class StartPrior:
    """A start as a Gaussian over the unknowns of a head model."""

    def __init__(self, model: HeadModel, start: RefineStart) -> None:
        """Raises: ValueError: if deviations do not fit. ModelContractError: another model's."""
        self.unknowns = unknowns_of(model, start.params)
        s = self.unknowns.state
        # FLAME 2023 without jaw moves it by expressions alone.
        jaw_std = _LEAST_STD if model.jaw_fixed else start.jaw_std
        own = _precisions(
            expr_std=(start.expr_std, model.n_expr),
            jaw_std=(jaw_std, 3),
            eyes_std=(start.eyes_std, 4),
            eyelids_std=(start.eyelids_std, 2),
        )
        kept = 0.0 if start.mean_head else 1.0
        self.own = (
            np.concatenate([kept * s.expr, kept * s.jaw, s.eyes.ravel(), s.eyelids]),
            own,
        )
        self.shape = (kept * s.shape, _precisions(shape_std=(start.shape_std, model.n_shape)))
        self._pose = _precisions(
            rotation_std_deg=(np.radians(start.rotation_std_deg), 3),
            translation_std=(start.translation_std, 3),
        )

    def add_pose(self, H: F64, g: F64, now: Unknowns) -> None:
        """Add what is known of rotation and place to normal equations at `now`, in place."""
        gap = np.empty(6)
        gap[:3] = axis_angle(now.R @ self.unknowns.R.T)
        gap[3:] = now.t - self.unknowns.t
        H[_POSE, _POSE] += self._pose
        g[:6] += self._pose * gap


def _precisions(**deviations: tuple[npt.ArrayLike, int]) -> F64:
    """One over squared deviations, those of all groups after each other.

    Args: deviations: by name, one number or one for each of a group's parameters; and their number.
    """
    std = np.empty(sum(n for _, n in deviations.values()))
    first = 0
    for name, (values, n) in deviations.items():
        shape = np.shape(values)
        if shape not in ((), (1,), (n,)):
            raise ValueError(f"{name}: shape {shape}, expected one number or {n}")
        std[first : first + n] = values
        first += n
    if not (std.min() > 0 and np.isfinite(std.sum())):  # NaN is not above 0
        names = " or ".join(deviations)
        raise ValueError(f"{names}: {std}, expected finite numbers above 0")
    precisions: F64 = np.maximum(std, _LEAST_STD) ** -2.0
    return precisions
