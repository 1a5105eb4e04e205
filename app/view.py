"""What the worker tells the window: everything to show at one moment, in one frozen object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from engine.io.camera_format import CameraFormat
from engine.types import Frame, Reconstruction

__all__ = ["State", "Stats", "Steadiness", "View"]


class State(Enum):
    """What the source is doing."""

    LOADING = auto()  # head model and networks, before any source
    OPENING = auto()
    PLAYING = auto()
    WAITING = auto()  # open but silent, or lost and being opened again: see View.problem
    ENDED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Steadiness:
    """What the filter does to the landmarks: less trembling is paid for with lag."""

    raw_jitter_px: float  # root mean square about a short centred mean
    jitter_px: float  # the same, filtered
    lag_ms: float | None  # of the filtered behind the raw; None while nothing moves


@dataclass(frozen=True, slots=True)
class Stats:
    """How fast it goes, over the last frames."""

    fps: float = 0.0  # frames fitted a second
    stage_ms: Mapping[str, float] = field(default_factory=dict)  # median
    stage_p95_ms: Mapping[str, float] = field(default_factory=dict)
    age_ms: float | None = None  # capture to hand-over; None for files
    dropped: int = 0  # frames of a live source that were skipped
    source_fps: float | None = None  # pictures a second that the source delivers
    source_format: CameraFormat | None = None  # that a camera took
    provider: str = ""  # what the networks really run on
    steadiness: Steadiness | None = None


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A newer view replaces an older one whole, so none may be only a part of the truth."""

    state: State
    source: str  # what a person calls it
    frame: Frame | None = None  # the last one, also after the end or a failure
    faces: tuple[Reconstruction, ...] = ()  # fitted to exactly this frame
    method: str = ""  # that faces were fitted by; empty: not known
    rival: str = ""  # a second method that is shown against it; empty: none
    rivals: tuple[Reconstruction, ...] = ()  # fitted by it, to the same frame
    problem: str | None = None  # cause and fix, where state is FAILED or WAITING
    notice: str | None = None  # something about the picture that a person should know
    captured_ns: int | None = None  # time.perf_counter_ns at which the frame was to be had
    position: float | None = None  # 0..1 within a file that can be scrubbed
    place: int = 0  # how often a person had gone elsewhere in the file before
    again: bool = False  # the frame of the view before, shown otherwise
    stats: Stats = field(default_factory=Stats)
