"""The time of a take: the clocks of its sources, put behind each other."""

from typing import Final

from engine.recording.shot import Shot

__all__ = ["TakeClock"]

_STEP_NS: Final = 33_333_333
"""Between two shots whose own clocks do not say: of two sources, or of a clip that starts again."""


class TakeClock:
    """Nanoseconds since the first shot, rising from shot to shot."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None
        self._now_ns = 0

    def at(self, shot: Shot) -> int:
        """When in the take this shot is; call it once for each, in their order."""
        if self._last is not None:
            source, last_ns = self._last
            goes_on = shot.source == source and shot.t_ns > last_ns
            self._now_ns += shot.t_ns - last_ns if goes_on else _STEP_NS
        self._last = shot.source, shot.t_ns
        return self._now_ns
