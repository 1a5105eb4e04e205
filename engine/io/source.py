"""What every source of frames looks like to its reader."""

from typing import Protocol

from engine.types import Frame

__all__ = ["Source"]


class Source(Protocol):
    """Frames, one after the other. Opened by its constructor, read by one thread, closed once."""

    name: str
    """What a person calls it: "webcam:0", a file name."""
    is_live: bool
    """True: frames come in their own time and a slow reader must drop; False: nothing is lost."""
    n_frames: int | None
    """How many frames there will be, None where nobody knows."""

    @property
    def n_dropped(self) -> int:
        """Frames skipped to keep real time; 0 where nothing is lost."""
        ...

    def read(self) -> Frame | None:
        """The next frame, or None at the end. Raises CaptureError when the source fails."""
        ...

    def close(self) -> None:
        """Release the device or file. Safe to call twice."""
        ...
