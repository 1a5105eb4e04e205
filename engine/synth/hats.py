"""Hats, caps, beanies, headbands, helmets, hoods and scarves, fitted to a skull."""

from collections.abc import Callable

import numpy as np

from engine.synth.cloth_colours import cloth_colour
from engine.synth.face_axes import FaceAxes, face_axes
from engine.synth.prop_shapes import Prop, Shape, both_sides, grid, rounded_body, unit
from engine.synth.skull_shell import (
    SkullShell,
    around_the_top,
    directions_of,
    skull_centre,
    skull_shell,
)
from engine.types import F32, F64

__all__ = ["hat"]

_COLUMNS = 48
_ROWS = 12


def hat(rng: np.random.Generator, landmarks: F32, skull_vertices: F32) -> list[Prop]:
    """Something on the head, outside of all of the skull that it covers.

    Args:
        landmarks: (68, 3) metres, model frame, iBUG order.
        skull_vertices: (N, 3) metres, model frame: scalp, forehead, ears, face and neck; the
            whole head will do.
    """
    axes = face_axes(landmarks)
    head = axes.to_local(skull_vertices)
    kinds: list[Callable[..., list[Prop]]] = [_beanie, _cap, _brimmed, _headband, _helmet, _scarf]
    make = kinds[int(rng.choice(len(kinds), p=[0.24, 0.26, 0.14, 0.1, 0.08, 0.18]))]
    if make is _scarf:
        return make(rng, axes, head)
    return make(rng, axes, skull_shell(head, skull_centre(head, axes.to_local(landmarks))))


def _rim(front: float, side: float, back: float) -> F64:
    """(columns,) latitude in radians of a rim, from those ahead, beside and behind in degrees."""
    longitude = around_the_top(_COLUMNS)
    ahead = np.cos(longitude)
    along = np.where(ahead > 0, front, back)
    rim: F64 = np.radians(side + (along - side) * np.abs(ahead) ** 1.5)
    return rim


def _dome(
    shell: SkullShell, rim: F64, offset: float, *, top: float = 1.0, smooth: float = 0.0
) -> Shape:
    """A cap from a rim to the top, its rim as thick as its offset.

    Args:
        rim: (columns,) latitudes.
        offset: from the skull.
        top: stretch at the very top.
        smooth: 0 .. 1 towards a sphere's evenness above the rim.
    """
    longitude = np.broadcast_to(around_the_top(_COLUMNS), (_ROWS, _COLUMNS))
    share = np.linspace(0.0, 1.0, _ROWS)[:, None] ** 1.1
    latitude = rim + (np.pi / 2 - 1e-3 - rim) * share
    away = directions_of(latitude, longitude)
    thick = np.full((_ROWS, 1), offset) + smooth * 6.0 * np.sin(np.pi * share)
    points = shell.around(away, thick, stretch=1.0 + (top - 1.0) * share**2)
    inner = shell.around(away[:1], 0.0, stretch=0.85)
    return grid(np.concatenate([inner, points]), is_closed=True)


def _band(shell: SkullShell, low: F64, high: F64, offset: float, bulge: float) -> Shape:
    longitude = np.broadcast_to(around_the_top(_COLUMNS), (5, _COLUMNS))
    share = np.array([0.0, 0.0, 0.5, 1.0, 1.0])[:, None]
    away = directions_of(low + (high - low) * share, longitude)
    edge = np.array([0.0, 1.0, 1.0, 1.0, 0.0])[:, None]
    thick = edge * (offset + bulge * np.sin(np.pi * share))
    return grid(shell.around(away, thick, stretch=0.88 + 0.12 * edge), is_closed=True)


def _beanie(rng: np.random.Generator, axes: FaceAxes, shell: SkullShell) -> list[Prop]:
    rim = _rim(rng.uniform(5, 20), rng.uniform(-22, -2), rng.uniform(-28, -12))
    offset = rng.uniform(3.5, 6.0)
    colour = cloth_colour(rng)
    props = [axes.prop("hat", _dome(shell, rim, offset, top=rng.uniform(1.0, 1.25)), colour)]
    if rng.random() < 0.6:
        cuff = _band(shell, rim - 0.02, rim + rng.uniform(0.3, 0.5), offset + 4.0, 1.0)
        props.append(axes.prop("hat", cuff, colour * rng.uniform(0.6, 1.0)))
    if rng.random() < 0.25:
        crown = shell.around(np.array([[0.0, 1.0, 0.0]]), offset + 18.0)[0]
        ball = rounded_body(crown, np.full(3, rng.uniform(18, 28)))
        props.append(axes.prop("hat", ball, cloth_colour(rng)))
    return props


def _cap(rng: np.random.Generator, axes: FaceAxes, shell: SkullShell) -> list[Prop]:
    front = rng.uniform(9, 22)
    rim = _rim(front, rng.uniform(-3, 6), rng.uniform(-14, 0))
    offset = rng.uniform(3.0, 5.0)
    colour = cloth_colour(rng)
    dome = _dome(shell, rim, offset, top=rng.uniform(1.0, 1.08), smooth=1.0)
    turn = np.pi if rng.random() < 0.12 else 0.0
    brim_colour = cloth_colour(rng) if rng.random() < 0.3 else colour
    brim = _peak(shell, rim, offset, turn, rng.uniform(55, 78), rng.uniform(8, 26))
    return [axes.prop("hat", dome, colour), axes.prop("hat", brim, brim_colour, gloss=0.1)]


def _peak(
    shell: SkullShell, rim: F64, offset: float, turn: float, length: float, droop: float
) -> Shape:
    """A cap's brim, over 120 degrees of the rim; droop is its fall at both sides and its end."""
    side = np.linspace(-1.0, 1.0, 21)
    longitude = turn + side * np.radians(60.0)
    latitude = np.interp(longitude % (2 * np.pi), *_periodic(rim))
    root = shell.around(directions_of(latitude, longitude), offset - 0.5)
    ahead = np.array([np.sin(turn), 0.0, np.cos(turn)])
    out = np.linspace(0.0, 1.0, 6)[:, None, None]
    reach = length * np.sqrt(np.maximum(1.0 - side**4, 0.0))[:, None]
    fall = droop * (out**2 * 0.5 + 0.6 * out * (side**2)[:, None])
    top = root + out * reach * ahead - fall * (reach / length) * [0.0, 1.0, 0.0]
    return _slab(top, 1.6)


def _periodic(rim: F64) -> tuple[F64, F64]:
    longitude = np.append(around_the_top(_COLUMNS), 2 * np.pi)
    return longitude, np.append(rim, rim[0])


def _slab(top: F64, thickness: float) -> Shape:
    """A sheet (rows outwards, columns to the left) with an underside and an edge."""
    under = top - [0.0, thickness, 0.0]
    return grid(np.concatenate([under, top[::-1]]))


def _brimmed(rng: np.random.Generator, axes: FaceAxes, shell: SkullShell) -> list[Prop]:
    rim = _rim(rng.uniform(10, 22), rng.uniform(0, 8), rng.uniform(-6, 4))
    offset = rng.uniform(3.0, 6.0)
    colour = cloth_colour(rng)
    dome = _dome(shell, rim, offset, top=rng.uniform(1.0, 1.3), smooth=1.0)
    longitude = around_the_top(_COLUMNS)
    root = shell.around(directions_of(rim, longitude), offset - 0.5)
    outward = unit(np.stack([np.sin(longitude), 0 * longitude, np.cos(longitude)], axis=1))
    width, fall = rng.uniform(35, 80), rng.uniform(-0.25, 0.4)
    curl = rng.uniform(-12.0, 12.0) * np.cos(2 * longitude)
    out = np.linspace(0.0, 1.0, 5)[:, None]
    height = -fall * width * out - curl * out**2
    top = root + out[..., None] * width * outward
    top[..., 1] += height
    brim = grid(np.concatenate([top - [0.0, 1.8, 0.0], top[::-1]]), is_closed=True)
    props = [axes.prop("hat", dome, colour), axes.prop("hat", brim, colour)]
    if rng.random() < 0.6:
        ribbon = _band(shell, rim, rim + 0.22, offset + 1.5, 0.5)
        props.append(axes.prop("hat", ribbon, cloth_colour(rng), gloss=0.2))
    return props


def _headband(rng: np.random.Generator, axes: FaceAxes, shell: SkullShell) -> list[Prop]:
    front = rng.uniform(8, 26)
    low = _rim(front, rng.uniform(0, 10), rng.uniform(-25, 0))
    band = _band(shell, low, low + np.radians(rng.uniform(10, 34)), rng.uniform(2.5, 5.0), 1.5)
    return [axes.prop("hat", band, cloth_colour(rng), gloss=float(rng.choice([0.0, 0.3])))]


def _helmet(rng: np.random.Generator, axes: FaceAxes, shell: SkullShell) -> list[Prop]:
    rim = _rim(rng.uniform(8, 18), rng.uniform(-6, 4), rng.uniform(-25, -5))
    offset = rng.uniform(14.0, 26.0)
    gloss = float(rng.uniform(0.3, 0.9))
    colour = cloth_colour(rng, vivid=0.7)
    props = [axes.prop("hat", _dome(shell, rim, offset, smooth=1.5), colour, gloss=gloss)]
    if rng.random() < 0.5:
        peak = _peak(shell, rim, offset, 0.0, rng.uniform(18, 40), rng.uniform(2, 8))
        props.append(axes.prop("hat", peak, colour, gloss=gloss))
    return props


def _scarf(rng: np.random.Generator, axes: FaceAxes, head: F64) -> list[Prop]:
    """Cloth or a hood around head and neck that leaves the face open."""
    is_hood = rng.random() < 0.35
    shell = SkullShell(head, np.array([0.0, -20.0, -75.0]), smoothing=1.6)
    round_face = np.linspace(0, 2 * np.pi, _COLUMNS, endpoint=False)
    half_width = rng.uniform(74, 84) if is_hood else rng.uniform(63, 72)
    top = rng.uniform(66, 90) if is_hood else rng.uniform(46, 66)
    chin = head[np.abs(head[:, 0]) < 12.0]
    low = chin[(chin[:, 2] > -40.0) & (chin[:, 2] < 60.0), 1].min()
    bottom = -max(low, -125.0) + rng.uniform(2.0, 10.0)
    c, s = np.cos(round_face), np.sin(round_face)
    edge = np.stack([half_width * c, np.where(s > 0, top * s, bottom * s), 0 * c], axis=1)
    depth = 75.0 - np.where(s > 0, 10.0, 25.0) - 24.0 * c * c
    opening = np.arctan2(np.hypot(edge[:, 0], edge[:, 1] + 20.0), depth)
    turn = np.arctan2(edge[:, 1] + 20.0, edge[:, 0])
    share = np.linspace(0.0, 1.0, 14)[:, None]
    angle = opening + (np.pi - 1e-3 - opening) * share
    sideways = np.sin(angle)
    away = np.stack([sideways * np.cos(turn), sideways * np.sin(turn), np.cos(angle)], axis=-1)
    offset = rng.uniform(16.0, 30.0) if is_hood else rng.uniform(4.0, 9.0)
    folds = rng.uniform(0.5, 2.5) * np.sin(share * rng.uniform(10, 25) + 2.0 * np.cos(turn))
    cloth = shell.around(away, offset + folds + 2.5)
    inner = shell.around(away[:1], 0.0, stretch=0.88)
    wrap = grid(np.concatenate([inner, cloth])[::-1], is_closed=True)
    colour = cloth_colour(rng)
    cape = _cape(rng, head, is_hood)
    return [axes.prop("hat", wrap, colour), axes.prop("hat", cape, colour)]


def _cape(rng: np.random.Generator, head: F64, is_hood: bool) -> Shape:
    """Cloth from below the chin down over the shoulders."""
    longitude = around_the_top(_COLUMNS)
    neck = head[head[:, 1] < head[:, 1].min() + 25.0]
    middle = 0.5 * (neck.min(axis=0) + neck.max(axis=0))
    half = 0.5 * (neck.max(axis=0) - neck.min(axis=0))
    wide = np.array([14.0, 12.0, 30.0, 62.0, 92.0])[:, None] + 8.0 * is_hood
    height = middle[1] + np.array([62.0, 30.0, -8.0, -40.0, -85.0])[:, None]
    x = middle[0] + (half[0] + wide) * np.sin(longitude)
    z = middle[2] + (half[2] + 0.7 * wide) * np.cos(longitude)
    z = z + 14.0 * (height > middle[1]) * (np.cos(longitude) > 0) * np.cos(longitude)
    folds = rng.uniform(0.0, 3.0) * np.sin(longitude * rng.integers(5, 12) + height / 20.0)
    y = np.broadcast_to(height, x.shape) + folds
    return both_sides(grid(np.stack([x, y, z], axis=-1)[::-1], is_closed=True))
