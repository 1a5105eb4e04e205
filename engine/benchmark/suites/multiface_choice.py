"""Which pictures of a capture are used: cameras by where they stand, one frame a segment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from engine.benchmark.head_axes import axes_of
from engine.benchmark.suites.multiface_files import Calibration, Capture
from engine.errors import AssetError
from engine.types import F64

__all__ = ["PRESETS", "Picture", "Preset", "chosen_pictures", "read_pose", "thinned"]


@dataclass(frozen=True, slots=True)
class Preset:
    """A named choice."""

    yaws_deg: tuple[float, ...]  # where cameras stand, to the subject's left positive
    n_pictures: int | None = None  # evenly drawn from all subjects and segments; None: all
    text: str = ""


PRESETS = {
    "standard": Preset(
        (0, -30, 30, -60, 60), text="five cameras, the middle frame of each expression"
    ),
    "front": Preset((0,), text="the camera ahead, the middle frame of each expression"),
    "quick": Preset((0, -30, 30), 100, "100 pictures from ahead and 30 degrees off"),
}

DEFAULT = "standard"

_EXPRESSION = re.compile(r"E(\d{3}|XP)_")  # sentences, SEN_..., are left out
_FURTHEST_DEG = 20.0  # a camera further from its place than this is not taken for it


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a capture."""

    segment: str
    frame: str
    camera: str
    group: str

    @property
    def path(self) -> str:
        return f"images/{self.segment}/{self.camera}/{self.frame}.png"

    @property
    def mesh(self) -> str:
        return f"tracked_mesh/{self.segment}/{self.frame}.bin"

    @property
    def pose(self) -> str:
        return f"tracked_mesh/{self.segment}/{self.frame}_transform.txt"


def chosen_pictures(
    capture: Capture,
    cameras: Mapping[str, Calibration],
    marks: Mapping[int, F64],
    preset: Preset,
) -> tuple[list[Picture], list[str]]:
    """Pictures of a capture, and what is missing of those listed.

    Args:
        marks: iBUG number -> (3,) mm in the frame of the capture's meshes.
    """
    segments = _expressions(capture)
    pictures: list[Picture] = []
    missing: list[str] = []
    for segment, frames in segments.items():
        there = set(capture.listed(f"images/{segment}"))
        usable = {name: camera for name, camera in cameras.items() if name in there}
        whole = [f for f in frames if _has_mesh(capture, segment, f)]
        missing += [f"tracked_mesh/{segment}/{f}.bin" for f in frames if f not in whole]
        if not usable or not whole:
            missing += [] if usable else [f"images/{segment}"]
            continue
        pose = read_pose(capture, f"tracked_mesh/{segment}/{whole[0]}_transform.txt")
        for camera, group in _cameras(usable, pose, marks, preset):
            found = [Picture(segment, f, camera, group) for f in whole]
            kept = [p for p in found if capture.exists(p.path)]
            missing += [p.path for p in found if p not in kept]
            pictures += kept[len(kept) // 2 : len(kept) // 2 + 1]
    return pictures, missing


def _has_mesh(capture: Capture, segment: str, frame: str) -> bool:
    stem = f"tracked_mesh/{segment}/{frame}"
    return capture.exists(f"{stem}.bin") and capture.exists(f"{stem}_transform.txt")


def _expressions(capture: Capture) -> dict[str, list[str]]:
    """Frames of each expression in order, as listed; without a list, those that have meshes."""
    if capture.exists("frame_list.txt"):
        text = capture.read("frame_list.txt").decode("utf-8", "replace")
        rows = sorted({tuple(line.split()[:2]) for line in text.splitlines() if line.strip()})
        pairs = [row for row in rows if len(row) == 2]
    else:
        pairs = [
            (segment, name.removesuffix(".bin"))
            for segment in capture.listed("tracked_mesh")
            for name in capture.listed(f"tracked_mesh/{segment}")
            if name.endswith(".bin")
        ]
    used = [pair for pair in pairs if _EXPRESSION.match(pair[0])]
    return {key: [frame for _, frame in rows] for key, rows in groupby(used, lambda p: p[0])}


def read_pose(capture: Capture, path: str) -> tuple[F64, F64]:
    """Rotation (3, 3) and translation (3,) mm, world from head.

    Raises: AssetError: if the file is missing or damaged.
    """
    try:
        rows = capture.read(path).decode("ascii").split()
        matrix = np.array(rows, np.float64)[:12].reshape(3, 4)
    except (ValueError, UnicodeDecodeError) as error:
        raise AssetError(f"{capture.name}/{path} is no 3 x 4 matrix ({error})") from error
    if not np.isfinite(matrix).all():
        raise AssetError(f"{capture.name}/{path} holds numbers that are not finite")
    return matrix[:, :3], matrix[:, 3]


def _cameras(
    cameras: Mapping[str, Calibration],
    pose: tuple[F64, F64],
    marks: Mapping[int, F64],
    preset: Preset,
) -> list[tuple[str, str]]:
    """Name and group of the camera nearest to each place of a preset, each camera once."""
    middle, axes, _ = axes_of(dict(marks))
    R, t = pose
    names = sorted(cameras)
    away = np.stack([axes @ (R.T @ (cameras[name].centre - t) - middle) for name in names])
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    chosen: list[tuple[str, str]] = []
    for yaw in preset.yaws_deg:
        place = np.array([np.sin(np.radians(yaw)), 0.0, np.cos(np.radians(yaw))])
        off = np.degrees(np.arccos(np.clip(away @ place, -1, 1)))
        best = int(np.argmin(off))
        if off[best] <= _FURTHEST_DEG and names[best] not in [name for name, _ in chosen]:
            chosen.append((names[best], "front" if yaw == 0 else f"side {abs(yaw):.0f}"))
    return chosen


def thinned(n: int, wanted: int | None) -> list[int]:
    """Indices of `wanted` of n things, evenly spread, the first and the last among them."""
    if wanted is None or n <= wanted:
        return list(range(n))
    return [round(i * (n - 1) / (wanted - 1)) for i in range(wanted)]
