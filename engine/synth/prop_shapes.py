"""Prop, and the shapes that props are put together from: grids, tubes, rounded bodies.

Lengths in metres, except where a builder works in its own millimetres and scales at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.types import F32, F64, I32, check_array

__all__ = [
    "Prop",
    "Shape",
    "both_sides",
    "grid",
    "merged",
    "mirrored",
    "rounded_body",
    "tube",
    "unit",
]

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Prop:
    """A thing on, around or in front of a head: one mesh of one material."""

    kind: str  # "glasses", "lens", "hat", "hand", "clothes", "neck", ...
    vertices: F32  # (N, 3) metres, model frame
    faces: I32  # (T, 3) counter-clockwise seen from outside
    colour: F32  # (3,) linear light, 0..1
    opacity: float = 1.0
    gloss: float = 0.0  # 0 matt .. 1 wet
    is_lens: bool = False  # see-through: drawn, but not written to the truth maps

    def __post_init__(self) -> None:
        check_array("Prop.vertices", self.vertices, (None, 3), np.float32)
        check_array("Prop.faces", self.faces, (None, 3), np.int32)
        check_array("Prop.colour", self.colour, (3,), np.float32)


class Shape(NamedTuple):
    """A mesh without a material."""

    vertices: F64  # (N, 3)
    faces: I32  # (T, 3)


def unit(vectors: Floats) -> F64:
    """Rows scaled to length 1."""
    scaled: F64 = vectors / np.sqrt(np.einsum("...k,...k->...", vectors, vectors))[..., None]
    return scaled


def _cross(a: F64, b: F64) -> F64:
    """`np.cross` for rows, several times as fast for the few that a path has."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def mirrored(shape: Shape) -> Shape:
    """The same on the other side of x = 0."""
    return Shape(shape.vertices * [-1.0, 1.0, 1.0], shape.faces[:, ::-1])


def merged(shapes: Sequence[Shape]) -> Shape:
    """One mesh of all."""
    starts = np.cumsum([0, *(len(shape.vertices) for shape in shapes[:-1])])
    faces = [shape.faces + start for shape, start in zip(shapes, starts, strict=True)]
    return Shape(
        np.concatenate([shape.vertices for shape in shapes]),
        np.concatenate(faces).astype(np.int32),
    )


def both_sides(shape: Shape) -> Shape:
    """A sheet that is seen from behind too; its vertices twice, so that normals stay apart."""
    return merged([shape, Shape(shape.vertices, shape.faces[:, ::-1])])


@lru_cache(maxsize=256)
def _grid_faces(rows: int, columns: int, is_closed: bool) -> I32:
    row = np.arange(rows - 1)[:, None]
    column = np.arange(columns if is_closed else columns - 1)[None, :]
    following = (column + 1) % columns
    a, b = row * columns + column, row * columns + following
    c, d = a + columns, b + columns
    quads = np.stack([a, b, d, a, d, c], axis=-1)
    faces: I32 = quads.reshape(-1, 3).astype(np.int32)
    return faces


def grid(points: Floats, *, is_closed: bool = False) -> Shape:
    """A sheet through (rows, columns, 3) points.

    Its outside is where, looking along the rows, columns run to the right and rows upwards.

    Args:
        is_closed: whether the last column joins the first.
    """
    rows, columns = points.shape[:2]
    return Shape(points.reshape(-1, 3).astype(np.float64), _grid_faces(rows, columns, is_closed))


def tube(
    path: Floats,
    radii: Floats | float,
    across: Floats,
    *,
    sides: int = 8,
    is_closed: bool = False,
) -> Shape:
    """A tube with round ends along (n, 3) points.

    Args:
        path: middle line.
        radii: one, or (n,), or (n, 2): along `across` and athwart it.
        across: (3,) direction that is nowhere parallel to the path.
        is_closed: whether the path's end joins its start; it then has no ends.
    """
    n = len(path)
    both = np.asarray(radii, np.float64)
    both = both[:, None] if both.ndim == 1 else both
    both = np.broadcast_to(both, (n, 2))
    path = np.asarray(path, np.float64)
    if is_closed:
        along = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    else:
        path, both = _with_round_ends(path, both)
        ends = np.concatenate([path[:1], path, path[-1:]])
        along = ends[2:] - ends[:-2]
    athwart = unit(_cross(along, np.asarray(across, np.float64)))
    upright = unit(_cross(athwart, along))
    angle = np.arange(sides) * (2 * np.pi / sides)
    rings = (
        path[:, None]
        + upright[:, None] * (both[:, :1] * np.cos(angle))[..., None]
        + athwart[:, None] * (both[:, 1:] * np.sin(angle))[..., None]
    )
    if is_closed:
        rings = np.concatenate([rings, rings[:1]])
    return grid(rings, is_closed=True)


def _with_round_ends(path: F64, radii: F64) -> tuple[F64, F64]:
    steps = np.array([1.0, 0.8, 0.35])[:, None]
    widths = np.array([0.02, 0.6, 0.93])[:, None]
    first, last = unit(path[:1] - path[1:2]), unit(path[-1:] - path[-2:-1])
    head = path[:1] + first * steps * radii[0].mean()
    tail = path[-1:] + last * steps[::-1] * radii[-1].mean()
    return (
        np.concatenate([head, path, tail]),
        np.concatenate([widths * radii[0], radii, widths[::-1] * radii[-1]]),
    )


def rounded_body(
    centre: Floats, half: Floats, *, roundness: float = 1.0, rows: int = 9, columns: int = 16
) -> Shape:
    """An ellipsoid (roundness 1) or, towards 0, a box, along the axes.

    Args:
        centre, half: (3,) middle and half extents.
    Source: Barr 1981, "Superquadrics and angle-preserving transformations".
    """
    directions = _lattice(rows, columns)
    power = np.sign(directions) * np.abs(directions) ** roundness
    return grid(centre + power * half, is_closed=True)


@lru_cache(maxsize=32)
def _lattice(rows: int, columns: int) -> F64:
    """(rows, columns, 3) factors of latitude and longitude; pole along y."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, rows)[:, None]
    longitude = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None, :]
    x, z = np.cos(latitude) * np.sin(longitude), np.cos(latitude) * np.cos(longitude)
    return np.stack([x, np.broadcast_to(np.sin(latitude), x.shape), z], axis=-1)
