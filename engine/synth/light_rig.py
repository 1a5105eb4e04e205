"""The light on a head: a surrounding turned at random, and up to three lamps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from engine.synth.pack import SynthLight
from engine.synth.spherical_harmonics import COSINE_LOBE, sh_basis
from engine.synth.visibility import fibonacci_sphere
from engine.types import F32, F64

__all__ = ["N_LAMPS", "LightRig", "draw_light_rig", "mixed_light", "turned_sh"]

N_LAMPS = 3
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_DIRECTIONS = fibonacci_sphere(96)
_FROM_VALUES = np.linalg.pinv(sh_basis(_DIRECTIONS).astype(np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class LightRig:
    """Light in the head frame. A white matt surface that faces it has brightness of about 1."""

    name: str
    sh: F32  # (9, 3) radiance
    lamp_directions: F32  # (3, 3) unit, towards the lamp
    lamp_colours: F32  # (3, 3) 1: white to white when faced; zeros where a lamp is off
    turn: F64  # (3, 3) surrounding from view


def draw_light_rig(rng: np.random.Generator, light: SynthLight, view_from_head: F64) -> LightRig:
    """Turn a surrounding about, add lamps, and set its brightness by what arrives at the face."""
    surrounding_from_view = Rotation.from_euler(
        "yxz", [rng.uniform(0, 360), rng.normal(0, 8), rng.normal(0, 8)], degrees=True
    ).as_matrix()
    sh = turned_sh(light.sh, surrounding_from_view @ view_from_head)
    sh = sh * rng.uniform(0.5, 1.0)
    sh[0] += rng.uniform(0.05, 0.35) * sh[0].mean()  # light from the room's walls
    face_ward = np.array([[0.0, 0.0, 1.0], [0.0, 0.6, 0.8], [0.6, 0.0, 0.8], [-0.6, 0.0, 0.8]])
    arrives = sh_basis(face_ward) @ (COSINE_LOBE[:, None] * sh) / np.pi
    level = max(float((arrives @ _LUMINANCE).mean()), 0.15 * float(sh[0] @ _LUMINANCE) * 0.28, 1e-4)
    share = rng.uniform(0.25, 1.0)  # of the brightness that comes from the surrounding
    directions, colours = _draw_lamps(rng, 1 - share, view_from_head)
    sh *= max(share, 0.25) / level
    grey = (sh @ _LUMINANCE)[:, None]
    sh = grey + rng.uniform(0.3, 1.0) * (sh - grey)  # eyes and cameras adapt to a colour cast
    return LightRig(
        light.name,
        sh.astype(np.float32),
        directions.astype(np.float32),
        colours.astype(np.float32),
        surrounding_from_view,
    )


def mixed_light(
    rng: np.random.Generator, light: SynthLight, others: Sequence[SynthLight]
) -> SynthLight:
    """A surrounding mixed with another one, which is turned any way; its name stays."""
    other = others[rng.integers(len(others))]
    turned = turned_sh(other.sh, Rotation.random(random_state=rng).as_matrix())
    share = rng.uniform(0, 0.7)
    sh = (1 - share) * light.sh + share * turned
    return replace(light, sh=sh.astype(np.float32))


def turned_sh(sh: F32, surrounding_from_other: F64) -> F64:
    """(9, 3) coefficients of the same light in another frame."""
    values = sh_basis(_DIRECTIONS @ surrounding_from_other.T).astype(np.float64) @ sh
    turned: F64 = _FROM_VALUES @ values
    return turned


def _draw_lamps(
    rng: np.random.Generator, brightness: float, view_from_head: F64
) -> tuple[F64, F64]:
    directions = np.tile([0.0, 0.0, 1.0], (N_LAMPS, 1))
    colours = np.zeros((N_LAMPS, 3))
    n = rng.choice([0, 1, 2, 3], p=[0.15, 0.4, 0.3, 0.15])
    for i in range(n):
        # In the view frame: mostly from the camera's side and from above.
        d = rng.normal(0, 1, 3) * [1.0, 0.7, 0.6] + [0.0, 0.5, 0.5]
        directions[i] = d / np.linalg.norm(d) @ view_from_head
        warm = rng.normal(0, 0.12)
        colour = np.array([1 + warm, 1.0, 1 - 1.3 * warm])
        colours[i] = np.clip(colour, 0.3, 1.8) * rng.uniform(0.3, 1.0)
    total = colours.sum(axis=0).mean()
    return directions, colours * (1.3 * brightness / max(total, 1e-6) if n else 0.0)
