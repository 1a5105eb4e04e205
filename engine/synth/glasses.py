"""Glasses: frames of many shapes, arms to the ears, clear or dark lenses."""

from dataclasses import dataclass

import numpy as np

from engine.synth.face_axes import FaceAxes, face_axes
from engine.synth.prop_shapes import Prop, Shape, both_sides, grid, merged, mirrored, tube
from engine.types import F32, F64, I32

__all__ = ["ear_roots", "glasses"]

_OUTLINE = 40
"""Points around a lens."""
_FORWARD = np.array([0.0, 0.0, 1.0])
_FRAME_COLOURS = np.array(
    [
        [0.012, 0.012, 0.013],
        [0.02, 0.02, 0.022],
        [0.045, 0.020, 0.010],
        [0.12, 0.05, 0.02],
        [0.30, 0.31, 0.33],
        [0.45, 0.33, 0.14],
        [0.05, 0.07, 0.14],
        [0.25, 0.02, 0.02],
        [0.55, 0.52, 0.48],
    ]
)
_TINTS = np.array(
    [[0.01, 0.01, 0.01], [0.03, 0.018, 0.008], [0.01, 0.02, 0.012], [0.02, 0.03, 0.07]]
)


@dataclass(frozen=True, slots=True)
class _Style:
    """Millimetres of the face's own frame."""

    half_width: float  # of a lens
    half_height: float
    squareness: float  # exponent of the outline: 2 round, 5 nearly rectangular
    droop: float  # outward shift of the outline's lower half, as in aviators
    bridge: float  # between the lenses
    rim: float  # half thickness
    lower_rim: float  # the same below the middle; 0: none
    rim_depth: float  # half thickness from front to back
    arm_height: float  # half
    has_double_bridge: bool


def glasses(rng: np.random.Generator, landmarks: F32, ears: F32) -> list[Prop]:
    """A pair of glasses on the nose: the frame, then two lenses.

    Args:
        landmarks: (68, 3) metres, model frame, iBUG order; frontal jaw line.
        ears: (2, 3) metres, model frame: where the arms rest, in any order; see `ear_roots`.
    Returns: frame ("glasses") and lenses ("lens"); clear lenses have `is_lens` set.
    """
    axes = face_axes(landmarks)
    local = axes.to_local(landmarks)
    style = _draw_style(rng)
    outline, middle = _placed_outline(rng, style, local)
    frame = _frame(style, outline, middle, axes.to_local(ears), local)
    colour = _FRAME_COLOURS[rng.integers(len(_FRAME_COLOURS))] * rng.uniform(0.7, 1.2)
    gloss = float(rng.uniform(0.2, 1.0))
    props = [axes.prop("glasses", frame, colour, gloss=gloss)]
    return props + _lenses(rng, axes, outline, middle)


def ear_roots(vertices: F32, ears_idx: I32, landmarks: F32) -> F32:
    """(2, 3) where arms of glasses rest, subject's right then left, of a posed head.

    Args:
        vertices: (V, 3) metres, model frame.
        ears_idx: vertices of both ears.
        landmarks: (68, 3) metres, model frame.
    """
    axes = face_axes(landmarks)
    local = axes.to_local(vertices[ears_idx])
    roots = []
    for sign in (-1.0, 1.0):
        ear = local[sign * local[:, 0] > 0]
        high = ear[ear[:, 1] > ear[:, 1].max() - 8.0]
        inner = np.abs(high[:, 0]).min()
        roots.append([sign * (inner + 1.5), high[:, 1].max() - 1.0, high[:, 2].mean()])
    return axes.to_model(np.array(roots))


def _draw_style(rng: np.random.Generator) -> _Style:
    kind = rng.choice(["rectangle", "round", "aviator", "soft"], p=[0.35, 0.2, 0.15, 0.3])
    half_width, half_height, squareness, droop = {
        "rectangle": (rng.uniform(24, 28), rng.uniform(13, 19), rng.uniform(3.5, 6.0), 0.0),
        "round": (rng.uniform(20, 26), 0.0, rng.uniform(2.0, 2.3), 0.0),
        "aviator": (rng.uniform(26, 29), rng.uniform(21, 25), rng.uniform(2.2, 2.8), 5.0),
        "soft": (rng.uniform(24, 28), rng.uniform(16, 22), rng.uniform(2.3, 3.3), 0.0),
    }[str(kind)]
    if kind == "round":
        half_height = half_width * rng.uniform(0.86, 1.0)
    is_thin = kind == "aviator" or rng.random() < 0.45
    rim = rng.uniform(0.5, 1.0) if is_thin else rng.uniform(1.2, 3.2)
    share = float(rng.choice([1.0, 0.7, 0.0], p=[0.7, 0.12, 0.18]))
    return _Style(
        half_width,
        half_height,
        squareness,
        droop,
        bridge=rng.uniform(16.0, 21.0),
        rim=rim,
        lower_rim=share * rim,
        rim_depth=rng.uniform(0.6, 1.0) if is_thin else rng.uniform(1.2, 2.0),
        arm_height=rng.uniform(0.7, 1.5) if is_thin else rng.uniform(1.5, 6.0),
        has_double_bridge=kind == "aviator" and bool(rng.random() < 0.7),
    )


def _placed_outline(
    rng: np.random.Generator, style: _Style, local: F64
) -> tuple[F64, tuple[float, float]]:
    """(n, 3) outline of the subject's left lens, counter-clockwise from outside; its middle."""
    angle = np.linspace(0, 2 * np.pi, _OUTLINE, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    radius = (np.abs(c) ** style.squareness + np.abs(s) ** style.squareness) ** (
        -1.0 / style.squareness
    )
    x, y = style.half_width * radius * c, style.half_height * radius * s
    x += style.droop * np.maximum(-y / style.half_height, 0.0) * (0.35 + 0.65 * (c < 0))
    y -= style.droop * np.maximum(0.3 - c, 0.0) * (s > 0) * 0.4
    middle_x = style.half_width + style.bridge / 2 + style.droop / 2
    middle_y = local[36:48, 1].mean() - rng.uniform(1.0, 5.0)
    x, y = x + middle_x, y + middle_y
    return np.stack([x, y, _sheet(x, y, middle_x, middle_y, local)], axis=1), (middle_x, middle_y)


def _sheet(x: F64, y: F64, middle_x: float, middle_y: float, local: F64) -> F64:
    """z of the curved surface that the lenses lie in: clear of eyes, brows and nose."""
    eyes, nose = local[36:48, 2].max(), local[[21, 22, 27], 2].max()
    front = np.clip(nose + 2.0, eyes + 11.0, eyes + 15.0)
    wrap = 0.0022 * (np.abs(x) ** 2 - middle_x**2)
    tilt = 0.09 * (y - middle_y)
    depth: F64 = front - wrap + tilt
    return depth


def _frame(
    style: _Style, outline: F64, middle: tuple[float, float], ears: F64, local: F64
) -> Shape:
    parts = _rims(style, outline)
    parts += _bridges(style, outline, local)
    outer = outline[outline[:, 1] > middle[1] + 0.3 * style.half_height]
    hinge = outer[outer[:, 0].argmax()]
    for sign in (-1.0, 1.0):
        ear = ears[(sign * ears[:, 0]).argmax()]
        parts.append(_arm(style, hinge * [sign, 1.0, 1.0], ear, local, sign))
    return merged(parts)


def _rims(style: _Style, outline: F64) -> list[Shape]:
    rise = np.clip((outline[:, 1] - outline[:, 1].mean()) / (0.5 * style.half_height), -1.0, 1.0)
    rim = style.lower_rim + (style.rim - style.lower_rim) * (0.5 + 0.5 * rise)
    radii = np.stack([np.full(_OUTLINE, style.rim_depth), rim], axis=1)
    if style.lower_rim > 0.0:
        ring = tube(outline, radii, _FORWARD, sides=6, is_closed=True)
    else:
        upper = np.roll(np.arange(_OUTLINE), _OUTLINE // 16)
        upper = upper[rise[upper] > -0.2]
        sizes = np.maximum(radii[upper], [style.rim_depth, 0.5 * style.rim])
        ring = tube(outline[upper], sizes, _FORWARD, sides=6)
    return [ring, mirrored(ring)]


def _bridges(style: _Style, outline: F64, local: F64) -> list[Shape]:
    """Arcs from lens to lens in front of the nose's bridge."""
    inner = outline[:, 0].min()
    tops = outline[outline[:, 0] < inner + 0.35 * style.half_width]
    low, high = tops[:, 1].min(), tops[:, 1].max()
    heights = [low + 0.72 * (high - low)]
    if style.has_double_bridge:
        heights = [low + 0.5 * (high - low), high - style.rim]
    parts = []
    for height in heights:
        at = np.abs(tops[:, 1] - height) + 0.5 * (tops[:, 0] - inner)
        end = tops[at.argmin()]
        share = np.linspace(-1.0, 1.0, 9)
        clear = np.interp(height, local[[30, 29, 28, 27], 1], local[[30, 29, 28, 27], 2])
        top = max(end[2] + 1.0, clear + style.rim_depth + 1.0)
        arch = (1.0 - share**2) * [[0.0], [2.0], [top - end[2]]]
        path = np.stack([share * end[0], np.full(9, end[1]), np.full(9, end[2])]) + arch
        size = [style.rim_depth, max(style.rim, 0.7)]
        parts.append(tube(path.T, np.tile(size, (9, 1)), _FORWARD, sides=6))
    return parts


def _arm(style: _Style, hinge: F64, ear: F64, local: F64, sign: float) -> Shape:
    """From the rim outwards, back past the temple, over the ear and down behind it."""
    temple = max(abs(local[0, 0]), abs(local[16, 0]))
    side = max(abs(ear[0]), temple + 2.0)
    start = max(abs(hinge[0]) + 3.0, 0.9 * temple)
    height = hinge[1]
    points = np.array(
        [
            [abs(hinge[0]) - 0.5, height, hinge[2]],
            [start, height, hinge[2] - 2.0],
            [start + 0.5, height, hinge[2] - 7.0],
            [
                0.5 * (start + side) + 1.5,
                0.6 * height + 0.4 * ear[1],
                0.55 * hinge[2] + 0.45 * ear[2],
            ],
            [side + 0.5, ear[1] + 1.0, ear[2]],
            [abs(ear[0]), ear[1] - 7.0, ear[2] - 14.0],
            [abs(ear[0]) - 2.0, ear[1] - 24.0, ear[2] - 20.0],
        ]
    )
    radii = np.full((len(points), 2), [style.arm_height, max(0.7, 0.5 * style.rim_depth)])
    radii[-2:, 0] *= 0.8
    points[:, 0] *= sign
    across = np.array([0.0, 1.0, 0.25])
    return tube(points, radii, across, sides=6)


def _lenses(
    rng: np.random.Generator, axes: FaceAxes, outline: F64, middle: tuple[float, float]
) -> list[Prop]:
    centre = np.array([middle[0], middle[1], outline[:, 2].mean() + 0.8])
    rings = np.array([0.02, 0.4, 0.75, 1.0])[:, None, None]
    bulge = np.array([0.0, 0.0, 1.2]) * (1.0 - rings**2)
    points = centre + (outline - centre) * rings + bulge
    if rng.random() < 0.25:
        opacity = float(rng.uniform(0.5, 0.97))
        colour = _TINTS[rng.integers(len(_TINTS))] * rng.uniform(0.5, 1.5)
    else:
        opacity = float(rng.uniform(0.02, 0.12) + (rng.random() < 0.1) * rng.uniform(0.1, 0.3))
        colour = np.array([0.10, 0.12, 0.14]) * rng.uniform(0.2, 1.0)
    props = []
    sheet = grid(points[::-1], is_closed=True)
    for side in (sheet, mirrored(sheet)):
        lens = both_sides(side)
        is_clear = opacity < 0.5
        props.append(axes.prop("lens", lens, colour, opacity=opacity, gloss=1.0, is_lens=is_clear))
    return props
