"""Where the time of a frame goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["StageClock"]


class StageClock:
    """Milliseconds by stage of one frame."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a stage."""
        start = time.perf_counter_ns()
        try:
            yield
        finally:
            spent = (time.perf_counter_ns() - start) * 1e-6
            self.ms[name] = self.ms.get(name, 0.0) + spent
