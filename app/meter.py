"""Medians and 95th percentiles over the last frames, and how much memory the program takes."""

import os
import sys
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from pathlib import Path

import numpy as np

__all__ = ["Meter", "Recent", "memory_mb"]

_FRAMES = 120


class Recent:
    """The last numbers of a kind."""

    def __init__(self, n: int = _FRAMES) -> None:
        self._values: deque[float] = deque(maxlen=n)

    def add(self, value: float) -> None:
        self._values.append(value)

    def percentiles(self) -> tuple[float, float] | None:
        """p50 and p95; None before the first."""
        if not self._values:
            return None
        p50, p95 = np.percentile(tuple(self._values), (50, 95))
        return float(p50), float(p95)


class Meter:
    """Frames a second, and the time of each stage."""

    def __init__(self, n: int = _FRAMES) -> None:
        self._n = n
        self._ends_s: deque[float] = deque(maxlen=n)
        self._stages: dict[str, Recent] = defaultdict(lambda: Recent(n))

    def add(self, stage_ms: Mapping[str, float]) -> None:
        """One more frame is done."""
        self._ends_s.append(time.perf_counter())
        for stage, ms in stage_ms.items():
            self._stages[stage].add(ms)

    @property
    def fps(self) -> float:
        """Frames a second; 0 before the second."""
        span_s = self._ends_s[-1] - self._ends_s[0] if self._ends_s else 0.0
        return (len(self._ends_s) - 1) / span_s if span_s > 0 else 0.0

    def stages(self) -> dict[str, tuple[float, float]]:
        """p50 and p95 by stage, milliseconds."""
        both = {stage: recent.percentiles() for stage, recent in self._stages.items()}
        return {stage: pair for stage, pair in both.items() if pair is not None}


def memory_mb() -> float:
    """Resident memory of this process; where the system tells only the largest so far, that."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    except (OSError, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:  # Windows has none
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (1 << 20 if sys.platform == "darwin" else 1 << 10)
