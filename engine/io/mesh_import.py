"""Reads triangle meshes of other programs: Wavefront OBJ, as scans and tracked meshes come in."""

import itertools
from pathlib import Path

import numpy as np

from engine.errors import AssetError
from engine.types import F64, I32

__all__ = ["parse_obj", "read_obj"]


def read_obj(path: Path) -> tuple[F64, I32]:
    """Vertices (V, 3) in the file's unit, in its order, and triangles (F, 3) of a mesh.

    Polygons become fans of triangles; texture coordinates, normals and groups are left out.
    Raises: AssetError: if it is missing or no mesh.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise AssetError(f"mesh {path} cannot be read: {error.strerror or error}") from error
    return parse_obj(text, str(path))


def parse_obj(text: str, name: str) -> tuple[F64, I32]:
    """As `read_obj`, of a file's text; name: how to call it in errors."""
    positions: list[list[float]] = []
    triangles: list[tuple[int, int, int]] = []
    try:
        for line in text.splitlines():
            words = line.split()
            if not words:
                continue
            if words[0] == "v":
                positions.append([float(word) for word in words[1:4]])
            elif words[0] == "f":
                triangles += _fan([_index(word, len(positions)) for word in words[1:]])
        vertices = np.array(positions, np.float64).reshape(-1, 3)
    except ValueError as error:
        raise AssetError(f"{name} is not a readable OBJ mesh ({error}); copy it again") from error
    faces = np.array(triangles, np.int32).reshape(-1, 3)
    if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise AssetError(
            f"{name} is cut short: its faces name vertex {faces.max() + 1} of {len(vertices)}; "
            "copy it again"
        )
    return vertices, faces


def _index(word: str, n_vertices: int) -> int:
    """0-based vertex of "7", "7/1", "7//3" or "-1", which counts back from the last."""
    number = int(word.split("/", 1)[0])
    return number - 1 if number > 0 else n_vertices + number


def _fan(corners: list[int]) -> list[tuple[int, int, int]]:
    return [(corners[0], b, c) for b, c in itertools.pairwise(corners[1:])]
