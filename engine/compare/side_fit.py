"""What one method makes of one frame, wherever it was computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.types import Reconstruction

__all__ = ["SideFit", "Step", "StepLike", "curve_of", "normal_text", "time_text", "timing_label"]


class StepLike(Protocol):
    """What an optimiser says of an iteration."""

    @property
    def iteration(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def total(self) -> float: ...
    @property
    def terms(self) -> dict[str, float]: ...


@dataclass(frozen=True, slots=True)
class Step:
    """An optimiser after some of its iterations."""

    iteration: int
    seconds: float  # since the fit began
    total: float  # energy, in the optimiser's own unit
    terms: dict[str, float]  # its parts, by name
    n_iterations: int = 0  # in all; 0 where nobody says

    @classmethod
    def of(cls, point: StepLike, n_iterations: int = 0) -> "Step":
        """A copy that any process can read."""
        terms = {name: float(value) for name, value in point.terms.items()}
        total = float(point.total)
        return cls(int(point.iteration), float(point.seconds), total, terms, n_iterations)

    @property
    def place(self) -> str:
        """Where in the fit it is, for people."""
        return f"iteration {self.iteration}" + f" of {self.n_iterations}" * bool(self.n_iterations)


@dataclass(frozen=True, slots=True, eq=False)
class SideFit:
    """The largest face of a frame, fitted by one method."""

    fit: Reconstruction | None  # None: no face, or it failed
    seconds: float  # that the method took for the frame when it was computed, cropping included
    curve: tuple[Step, ...] = ()  # of an optimiser
    from_cache: bool = False
    problem: str = ""  # why it failed


def curve_of(points: Sequence[StepLike]) -> tuple[Step, ...]:
    """Copies of an optimiser's points."""
    return tuple(Step.of(point) for point in points)


def time_text(seconds: float) -> str:
    """A time for people: ms below a second."""
    if seconds < 1.0:
        return f"{1e3 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10.0 else f"{seconds:.0f} s"


def timing_label(fit: SideFit, *, offline: bool) -> str:
    """How a fit came about: an offline method's is never taken for a live one."""
    label = f"{time_text(fit.seconds)}/frame"
    if offline:
        label = f"offline, {label}"
    return f"{label}, from cache" if fit.from_cache else label


def normal_text(fit: Reconstruction) -> str:
    """How far a fit is from the observed normals, for people."""
    residual = fit.normal_residual_deg
    return f"normals {residual:.1f}°" if residual == residual else "no normals"
