"""Where real faces say that MediaPipe's points lie on openhead: the file, written and read."""

from importlib import resources
from pathlib import Path

import numpy as np

from engine.files import replacing
from engine.types import F64

__all__ = ["OFFSETS_FILE", "load_offsets", "save_offsets"]

OFFSETS_FILE = "mediapipe_offsets.csv"

_HEADER = """\
# Offsets of MediaPipe's 468 points on openhead's neutral head, millimetres, model frame (x, y, z).
# Made by `python -m engine.openhead.calibrate`; one row a point, symmetric.
"""


def load_offsets() -> F64:
    """(468, 3) metres."""
    text = (resources.files("engine.openhead") / OFFSETS_FILE).read_text(encoding="utf-8")
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    return np.array(rows, dtype=np.float64) * 1e-3


def save_offsets(offsets: F64, path: Path) -> None:
    """offsets: (468, 3) metres; rounded to 0.01 mm."""
    rows = "\n".join(",".join(f"{x:.2f}" for x in row + 0.0) for row in np.round(offsets * 1e3, 2))
    with replacing(path) as temporary:
        temporary.write_text(_HEADER + rows + "\n", encoding="utf-8")
