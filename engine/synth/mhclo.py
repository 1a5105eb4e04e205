"""MakeHuman's clothes: textured meshes whose vertices hang on triples of the base mesh.

Base mesh: hm08, metres here, +y up, +z out of the face; its files are in decimetres.
"""

import gzip
import itertools
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import AssetError
from engine.types import F64, I32

__all__ = ["Binding", "TexturedMesh", "read_mhclo", "read_obj"]

_METRES = 0.1  # per decimetre
_AXES = ("x_scale", "y_scale", "z_scale")


@dataclass(frozen=True, slots=True, eq=False)
class TexturedMesh:
    """A mesh as an .obj file holds it, quads cut into triangles."""

    vertices: F64  # (V, 3) metres
    faces: I32  # (F, 3)
    uv: F64  # (T, 2) u right, v UP
    uv_faces: I32  # (F, 3) rows of uv


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """Where M vertices of a garment lie with respect to the base mesh."""

    corners: I32  # (M, 3) vertices of the base mesh
    weights: F64  # (M, 3)
    offsets: F64  # (M, 3) metres at the size of `scales`
    scales: tuple[tuple[int, int, float], ...]  # x, y, z: two base vertices, metres between them

    def place(self, base: F64) -> F64:
        """(M, 3) metres on a base mesh (B, 3) metres of any shape.

        Raises: AssetError: if the base mesh has fewer vertices than the garment hangs on.
        """
        used = max(int(self.corners.max()), *(max(a, b) for a, b, _ in self.scales))
        if used >= len(base):
            raise AssetError(
                f"a garment hangs on vertex {used} of the base mesh, which has {len(base)}; "
                "fetch base.obj.gz and the .mhclo.gz files again"
            )
        scale = [abs(base[a, i] - base[b, i]) / d for i, (a, b, d) in enumerate(self.scales)]
        on_mesh = np.einsum("mk,mkc->mc", self.weights, base[self.corners])
        return np.asarray(on_mesh + self.offsets * scale)


def read_mhclo(path: Path) -> Binding:
    """Read how a garment hangs on the base mesh (.mhclo.gz).

    Vertex lines hold one base vertex, or three with weights and an offset; they begin after
    `verts` and may be interrupted by lines of other keywords.
    Raises: AssetError: if the file is missing or damaged, or has no vertices or scales.
    """
    rows: list[list[float]] = []
    scales: dict[str, tuple[int, int, float]] = {}
    in_vertices = False
    try:
        for line in _text(path).splitlines():
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0] in _AXES:
                scales[words[0]] = _scale(words)
            elif words[0] in ("verts", "delete_verts"):
                in_vertices = words[0] == "verts"
            elif in_vertices and words[0].lstrip("-").replace(".", "", 1).isdigit():
                rows.append(_vertex(words))
    except (ValueError, IndexError) as error:
        raise AssetError(f"{path} is not a readable .mhclo ({error}); fetch it again") from error
    if not rows or len(scales) != 3:
        raise AssetError(
            f"{path} has {len(rows)} vertices and scales {sorted(scales)}; "
            f"expected vertices after `verts` and {', '.join(_AXES)}"
        )
    table = np.array(rows)
    return Binding(
        corners=table[:, :3].astype(np.int32),
        weights=table[:, 3:6],
        offsets=table[:, 6:9] * _METRES,
        scales=tuple(scales[axis] for axis in _AXES),
    )


def _scale(words: list[str]) -> tuple[int, int, float]:
    """Two base vertices, metres between them."""
    a, b, distance = int(words[1]), int(words[2]), float(words[3]) * _METRES
    if min(a, b) < 0 or not distance > 0:
        raise ValueError(f"{' '.join(words)}: expected two vertices and a distance over 0")
    return a, b, distance


def _vertex(words: list[str]) -> list[float]:
    """Nine numbers: three base vertices, their weights, an offset."""
    numbers = [float(word) for word in words]
    if len(numbers) not in (1, 6, 9):
        raise ValueError(f"a vertex line of {len(numbers)} numbers, expected 1, 6 or 9")
    if min(numbers[:3]) < 0:
        raise ValueError(f"base vertex {min(numbers[:3]):g}, expected 0 or more")
    if len(numbers) == 1:
        return [numbers[0], 0, 0, 1, 0, 0, 0, 0, 0]
    return numbers + [0.0] * (9 - len(numbers))


def read_obj(path: Path) -> TexturedMesh:
    """Read a mesh of triangles and quads, with texture coordinates where it has them (.obj.gz).

    Raises: AssetError: if the file is missing or damaged.
    """
    vertices: list[list[float]] = []
    uv: list[list[float]] = []
    faces: list[list[tuple[int, int]]] = []
    try:
        for line in _text(path).splitlines():
            kind, *words = line.split() or [""]
            if kind == "v":
                x, y, z = (float(word) * _METRES for word in words[:3])
                vertices.append([x, y, z])
            elif kind == "vt":
                u, v = (float(word) for word in words[:2])
                uv.append([u, v])
            elif kind == "f":
                first, *others = [_corner(word) for word in words]
                faces += [[first, a, b] for a, b in itertools.pairwise(others)]
        table = np.array(faces, np.int32).reshape(-1, 3, 2)
        mesh = TexturedMesh(
            vertices=np.array(vertices, np.float64).reshape(-1, 3),
            faces=table[..., 0],
            uv=np.array(uv, np.float64).reshape(-1, 2),
            uv_faces=table[..., 1],
        )
        _check(mesh)
    except (ValueError, IndexError) as error:
        raise AssetError(f"{path} is not a readable .obj ({error}); fetch it again") from error
    return mesh


def _check(mesh: TexturedMesh) -> None:
    """ValueError if there are no vertices, or faces use some that are not there."""
    if not len(mesh.vertices):
        raise ValueError("no vertices")
    for name, rows, least, n in (
        ("vertex", mesh.faces, 0, len(mesh.vertices)),
        ("texture coordinate", mesh.uv_faces, -1, len(mesh.uv)),
    ):
        if rows.size and (rows.min() < least or rows.max() >= n):
            found = f"{rows.min() + 1}..{rows.max() + 1}"
            raise ValueError(f"faces have {name} {found}, expected 1..{n}")


def _corner(word: str) -> tuple[int, int]:
    """Vertex and texture row of `v`, `v/vt` or `v/vt/vn`, from 0; -1 where there is no texture."""
    parts = word.split("/")
    return int(parts[0]) - 1, int(parts[1]) - 1 if len(parts) > 1 and parts[1] else -1


def _text(path: Path) -> str:
    try:
        return gzip.decompress(path.read_bytes()).decode("utf-8", errors="replace")
    except (OSError, EOFError, zlib.error) as error:
        raise AssetError(f"{path} cannot be read: {error}; fetch it again") from error
