"""What the speed suite times, and how: all in turn, so that a busy moment falls on each alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

__all__ = ["ROUNDS", "Subject", "Timing", "simple", "time_in_turn"]

ROUNDS: Final = 5
_BUDGET_S: Final = 5.0
"""For one subject: slow ones run fewer times."""
_P99_FROM: Final = 100
"""Fewer runs have no 99th percentile of their own."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that runs once per picture.

    `run` gives milliseconds by part; what it was called for is the part named "".
    """

    name: str
    group: str  # "pipeline", "network" or "peer"
    runtime: str  # e.g. "ONNX Runtime, cpu", "torch, cpu"
    threads: int
    run: Callable[[], dict[str, float]]
    note: str = ""  # e.g. that weights are random
    multiply_adds: int | None = None  # None: not counted
    least_runs: int = 10  # however slow it is
    warm_up: int = 3  # runs that do not count


@dataclass(slots=True)
class Timing:
    """The times of one subject, or of a part of it."""

    name: str
    group: str
    runtime: str
    threads: int
    note: str = ""
    multiply_adds: int | None = None
    ms: list[float] = field(default_factory=list)

    def percentile(self, share: int) -> float:
        """Milliseconds; NaN where there are too few runs to tell."""
        if not self.ms or (share == 99 and len(self.ms) < _P99_FROM):
            return float("nan")
        return float(np.percentile(self.ms, share))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, each run among them."""
        names = ("name", "group", "runtime", "threads", "note", "multiply_adds")
        told: dict[str, Any] = {name: getattr(self, name) for name in names}
        return told | {"n": len(self.ms), "ms": [round(value, 4) for value in self.ms]}


def simple(call: Callable[[], object]) -> Callable[[], dict[str, float]]:
    """A call as a subject's `run`."""

    def run() -> dict[str, float]:
        start = time.perf_counter_ns()
        call()
        return {"": (time.perf_counter_ns() - start) * 1e-6}

    return run


def time_in_turn(
    subjects: Sequence[Subject], n: int, progress: Callable[[str, int, int], None]
) -> list[Timing]:
    """Run each subject up to n times, in rounds, after a warm-up that does not count.

    Args:
        progress: told what runs now, and how many of how many turns are done.
    Returns: a timing for each part of each subject, in order.
    """
    runs = [_warmed_up(subject, n) for subject in subjects]
    timings: dict[tuple[int, str], Timing] = {}
    for turn in range(ROUNDS):
        for number, (subject, n_runs) in enumerate(zip(subjects, runs, strict=True)):
            progress(subject.name, turn * len(subjects) + number, ROUNDS * len(subjects))
            for _ in range(_share(n_runs, turn)):
                for part, ms in subject.run().items():
                    key = (number, part)
                    if key not in timings:
                        timings[key] = _timing(subject, part)
                    timings[key].ms.append(ms)
    return [timings[key] for key in sorted(timings, key=lambda key: key[0])]


def _warmed_up(subject: Subject, n: int) -> int:
    """How often a subject can run."""
    for _ in range(subject.warm_up):
        start = time.perf_counter()
        subject.run()
        seconds = time.perf_counter() - start
    return min(n, max(subject.least_runs, int(_BUDGET_S / seconds)))


def _share(n: int, turn: int) -> int:
    """Of n runs, those of one round."""
    return n * (turn + 1) // ROUNDS - n * turn // ROUNDS


def _timing(subject: Subject, part: str) -> Timing:
    name = f"{subject.name}: {part}" if part else subject.name
    return Timing(
        name, subject.group, subject.runtime, subject.threads, subject.note,
        None if part else subject.multiply_adds,
    )  # fmt: skip
