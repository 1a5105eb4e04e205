"""What stands behind the head: a part of a surrounding, a studio's cloth, or clutter."""

import cv2
import numpy as np

from engine.render.colour import linear_from_srgb
from engine.synth.pack import SynthLight
from engine.synth.soft_noise import soft_noise
from engine.types import F32, U8

__all__ = ["draw_backdrop"]

_SRGB_TABLE = linear_from_srgb(np.arange(256, dtype=np.float32) / 255)


def draw_backdrop(rng: np.random.Generator, light: SynthLight, size: int) -> F32:
    """(size, size, 3) linear light."""
    kind = rng.random()
    if kind < 0.62:
        picture = _part_of(rng, light.backdrop, size)
    elif kind < 0.8:
        picture = _cloth(rng, size)
    else:
        picture = _clutter(rng, size)
    return _SRGB_TABLE[picture] * np.float32(rng.uniform(0.5, 1.3))


def _part_of(rng: np.random.Generator, backdrop: U8, size: int) -> U8:
    height, width = backdrop.shape[:2]
    side = int(height * rng.uniform(0.2, 0.75))
    top = int(rng.uniform(0.15, 0.75) * (height - side))
    left = int(rng.integers(width - side))
    part = cv2.resize(backdrop[top : top + side, left : left + side], (size, size))
    if rng.random() < 0.5:
        part = part[:, ::-1]
    blur = rng.choice([0.0, rng.exponential(4.0)])
    return _blurred(np.ascontiguousarray(part), blur)


def _cloth(rng: np.random.Generator, size: int) -> U8:
    """A plain wall, brighter towards one side, a little uneven."""
    colour = rng.uniform(15, 245, 3) if rng.random() < 0.5 else np.full(3, rng.uniform(15, 250))
    ramp = np.linspace(-1, 1, size)
    turn = rng.uniform(0, 2 * np.pi)
    slope = np.cos(turn) * ramp[None, :] + np.sin(turn) * ramp[:, None]
    coarse = soft_noise(rng, (size, size), (6, 6))
    shade = 1 + rng.uniform(0, 0.35) * slope + rng.uniform(0, 0.12) * coarse
    cloth: U8 = np.clip(colour * shade[..., None], 0, 255).astype(np.uint8)
    return cloth


def _clutter(rng: np.random.Generator, size: int) -> U8:
    """Rectangles, discs and lines of all colours: shelves, windows, crowds."""
    picture = np.full((size, size, 3), rng.integers(0, 255, 3), np.uint8)
    for _ in range(rng.integers(6, 40)):
        colour = tuple(int(c) for c in rng.integers(0, 255, 3))
        a, b = (tuple(int(c) for c in rng.integers(-20, size + 20, 2)) for _ in range(2))
        shape = rng.random()
        if shape < 0.5:
            cv2.rectangle(picture, a, b, colour, -1)
        elif shape < 0.8:
            cv2.circle(picture, a, int(rng.integers(3, size // 4)), colour, -1)
        else:
            cv2.line(picture, a, b, colour, int(rng.integers(1, 12)))
    return _blurred(picture, rng.exponential(3.0))


def _blurred(picture: U8, sigma: float) -> U8:
    if sigma < 0.3:
        return picture
    blurred: U8 = cv2.GaussianBlur(picture, (0, 0), min(sigma, 12.0)).astype(np.uint8)
    return blurred
