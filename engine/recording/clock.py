"""The time of a take: the clocks of its sources, put behind each other."""

from dataclasses import replace
from typing import Final

from engine.recording.shot import Shot

__all__ = ["TakeClock"]

_STEP_NS: Final = 33_333_333
"""Between two shots whose own clocks do not say: of two sources, or of two places in a clip."""


class TakeClock:
    """Nanoseconds since the first shot, rising from shot to shot."""

    def __init__(self) -> None:
        self._last: Shot | None = None
        self._now_ns = 0

    def at(self, shot: Shot) -> int:
        """When in the take this shot is; call it once for each, in their order."""
        last, self._last = self._last, replace(shot, image=None, faces=())
        if last is not None:
            self._now_ns += shot.t_ns - last.t_ns if shot.follows(last) else _STEP_NS
        return self._now_ns
