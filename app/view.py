"""What the worker tells the window: everything to show at one moment, in one frozen object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from engine.types import Frame, Reconstruction

__all__ = ["State", "Stats", "View"]


class State(Enum):
    """What the source is doing."""

    OPENING = auto()
    PLAYING = auto()
    ENDED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Stats:
    """How fast it goes."""

    fps: float = 0.0  # frames fitted a second
    stage_ms: Mapping[str, float] = field(default_factory=dict)  # median of the last frames
    age_ms: float | None = None  # capture to hand-over; None for files
    dropped: int = 0  # frames of a live source that were skipped


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A newer view replaces an older one whole, so none may be only a part of the truth."""

    state: State
    source: str  # what a person calls it
    frame: Frame | None = None  # the last one, also after the end or a failure
    faces: tuple[Reconstruction, ...] = ()  # fitted to exactly this frame
    problem: str | None = None  # cause and fix, where state is FAILED
    stats: Stats = field(default_factory=Stats)
