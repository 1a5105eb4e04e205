"""Faces as people make them: mixes of ARKit's blend shapes, gaze, lids and jaw.

Strengths are our own choice, by eye: they have to look like people, and to cover what a webcam
sees; a quarter of the faces is near rest.
"""

import numpy as np

from engine.flame.model import ArkitMap
from engine.types import F32, F64

__all__ = ["natural_faces"]

_Mix = dict[str, tuple[float, float]]  # blend shape (both sides where it has sides) -> strengths

_MIXES: tuple[tuple[float, _Mix], ...] = (
    (0.14, {"mouthSmile": (0.2, 0.75), "cheekSquint": (0.1, 0.6), "mouthDimple": (0.0, 0.25)}),
    (0.10, {"mouthSmile": (0.4, 0.9), "cheekSquint": (0.2, 0.7), "mouthUpperUp": (0.1, 0.45),
            "mouthLowerDown": (0.05, 0.35), "eyeSquint": (0.0, 0.5), "jawOpen": (0.02, 0.30)}),
    (0.08, {"jawOpen": (0.05, 0.35), "mouthLowerDown": (0.0, 0.3), "mouthUpperUp": (0.0, 0.25)}),
    (0.06, {"jawOpen": (0.05, 0.35), "mouthFunnel": (0.1, 0.5), "mouthPucker": (0.0, 0.3)}),
    (0.04, {"jawOpen": (0.02, 0.15), "mouthStretch": (0.1, 0.4), "mouthLowerDown": (0.1, 0.4)}),
    (0.06, {"mouthPucker": (0.25, 0.85), "mouthFunnel": (0.0, 0.2)}),
    (0.03, {"mouthPress": (0.2, 0.7), "mouthRollLower": (0.0, 0.4), "mouthRollUpper": (0.0, 0.4)}),
    (0.05, {"browInnerUp": (0.3, 0.9), "browOuterUp": (0.3, 0.9), "eyeWide": (0.2, 0.8),
            "jawOpen": (0.05, 0.6)}),
    (0.05, {"browDown": (0.3, 0.9), "eyeSquint": (0.1, 0.6), "mouthFrown": (0.1, 0.5),
            "noseSneer": (0.0, 0.4)}),
    (0.04, {"browInnerUp": (0.2, 0.7), "mouthFrown": (0.2, 0.7), "mouthShrugLower": (0.1, 0.5)}),
    (0.04, {"eyeSquint": (0.3, 0.9), "cheekSquint": (0.1, 0.6), "browDown": (0.0, 0.4)}),
    (0.03, {"noseSneer": (0.2, 0.7), "mouthUpperUp": (0.1, 0.5), "browDown": (0.1, 0.5)}),
    (0.02, {"cheekPuff": (0.2, 0.8), "mouthPress": (0.0, 0.4)}),
    (0.02, {"mouthLeft": (0.1, 0.6)}),
    (0.02, {"mouthRight": (0.1, 0.6)}),
)  # fmt: skip
"""(how often, strengths); what is left of 1 are faces near rest."""

_JAW_MAX = 0.35
_LEFT_RIGHT = 0.12  # standard deviation of log strength between the sides
_RESTLESS = 0.05  # mean strength of what else moves
_CLOSED_SHARE, _BLINK_SHARE = 0.03, 0.12
_YAW, _PITCH = np.radians((25.0, 15.0))


def natural_faces(arkit: ArkitMap, n: int, seed: int) -> F32:
    """(n, n_expr + 3 + 6 + 2): expression, jaw, eyes and eyelids of n faces, one a row."""
    rng = np.random.default_rng(seed)
    names = list(arkit.names)
    shares = np.array([share for share, _ in _MIXES])
    out = np.zeros((n, arkit.expr.shape[1] + 11), np.float32)
    for row in out:
        kind = rng.choice(len(_MIXES) + 1, p=[*shares, 1 - shares.sum()])
        strengths = _restless(names, rng)
        if kind < len(_MIXES):
            _add(strengths, _MIXES[kind][1], names, rng)
            if rng.random() < 0.25:
                _add(strengths, _MIXES[rng.integers(len(_MIXES))][1], names, rng, share=0.5)
        row[:] = _parameters(arkit, names, np.clip(strengths, 0, 1), rng)
    return out


def _restless(names: list[str], rng: np.random.Generator) -> F64:
    """Small strengths of everything that is not set apart."""
    strengths = rng.exponential(_RESTLESS, len(names)) * (rng.random(len(names)) < 0.5)
    for i, name in enumerate(names):
        if name.startswith(("eyeLook", "eyeBlink", "mouthClose", "tongue", "jaw")):
            strengths[i] = 0.0
    return strengths


def _add(
    strengths: F64, mix: _Mix, names: list[str], rng: np.random.Generator, share: float = 1.0
) -> None:
    lopsided = 3.0 if rng.random() < 0.15 else 1.0
    level = rng.random()
    for stem, (low, high) in mix.items():
        common = low + (high - low) * np.clip(level + rng.normal(0, 0.25), 0, 1)
        for i, name in enumerate(names):
            if name.removesuffix("Left").removesuffix("Right") == stem or name == stem:
                side = np.exp(rng.normal(0, _LEFT_RIGHT * lopsided))
                strengths[i] += share * common * side


def _parameters(arkit: ArkitMap, names: list[str], strengths: F64, rng: np.random.Generator) -> F64:
    eyes, look = _gaze(names, rng)
    strengths = np.maximum(strengths, look)
    jaw = strengths @ arkit.jaw
    jaw[0] = min(jaw[0] + abs(rng.normal(0, 0.01)), _JAW_MAX)
    jaw[1] += rng.normal(0, 0.008)
    lids = np.clip(abs(rng.normal(0.0, 0.10)) + rng.normal(0, 0.02, 2), 0, 1)
    chance = rng.random()
    if chance < _CLOSED_SHARE:
        lids = np.clip(rng.uniform(0.95, 1.0) + rng.normal(0, 0.02, 2), 0, 1)
    elif chance < _CLOSED_SHARE + _BLINK_SHARE:
        lids = np.clip(rng.uniform(0.1, 0.9) + rng.normal(0, 0.03, 2), 0, 1)
        lids *= rng.random(2) < (0.2 if rng.random() < 0.1 else 1.0)  # now and then a wink
    closing = [strengths[names.index(f"eyeSquint{side}")] for side in ("Left", "Right")]
    lids *= 1 - 0.5 * np.array(closing)  # a squint has closed part of the way
    return np.concatenate([strengths @ arkit.expr, jaw, eyes, lids])


def _gaze(names: list[str], rng: np.random.Generator) -> tuple[F64, F64]:
    """Both eyes' turn (6,), and the eyeLook shapes that move the lids with it."""
    spread = 0.15 if rng.random() < 0.5 else 0.5
    yaw = float(np.clip(rng.normal(0, spread), -1, 1) * _YAW)
    pitch = float(np.clip(rng.normal(0, spread), -1, 1) * _PITCH)
    near = rng.uniform(0.0, 0.03)  # eyes converge on a screen
    eyes = np.array([pitch, yaw - near, 0.0, pitch, yaw + near, 0.0])
    look = np.zeros(len(names))
    for side, outwards in (("Left", 1.0), ("Right", -1.0)):
        for shape, amount in (
            ("Down", pitch / 0.52), ("Up", -pitch / 0.44),
            ("Out", outwards * yaw / 0.61), ("In", -outwards * yaw / 0.61),
        ):  # fmt: skip
            look[names.index(f"eyeLook{shape}{side}")] = max(amount, 0.0)
    return eyes, look
