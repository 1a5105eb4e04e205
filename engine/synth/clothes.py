"""A torso under the head: shoulders in a shirt, its collar, and the skin that it leaves open."""

import numpy as np

from engine.synth.cloth_colours import cloth_colour
from engine.synth.prop_shapes import Prop, Shape, both_sides, grid, tube
from engine.synth.skull_shell import around_the_top
from engine.types import F32, F64

__all__ = ["torso"]

_COLUMNS = 40
_ROWS = 22
_UP = np.array([0.0, 1.0, 0.0])
# Half width, half depth and middle (z), in metres, at these metres below the neck's lower edge.
_DROP = np.array([-0.055, -0.02, 0.0, 0.02, 0.045, 0.075, 0.11, 0.16, 0.26, 0.40])
_WIDTH = np.array([0.0, 0.003, 0.014, 0.062, 0.118, 0.146, 0.156, 0.154, 0.132, 0.122])
_DEPTH = np.array([0.0, 0.003, 0.010, 0.022, 0.036, 0.048, 0.055, 0.058, 0.060, 0.060])


def torso(rng: np.random.Generator, neck_vertices: F32, skin: F64) -> list[Prop]:
    """Neck base, chest and shoulders; "neck" is bare skin, "clothes" all else.

    Args:
        neck_vertices: (N, 3) metres, model frame, of a posed head's neck.
        skin: (3,) linear light.
    """
    low = neck_vertices[:, 1].min()
    ring = neck_vertices[neck_vertices[:, 1] < low + 0.03].astype(np.float64)
    middle = 0.5 * (ring.min(axis=0) + ring.max(axis=0))
    half = 0.5 * (ring.max(axis=0) - ring.min(axis=0))
    base = np.array([middle[0], low, middle[2]])
    build = np.array([rng.uniform(0.85, 1.15), rng.uniform(0.9, 1.2)])
    opening = rng.uniform(0.0, 0.085) * (rng.random() < 0.6)
    start = rng.uniform(-0.028, -0.008)
    bare = _body(base, half, build, -0.035, 0.0, 0.0)[: _ROWS // 2 + 3]
    cloth = _body(base, half, build, start, opening, 0.005)
    props = [_prop("neck", grid(bare[::-1], is_closed=True), skin, 0.1)]
    props += _striped(rng, cloth)
    collar = rng.random()
    if collar < 0.45:
        rim = tube(cloth[0], 0.0045 * rng.uniform(0.6, 1.6), _UP, sides=6, is_closed=True)
        props.append(_prop("clothes", rim, cloth_colour(rng), 0.0))
    elif collar < 0.8:
        props.append(_prop("clothes", _flaps(rng, cloth[0], base), cloth_colour(rng), 0.0))
    else:
        height = np.linspace(0.0, rng.uniform(0.015, 0.045), 4)[:, None, None]
        swell = 1.0 + 0.06 * np.sin(np.pi * np.linspace(0, 1, 4))[:, None, None] + 0.03
        roll = base + (cloth[0] - base) * [1.0, 1.0, 1.0] * swell + height * _UP
        props.append(
            _prop("clothes", both_sides(grid(roll, is_closed=True)), cloth_colour(rng), 0.0)
        )
    return props


def _prop(kind: str, shape: Shape, colour: F64 | F32, gloss: float) -> Prop:
    vertices = shape.vertices.astype(np.float32)
    return Prop(kind, vertices, shape.faces, np.asarray(colour, np.float32), 1.0, gloss)


def _body(base: F64, half: F64, build: F64, start: float, opening: float, offset: float) -> F64:
    """(rows, columns, 3) from the neck downwards, first column ahead.

    Args:
        start: metres below the neck's lower edge, of the upper edge.
        opening: metres that the upper edge hangs lower in front.
        offset: metres outwards, of cloth over skin.
    """
    longitude = around_the_top(_COLUMNS)
    ahead = (longitude + np.pi) % (2 * np.pi) - np.pi
    edge = start + opening * np.exp(-((ahead / 0.55) ** 2))
    share = np.linspace(0.0, 1.0, _ROWS)[:, None] ** 1.4
    drop = edge + (_DROP[-1] - edge) * share
    width = half[0] + np.interp(drop, _DROP, _WIDTH) * build[0] + offset
    depth = half[2] + np.interp(drop, _DROP, _DEPTH) * build[1] + offset
    back = -0.25 * np.interp(drop, _DROP, _DEPTH)
    square = np.interp(drop, [0.02, 0.12], [1.0, 0.8])
    s, c = np.sin(longitude), np.cos(longitude)
    x = base[0] + width * np.sign(s) * np.abs(s) ** square
    z = base[2] + back + depth * np.sign(c) * np.abs(c) ** square
    # Shoulders slope: what lies at the sides is lower.
    y = base[1] - drop - 0.035 * np.clip(drop / 0.1, 0, 1) * np.abs(s) ** 3
    return np.stack([x, y, z], axis=-1)


def _striped(rng: np.random.Generator, cloth: F64) -> list[Prop]:
    """The cloth in one colour, or in two by rows or columns."""
    shape = grid(cloth[::-1], is_closed=True)
    colour = cloth_colour(rng)
    if rng.random() < 0.65:
        return [_prop("clothes", shape, colour, 0.0)]
    quads = np.arange(len(shape.faces)) // 2
    row, column = quads // _COLUMNS, quads % _COLUMNS
    is_second = (row if rng.random() < 0.5 else column) // rng.integers(1, 4) % 2 == 1
    other = cloth_colour(rng)
    first = Shape(shape.vertices, shape.faces[~is_second])
    second = Shape(shape.vertices, shape.faces[is_second])
    return [_prop("clothes", first, colour, 0.0), _prop("clothes", second, other, 0.0)]


def _flaps(rng: np.random.Generator, edge: F64, base: F64) -> Shape:
    """A shirt's collar: up along the neck, then folded outwards and down; open in front."""
    gap = int(rng.integers(1, 3))
    order = np.arange(gap, _COLUMNS - gap + 1)
    line = edge[order % _COLUMNS]
    outward = (line - base) * [1.0, 0.0, 1.0]
    outward /= np.sqrt((outward**2).sum(axis=1))[:, None]
    longest = np.minimum(np.arange(len(order)), np.arange(len(order))[::-1])
    point = rng.uniform(0.01, 0.03) * np.exp(-longest / 2.0)[:, None]
    height = rng.uniform(0.012, 0.028)
    rows = [
        line + 0.001 * outward,
        line + 0.002 * outward + height * _UP,
        line + 0.005 * outward + (height + 0.001) * _UP,
        line + 0.010 * outward + 0.3 * height * _UP,
        line + (0.017 + 0.5 * point) * outward - (0.008 + point) * _UP,
    ]
    return both_sides(grid(np.stack(rows)))
