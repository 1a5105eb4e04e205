"""What is kept of a fit's way to its minimum, and what it reports on it."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from engine.files import replacing
from engine.types import FlameParams

__all__ = ["CurvePoint", "JointFit", "OnProgress", "OptimisedFit", "StageCurve", "write_curves"]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The energy after some iterations."""

    iteration: int
    seconds: float  # since the start
    total: float
    terms: dict[str, float]  # weighted, by name


@dataclass(frozen=True, slots=True)
class StageCurve:
    """The way of one stage: of a frame by itself, or of all of them together."""

    stage: str  # "frame 0", ..., or "together"
    points: tuple[CurvePoint, ...]


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


def write_curves(path: Path, curves: Iterable[StageCurve]) -> None:
    """A CSV line for each point: stage, iteration, seconds, energy, and its terms, weighted.

    Raises: OutputError: if it cannot be written.
    """
    rows = [(curve.stage, point) for curve in curves for point in curve.points]
    terms = list(dict.fromkeys(name for _, point in rows for name in point.terms))
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["stage", "iteration", "seconds", "energy", *terms])
        for stage, point in rows:
            values = [f"{point.terms[name]:.6g}" if name in point.terms else "" for name in terms]
            start = [stage, point.iteration, f"{point.seconds:.3f}", f"{point.total:.6g}"]
            writer.writerow([*start, *values])
