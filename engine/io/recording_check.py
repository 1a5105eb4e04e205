"""For `n2f doctor`: whether a recording made here keeps its times, and what a killed one keeps."""

import tempfile
from pathlib import Path

import av
import numpy as np

from engine.io.recorder import VideoRecorder, partial_path

__all__ = ["try_recording"]

_TIMES_MS = (0, 40, 300, 333, 900, 951, 1400, 1433)
"""Uneven, as a camera's are."""


def try_recording() -> dict[str, float]:
    """Record a second: time_error_ms, and lost_ms of a file that is never closed.

    Raises: OutputError: if nothing can be recorded.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.mp4"
        with VideoRecorder(path, 64, 64) as recorder:
            for k, time in enumerate(_TIMES_MS):
                recorder.write(np.full((64, 64, 3), 20 * k, np.uint8), time * 1_000_000)
            kept = _times_ms(partial_path(path))
        found = _times_ms(path)
    if len(found) != len(_TIMES_MS):
        return {"time_error_ms": float("inf"), "lost_ms": float("inf")}
    error = float(np.abs(np.subtract(found, _TIMES_MS)).max())
    return {"time_error_ms": error, "lost_ms": _TIMES_MS[-1] - max(kept, default=0.0)}


def _times_ms(path: Path) -> list[float]:
    """When each frame of a video is shown."""
    with av.open(str(path)) as container:
        return [float(frame.pts * frame.time_base * 1000) for frame in container.decode(video=0)]
