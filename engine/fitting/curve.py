"""What is kept of a fit's way to its minimum, and what it reports on it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.types import FlameParams

__all__ = ["CurvePoint", "JointFit", "OnProgress", "OptimisedFit"]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The energy after some iterations."""

    iteration: int
    seconds: float  # since the start
    total: float
    terms: dict[str, float]  # weighted, by name


OnProgress: TypeAlias = Callable[[CurvePoint, int], bool]
"""Called now and then with the last point and the number of iterations in all; False ends the fit,
which keeps the best so far."""


@dataclass(frozen=True, slots=True, eq=False)
class OptimisedFit:
    """One optimised face."""

    params: FlameParams
    energy: float  # of params, with what they show rendered anew
    start_energy: float  # the same of the start
    curve: tuple[CurvePoint, ...]
    seconds: float
    stopped: bool = False  # before the end
    terms: dict[str, float] = field(default_factory=dict)  # of `energy`


@dataclass(frozen=True, slots=True, eq=False)
class JointFit:
    """One face through a video, all frames optimised together."""

    params: tuple[FlameParams, ...]  # of each frame; one shape
    energy: float  # of params, with what they show rendered anew
    start_energy: float  # the same of the start
    curve: tuple[CurvePoint, ...]  # by Adam of batches of frames, by Gauss-Newton of all
    seconds: float
    stopped: bool = False  # before the end
    terms: dict[str, float] = field(default_factory=dict)  # of `energy`
