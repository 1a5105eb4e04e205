"""openhead's expression basis and what ARKit's 52 blend shapes are in it.

The source's expressions, less what belongs to the jaw joint, the lids and the pupils, become
orthogonal components of unit standard deviation, as in FLAME. Their span is kept whole: every
source expression is a known combination of them.
"""

from dataclasses import dataclass

import numpy as np

from engine.flame.model import ArkitMap
from engine.types import F64

__all__ = [
    "EYE_TURN",
    "SHAPE_STD",
    "ExpressionBasis",
    "arkit_map",
    "expression_basis",
    "strength_root",
]

SHAPE_STD = 0.22
"""Standard deviation of a common blend shape's strength."""

_RARE = {
    **dict.fromkeys((
        "cheekPuff_L", "cheekPuff_R", "jawForward", "jawLeft", "jawRight", "mouthFunnel",
        "mouthLeft", "mouthRight", "mouthPucker", "mouthRollLower", "mouthRollUpper",
        "noseSneer_L", "noseSneer_R", "mouthShrugLower",
    ), 0.6),
    "mouthClose": 0.2,  # 42 mm at full strength: it is meant for a wide open jaw only
    "tongueOut": 0.2,
}  # fmt: skip
"""Blend shapes seen less often, and what their standard deviation shrinks by."""

_LEFT_RIGHT_CORRELATION = 0.93  # faces move mostly alike on both sides
_NOT_BASIS = ("PupilDilate_L", "PupilDilate_R", "eyeBlink_L", "eyeBlink_R", "jawOpen")

EYE_TURN = {"Up": -0.44, "Down": 0.52, "In": 0.61, "Out": 0.61}
"""Radians an eyeball turns in ARKit's eyeLook shapes at 1.0: 25, 30 and 35 degrees (our choice; the
source's shapes move only the lids, and Apple states no angle)."""


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionBasis:
    """V vertices, E components, M source shapes."""

    dirs: F64  # (V, 3, E) metres per standard unit
    names: tuple[str, ...]  # (M,) source shapes in the span
    coefficients: F64  # (M, E) each source shape at full strength


def expression_basis(shapes: dict[str, F64]) -> ExpressionBasis:
    """Principal components of blend shapes whose strengths vary by SHAPE_STD, rare ones by less.

    Args:
        shapes: name -> (V, 3) metres at full strength, the jaw's rotation taken out.
    """
    names = tuple(sorted(n for n in shapes if n not in _NOT_BASIS))
    stack = np.stack([shapes[n].ravel() for n in names], axis=1)
    root = strength_root(names)
    U, s, Vt = np.linalg.svd(stack @ root, full_matrices=False)
    keep = s > 1e-6 * s[0]
    U, s, Vt = U[:, keep], s[keep], Vt[keep]
    # The sign of a component is free: fix it, so that the same input gives the same file.
    sign = np.sign(U[np.abs(U).argmax(axis=0), np.arange(len(s))])
    coefficients = (np.linalg.inv(root).T @ Vt.T) * sign
    dirs = (U * s * sign).reshape(-1, 3, len(s))
    return ExpressionBasis(dirs, names, coefficients)


def strength_root(names: tuple[str, ...]) -> F64:
    """(M, M) matrix that turns white noise into strengths of the named source shapes."""
    covariance = np.eye(len(names))
    for i, name in enumerate(names):
        if name.endswith("_L"):
            j = names.index(f"{name[:-2]}_R")
            covariance[i, j] = covariance[j, i] = _LEFT_RIGHT_CORRELATION
    std = SHAPE_STD * np.array([_RARE.get(n, 1.0) for n in names])
    root: F64 = std[:, None] * np.linalg.cholesky(covariance)
    return root


def arkit_map(basis: ExpressionBasis, jaw: dict[str, F64], blink_strength: float) -> ArkitMap:
    """ARKit's shapes in openhead's parameters.

    Args:
        jaw: source name -> (3,) axis-angle of the jaw at full strength.
        blink_strength: source blinks per unit of the eyelid parameter.
    """
    names = tuple(sorted(_ARKIT))
    E = basis.coefficients.shape[1]
    out = ArkitMap(
        names=names,
        expr=np.zeros((len(names), E), np.float32),
        jaw=np.zeros((len(names), 3), np.float32),
        eyes=np.zeros((len(names), 6), np.float32),
        eyelids=np.zeros((len(names), 2), np.float32),
    )
    for row, name in enumerate(names):
        for source in _ARKIT[name]:
            if source in basis.names:
                out.expr[row] += basis.coefficients[basis.names.index(source)].astype(np.float32)
            if source in jaw:
                out.jaw[row] += jaw[source].astype(np.float32)
            if source.startswith("eyeBlink"):
                out.eyelids[row, 0 if source.endswith("_L") else 1] = 1.0 / blink_strength
        if name.startswith("eyeLook"):
            out.eyes[row] = _eye_turn(name)
    return out


def _eye_turn(name: str) -> F64:
    """(6,) axis-angle, left eye then right eye, of an ARKit eyeLook shape."""
    side = 0 if name.endswith("Left") else 1
    direction = name.removeprefix("eyeLook").removesuffix("Left").removesuffix("Right")
    eyes = np.zeros((2, 3))
    angle = EYE_TURN[direction]
    if direction in ("Up", "Down"):
        eyes[side, 0] = angle
    else:
        # A positive turn about +y looks to +x, the subject's left: outwards for the left eye.
        outwards = 1.0 if side == 0 else -1.0
        eyes[side, 1] = angle * (outwards if direction == "Out" else -outwards)
    return eyes.ravel()


def _sides(*stems: str) -> dict[str, tuple[str, ...]]:
    return {
        f"{s}{long}": (f"{s}_{short}",)
        for s in stems
        for long, short in (("Left", "L"), ("Right", "R"))
    }


_ARKIT: dict[str, tuple[str, ...]] = {
    **_sides(
        "browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn",
        "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown",
        "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer",
    ),
    **{n: (n,) for n in (
        "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft",
        "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
        "mouthShrugUpper", "tongueOut",
    )},
    "browInnerUp": ("browInnerUp_L", "browInnerUp_R"),
    "cheekPuff": ("cheekPuff_L", "cheekPuff_R"),
}  # fmt: skip
"""ARKit's names and the source shapes that make each up."""
