"""Colours and surface of a person: what the shaders of synthetic heads take as uniforms."""

from typing import Any

import numpy as np

from engine.render.colour import linear_from_srgb
from engine.types import F32, F64

__all__ = ["draw_hair_colour", "draw_look", "draw_skin_tone"]

_TONES = np.array(  # sRGB, 0..255: from very light to very dark skin
    [(247, 214, 198), (238, 196, 172), (222, 170, 140), (198, 142, 110), (162, 108, 80),
     (120, 78, 56), (82, 54, 40), (58, 40, 32)], np.float32)  # fmt: skip
_HAIR = np.array(  # black, dark brown, brown, light brown, blond, red, grey, white
    [(18, 15, 14), (38, 26, 20), (70, 46, 32), (115, 80, 52), (188, 152, 104), (128, 58, 28),
     (120, 118, 116), (205, 202, 198)], np.float32)  # fmt: skip
_HAIR_SHARE = np.array([0.27, 0.22, 0.17, 0.08, 0.08, 0.04, 0.09, 0.05])
_IRISES = np.array(  # brown, dark brown, hazel, green, blue, grey
    [(88, 54, 30), (48, 28, 18), (112, 88, 48), (92, 110, 72), (86, 122, 158), (120, 130, 136)],
    np.float32)  # fmt: skip
_MELANIN = np.array([-0.55, -0.85, -1.15])  # change of log albedo per unit, red to blue
_HAEMOGLOBIN = np.array([-0.06, -0.55, -0.45])


def draw_skin_tone(rng: np.random.Generator) -> F64:
    """(3,) log of a linear albedo, even over all tones."""
    at = rng.uniform(0, len(_TONES) - 1)
    low = int(at)
    high = min(low + 1, len(_TONES) - 1)
    encoded = (_TONES[low] * (high - at) + _TONES[high] * (at - low)) if high > low else _TONES[low]
    log_albedo = np.log(linear_from_srgb(encoded / 255).astype(np.float64))
    tint: F64 = rng.normal(0, 0.25) * _HAEMOGLOBIN + rng.normal(0, 0.08, 3)
    toned: F64 = log_albedo + tint
    return toned


def draw_hair_colour(rng: np.random.Generator, tone: F64) -> F32:
    """(3,) linear; the darker the skin, the seldomer light hair."""
    share = _HAIR_SHARE.copy()
    if tone.mean() < np.log(0.25):
        share[3:6] *= 0.1
    encoded = _HAIR[rng.choice(len(_HAIR), p=share / share.sum())] + rng.normal(0, 8, 3)
    if rng.random() < 0.03:  # dyed
        encoded = rng.uniform(20, 220, 3)
    return linear_from_srgb(np.clip(encoded, 6, 250).astype(np.float32) / 255)


def draw_look(rng: np.random.Generator, tone: F64, hair: F32) -> dict[str, Any]:
    """Uniforms of shaders/synth_head.frag that belong to the person."""
    albedo = np.exp(tone)
    made_up = rng.random() < 0.3
    lips = albedo * np.array([0.95, 0.62, 0.62]) * rng.uniform(0.7, 1.05)
    lipstick = np.array([rng.uniform(90, 220), *rng.uniform(15, 110, 2)], np.float32) / 255
    shadow = linear_from_srgb(rng.uniform(20, 170, 3).astype(np.float32) / 255)
    bearded = rng.random() < 0.35
    iris = _IRISES[rng.choice(len(_IRISES), p=[0.32, 0.26, 0.12, 0.08, 0.14, 0.08])]
    return {
        "u_tone": tone,
        "u_detail": rng.uniform(0.5, 1.5),
        "u_melanin": _MELANIN,
        "u_haemoglobin": _HAEMOGLOBIN,
        "u_blotches": rng.uniform(0, [0.35, 0.5]),
        "u_lip_colour": [*(linear_from_srgb(lipstick) if made_up else lips), rng.uniform(0.3, 0.9)],
        "u_lid_colour": [*shadow, rng.uniform(0.0, 0.5) if made_up else rng.uniform(0, 0.08)],
        "u_blush_colour": [*(albedo * [1.0, 0.6, 0.6]), rng.uniform(0, 0.5)],
        "u_brow_colour": [*(hair * rng.uniform(0.5, 1.0)), rng.uniform(0.0, 0.95)],
        "u_beard_colour": [*hair, rng.uniform(0.1, 0.95) if bearded else 0.0],
        "u_scalp_colour": [*hair, rng.choice([0.0, rng.uniform(0.3, 0.98)])],
        "u_freckles": rng.uniform(0.3, 1.5) if rng.random() < 0.15 else 0.0,
        "u_bump": rng.uniform(0.0, 0.22) ** 1.3,
        "u_grain": np.exp(rng.uniform(np.log(60), np.log(900))),
        "u_gloss": [rng.uniform(0.005, 0.05), rng.uniform(0.01, 0.08), rng.uniform(8, 40)],
        "u_noise_offset": rng.uniform(0, 5, 3),
        "u_wrap": rng.uniform(0.2, 1.0) * np.array([0.35, 0.2, 0.14]),
        "u_iris_colour": linear_from_srgb(iris / 255) * rng.uniform(0.6, 1.3),
        "u_iris": [np.radians(rng.uniform(8, 15)), np.radians(rng.uniform(25, 29)),
                   rng.uniform(0.3, 0.9)],
        "u_sclera": [*(rng.uniform(0.45, 0.72) * np.array([1.0, 0.96, 0.93])), rng.uniform(0, 0.8)],
        "u_teeth_colour": rng.uniform(0.35, 0.75) * np.array([1.0, rng.uniform(0.88, 0.97),
                                                               rng.uniform(0.7, 0.92)]),
        "u_gum_colour": np.array([0.38, 0.12, 0.11]) * rng.uniform(0.6, 1.2),
    }  # fmt: skip
