"""Picture formats of cameras: what is asked for, and what a camera takes of it."""

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["AUTOMATIC", "CODES", "USUAL", "CameraFormat"]

_MJPG: Final = "MJPG"
CODES: Final = (_MJPG, "YUYV")
"""Asked for in this order: as raw pictures, USB 2 carries 720p at 10 a second only."""


@dataclass(frozen=True, slots=True)
class CameraFormat:
    """Size, rate and coding of a camera's pictures."""

    width: int  # px
    height: int  # px
    fps: float  # as promised; real rates are lower in low light
    code: str = ""  # four letters, e.g. MJPG; empty: not known

    def __str__(self) -> str:
        """As the settings keep it: "1280x720 30 MJPG"."""
        return f"{self.width}x{self.height} {self.fps:g} {self.code}".strip()

    @property
    def title(self) -> str:
        """For people."""
        coded = f", {self.code}" if self.code else ""
        return f"{self.width} x {self.height}, {self.fps:g}/s{coded}"

    @classmethod
    def parse(cls, text: str) -> "CameraFormat | None":
        """What `str` wrote; None for anything else."""
        found = re.fullmatch(r"(\d{2,5})x(\d{2,5}) (\d{1,4}(?:\.\d+)?)(?: (\w{4}))?", text)
        if found is None:
            return None
        width, height, fps, code = found.groups()
        return cls(int(width), int(height), float(fps), code or "")


AUTOMATIC: Final = CameraFormat(1280, 720, 30.0, _MJPG)

USUAL: Final = tuple(
    CameraFormat(width, height, fps, _MJPG)
    for width, height, fps in ((1920, 1080, 30.0), (1280, 720, 60.0), (1280, 720, 30.0),
                               (960, 540, 30.0), (640, 480, 60.0), (640, 480, 30.0))
)  # fmt: skip
"""To choose from where nobody can tell what a camera offers; it takes what is nearest."""
