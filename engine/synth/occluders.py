"""What comes between a face and the camera: hands, phones, microphones, cups, sticks."""

from typing import NamedTuple

import cv2
import numpy as np

from engine.synth.cloth_colours import cloth_colour
from engine.synth.face_axes import face_axes
from engine.synth.hands import hand_parts
from engine.synth.prop_shapes import Prop, Shape, merged, rounded_body, tube
from engine.types import F32, F64, U8

__all__ = ["covered_share", "occluder"]

_CELL = 4.0
"""Millimetres of the rasters in which covered parts are counted."""
_HALF_CELLS = 72
_ACROSS = np.array([1.0, 0.0, 0.0])


class _Piece(NamedTuple):
    """Shapes of one material; each is about convex."""

    kind: str
    shapes: list[Shape]
    colour: F64 | F32
    gloss: float


def occluder(rng: np.random.Generator, landmarks: F32, skin: F64) -> list[Prop]:
    """Something close in front of the face that covers 6 to 34 % of it from the front.

    Args:
        landmarks: (68, 3) metres, model frame, iBUG order; frontal jaw line.
        skin: (3,) linear light, colour of a hand.
    """
    axes = face_axes(landmarks)
    face = axes.to_local(landmarks)
    kind = str(
        rng.choice(["hand", "phone", "microphone", "cup", "stick"], p=[0.5, 0.16, 0.14, 0.1, 0.1])
    )
    pieces = {
        "hand": _hand,
        "phone": _phone,
        "microphone": _microphone,
        "cup": _cup,
        "stick": _stick,
    }[kind](rng, skin)
    angle = rng.normal(0.0, 0.7 if kind in ("hand", "phone") else 0.35)
    pieces = _turned(pieces, angle, float(rng.normal(0.0, 0.25)), float(rng.normal(0.0, 0.3)))
    # From where the thing's lower end points, so that arms come in from outside.
    heading = angle + rng.normal(0.0, 0.3)
    towards = np.array([-np.sin(heading), np.cos(heading)])
    pieces = _moved_in(rng, pieces, face, towards)
    return [axes.prop(p.kind, merged(p.shapes), p.colour, gloss=p.gloss) for p in pieces]


def _hand(rng: np.random.Generator, skin: F64) -> list[_Piece]:
    parts = hand_parts(rng)
    turn = np.array([rng.choice([-1.0, 1.0]), 1.0, rng.choice([-1.0, 1.0], p=[0.3, 0.7])])
    size = rng.uniform(0.82, 1.05)
    is_flipped = turn.prod() < 0
    parts = [
        Shape(s.vertices * turn * size, s.faces[:, ::-1] if is_flipped else s.faces) for s in parts
    ]
    if rng.random() < 0.12:
        return [_Piece("hand", parts, cloth_colour(rng), 0.1)]
    sleeve = rng.random() < 0.5
    pieces = [_Piece("hand", parts if not sleeve else parts[:-1], skin, 0.15)]
    if sleeve:
        pieces.append(_Piece("sleeve", parts[-1:], cloth_colour(rng), 0.0))
    return pieces


def _phone(rng: np.random.Generator, skin: F64) -> list[_Piece]:
    half = np.array([rng.uniform(33, 39), rng.uniform(68, 80), rng.uniform(3.5, 5.5)])
    body = rounded_body(np.array([0.0, 105.0, 0.0]), half, roundness=0.22, rows=11, columns=20)
    colour = np.array([0.015, 0.015, 0.017]) if rng.random() < 0.6 else cloth_colour(rng)
    pieces = [_Piece("phone", [body], colour, float(rng.uniform(0.4, 1.0)))]
    if rng.random() < 0.7:
        parts = hand_parts(rng, grip=True)
        shift = np.array([0.0, 5.0, half[2] + 13.0])
        pieces.append(
            _Piece("hand", [Shape(s.vertices + shift, s.faces) for s in parts], skin, 0.15)
        )
    return pieces


def _microphone(rng: np.random.Generator, skin: F64) -> list[_Piece]:
    radius = rng.uniform(20.0, 30.0)
    ball = rounded_body(
        np.array([0.0, 0.0, 0.0]), radius * np.array([1.0, rng.uniform(1.0, 1.4), 1.0]), rows=11
    )
    path = np.array([[0, -0.8 * radius, 0], [0, -radius - 50, 0], [0, -radius - 190, 0]])
    handle = tube(path, np.array([0.62, 0.55, 0.42]) * radius, _ACROSS, sides=12)
    foam = np.full(3, rng.uniform(0.01, 0.05)) if rng.random() < 0.6 else cloth_colour(rng)
    return [
        _Piece("microphone", [ball], foam, 0.0),
        _Piece("microphone", [handle], np.full(3, 0.03), 0.5),
    ]


def _cup(rng: np.random.Generator, skin: F64) -> list[_Piece]:
    radius, height = rng.uniform(34, 42), rng.uniform(80, 125)
    path = np.array([[0, 0, 0], [0, -0.5, 0], [0, -height + 0.5, 0], [0, -height, 0]])
    narrow = rng.uniform(0.7, 1.0)
    body = tube(
        path, np.array([0.95, 1.0, narrow, 0.95 * narrow]) * radius * 0.99, _ACROSS, sides=20
    )
    body.vertices[:, 1] = np.clip(body.vertices[:, 1], -height - 1.0, 1.0)
    pieces = [_Piece("cup", [body], cloth_colour(rng, vivid=0.5), float(rng.uniform(0.1, 0.9)))]
    if rng.random() < 0.6:
        parts = hand_parts(rng, grip=True)
        shift = np.array([0.0, -0.5 * height - 75.0, radius + 16.0])
        pieces.append(
            _Piece("hand", [Shape(s.vertices + shift, s.faces) for s in parts], skin, 0.15)
        )
    return pieces


def _stick(rng: np.random.Generator, skin: F64) -> list[_Piece]:
    half, radius = rng.uniform(120, 200), rng.uniform(6.5, 14.0)
    bend = rng.uniform(-15, 15)
    share = np.linspace(-1.0, 1.0, 9)
    path = np.stack([bend * (1 - share**2), half * share - 0.6 * half, 0 * share], axis=1)
    return [_Piece("stick", [tube(path, radius, _ACROSS, sides=10)], cloth_colour(rng), 0.3)]


def _turned(pieces: list[_Piece], roll: float, pitch: float, yaw: float) -> list[_Piece]:
    rotation = np.eye(3)
    for angle, (i, j) in ((yaw, (2, 0)), (pitch, (1, 2)), (roll, (0, 1))):
        c, s = np.cos(angle), np.sin(angle)
        step = np.eye(3)
        step[[i, j, i, j], [i, j, j, i]] = c, c, -s, s
        rotation = step @ rotation
    return [
        p._replace(shapes=[Shape(s.vertices @ rotation.T, s.faces) for s in p.shapes])
        for p in pieces
    ]


def _moved_in(
    rng: np.random.Generator, pieces: list[_Piece], face: F64, towards: F64
) -> list[_Piece]:
    """Push pieces into the face from outside until the wanted share is covered; then let them
    touch it, or nearly."""
    wanted = rng.uniform(0.08, 0.30)
    goal = face[rng.choice([30, 33, 48, 51, 54, 8, 27, 36, 45, 2, 14])][:2]
    silhouette = _face_raster(face)
    shapes = [s for p in pieces for s in p.shapes]
    start = goal - 230.0 * towards
    for scale in (1.0, 1.6):
        raster = _raster([s.vertices[:, :2] * scale for s in shapes])
        steps = np.linspace(0.0, 1.4, 41)[:, None] * (goal - start) + start
        best, share = _first_covering(raster, silhouette, steps, wanted)
        if share > 0.07:
            break
    vertices = np.concatenate([s.vertices for s in shapes]) * scale + [*best, 0.0]
    gap = 2.0 + (rng.exponential(10.0) if rng.random() < 0.5 else 0.0)
    shift = np.array([*best, _clearance(vertices, face) + gap])
    return [
        p._replace(shapes=[Shape(s.vertices * scale + shift, s.faces) for s in p.shapes])
        for p in pieces
    ]


def _first_covering(raster: U8, silhouette: U8, steps: F64, wanted: float) -> tuple[F64, float]:
    """The first of steps (n, 2) at which the wanted share is covered, or else the fullest."""
    cells = np.clip(np.rint(steps / _CELL).astype(int), -_HALF_CELLS, _HALF_CELLS).tolist()
    total = np.count_nonzero(silhouette)
    shares = []
    for x, y in cells:
        shares.append(_overlap(raster, silhouette, x, y) / total)
        if shares[-1] >= wanted:
            break
    best = int(np.argmax(shares))
    return steps[best], shares[best]


def _clearance(vertices: F64, face: F64) -> float:
    """How far vertices must come forward to lie in front of the face."""
    vertices = vertices[::3]
    x, y = (np.subtract.outer(vertices[:, k], face[:, k]) for k in (0, 1))
    away = (x * x + y * y).astype(np.float32)
    near = np.exp(away * np.float32(-1 / (2 * 14.0**2)))
    total = near.sum(axis=1)
    surface = (near @ face[:, 2]) / np.maximum(total, 1e-6) + 4.0
    is_over = away.min(axis=1) < 22.0**2
    nose = away[:, 30] < 18.0**2
    surface = np.where(nose, np.maximum(surface, face[30, 2] + 1.0), surface)
    if not is_over.any():
        return float(face[:, 2].max())
    return float((surface - vertices[:, 2])[is_over].max())


def _face_raster(face: F64) -> U8:
    """The face from chin to hairline: the landmarks' hull with a forehead."""
    brows = face[17:27, :2] + (face[17:27, :2].mean(axis=0) - face[8, :2]) * [0.0, 0.3]
    return _raster([np.concatenate([face[:, :2], brows])])


def _raster(outlines: list[F64]) -> U8:
    """Convex hulls of (N, 2) points, filled; 0 is in the middle."""
    side = 2 * _HALF_CELLS
    picture = np.zeros((side, side), np.uint8)
    for points in outlines:
        cells = np.rint(points / _CELL + _HALF_CELLS).astype(np.int32)
        cv2.fillConvexPoly(picture, cv2.convexHull(cells), 1)
    return picture


def _overlap(raster: U8, silhouette: U8, x: int, y: int) -> int:
    """Cells of the silhouette under a raster that is moved by x, y cells."""
    side = 2 * _HALF_CELLS
    there = silhouette[max(y, 0) : side + min(y, 0), max(x, 0) : side + min(x, 0)]
    own = raster[max(-y, 0) : side + min(-y, 0), max(-x, 0) : side + min(-x, 0)]
    return int(np.count_nonzero(there & own))


def covered_share(props: list[Prop], landmarks: F32) -> float:
    """Share 0..1 of a face, chin to hairline, that props hide when it is seen from the front."""
    axes = face_axes(landmarks)
    silhouette = _face_raster(axes.to_local(landmarks))
    hidden = np.zeros_like(silhouette)
    for prop in props:
        cells = axes.to_local(prop.vertices)[:, :2] / _CELL + _HALF_CELLS
        triangles = np.rint(cells).astype(np.int32)[prop.faces]
        for triangle in triangles:
            cv2.fillConvexPoly(hidden, triangle, 1)
    return float(np.count_nonzero(hidden & silhouette)) / float(np.count_nonzero(silhouette))
