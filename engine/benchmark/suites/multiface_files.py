"""Multiface on disk: captures as folders or as tars, never unpacked; calibration and meshes."""

import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from engine.errors import AssetError
from engine.types import F64

__all__ = ["Calibration", "Capture", "find_captures", "parse_krt"]

CAPTURE = re.compile(r"m--\d{8}--\d{4}--\w+?--GHS")
_PARTS = ("images", "tracked_mesh", "unwrapped_uv_1024", "audio")
_FILES = ("KRT", "frame_list.txt", "vert_mean.bin", "vert_var.txt", "tex_mean.png", "tex_var.txt")


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """One camera; world in mm, OpenCV's camera axes (x right, y down, z ahead)."""

    K: F64  # (3, 3) px
    R: F64  # (3, 3) camera from world
    t: F64  # (3,) mm

    @property
    def centre(self) -> F64:
        """(3,) mm, world."""
        where: F64 = -self.R.T @ self.t
        return where


def parse_krt(text: str, name: str) -> dict[str, Calibration]:
    """The cameras of a KRT file, by name; distortion is left out: the pictures have none.

    Raises: AssetError: if it is not of that form; name: how to call it there.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    cameras: dict[str, Calibration] = {}
    try:
        if len(lines) % 8 or not lines:
            raise ValueError(f"{len(lines)} lines, expected 8 for each camera")
        for start in range(0, len(lines), 8):
            block = lines[start : start + 8]
            K = np.array([row.split() for row in block[1:4]], np.float64)
            pose = np.array([row.split() for row in block[5:8]], np.float64)
            if K.shape != (3, 3) or pose.shape != (3, 4):
                raise ValueError(f"camera {block[0]} has matrices {K.shape} and {pose.shape}")
            cameras[block[0]] = Calibration(K, pose[:, :3], pose[:, 3])
    except ValueError as error:
        raise AssetError(f"calibration {name} is damaged ({error}); copy it again") from error
    return cameras


@dataclass(frozen=True, slots=True)
class _Member:
    """A file within a tar."""

    archive: Path
    offset: int
    size: int


class Capture:
    """Files of one capture by their path below it, wherever they lie."""

    def __init__(self, name: str, folder: Path | None, archives: Iterable[Path]) -> None:
        self.name = name
        self._folder, self._archives = folder, sorted(archives)
        self.damaged: list[str] = []  # archives that could not be read, in words

    def exists(self, path: str) -> bool:
        if self._folder is not None and (self._folder / path).is_file():
            return True
        return path in self._packed

    def listed(self, folder: str) -> list[str]:
        """Names in a folder, sorted."""
        names = set(self._packed_folders.get(folder, ()))
        if self._folder is not None and (here := self._folder / folder).is_dir():
            names |= {entry.name for entry in here.iterdir()}
        return sorted(names)

    def read(self, path: str) -> bytes:
        """Raises: AssetError: if it is missing or unreadable."""
        try:
            if self._folder is not None and (self._folder / path).is_file():
                return (self._folder / path).read_bytes()
            if (member := self._packed.get(path)) is not None:
                with member.archive.open("rb") as file:
                    file.seek(member.offset)
                    return file.read(member.size)
        except OSError as error:
            raise AssetError(f"{self.name}/{path} cannot be read: {error}") from error
        raise AssetError(f"{self.name}/{path} is missing; unpack or download its archive again")

    @cached_property
    def _packed(self) -> dict[str, _Member]:
        members: dict[str, _Member] = {}
        for archive in self._archives:
            try:
                with tarfile.open(archive, "r:") as tar:
                    for info in tar:
                        path = _below_capture(info.name)
                        if info.isfile() and path is not None:
                            members[path] = _Member(archive, info.offset_data, info.size)
            except (tarfile.TarError, OSError) as error:
                self.damaged.append(f"{archive} is damaged or cut short ({error})")
        return members

    @cached_property
    def _packed_folders(self) -> dict[str, set[str]]:
        folders: dict[str, set[str]] = {}
        for path in self._packed:
            while "/" in path:
                path, name = path.rsplit("/", 1)
                folders.setdefault(path, set()).add(name)
        return folders


def _below_capture(path: str) -> str | None:
    """A path of an archive from the capture's top; None for what is no part of a capture."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        return None
    for i, part in enumerate(parts):
        if part in _PARTS or (part in _FILES and i == len(parts) - 1):
            return "/".join(parts[i:])
    return None


def find_captures(data: Path) -> list[Capture]:
    """Captures in a folder, itself one or holding some, and its archives, by name."""
    if (own := CAPTURE.fullmatch(data.name)) is not None:
        return [Capture(own[0], data, data.glob("*.tar"))]
    folders = {p.name: p for p in data.iterdir() if p.is_dir() and CAPTURE.fullmatch(p.name)}
    archives: dict[str, list[Path]] = {
        name: list(folder.glob("*.tar")) for name, folder in folders.items()
    }
    for archive in data.glob("*.tar"):
        if (named := CAPTURE.search(archive.name)) is not None:
            archives.setdefault(named[0], []).append(archive)
    return [Capture(name, folders.get(name), archives[name]) for name in sorted(archives)]
