"""Skins: the head's part of MakeHuman's painted textures (CC0)."""

from pathlib import Path

import cv2
import numpy as np

from engine.errors import AssetError
from engine.synth.pack import Skin
from engine.types import F64

__all__ = ["CROP_PX", "TEXTURE_PX", "crop_uv", "load_skins"]

CROP_PX = (1305, 365, 2043, 1790)
"""Left, top, right, bottom of the head in the whole texture, from crop.json beside the pictures."""
TEXTURE_PX = 2048
"""Side of the whole texture."""

_SKIN_SIZE = (512, 988)  # width, height: the crop's aspect
_PAINTED_HAIR = "young_caucasian_female_special_suit"


def load_skins(folder: Path) -> tuple[Skin, ...]:
    """The usable head crops of a folder, by name.

    Raises: AssetError: if there are none or one cannot be read.
    """
    skins = []
    for path in sorted(folder.glob("*_headcrop.jpg")):
        name = path.name.removesuffix("_headcrop.jpg")
        if name == _PAINTED_HAIR:
            continue
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise AssetError(f"{path} is not a readable picture; fetch it again")
        small = cv2.resize(picture, _SKIN_SIZE, interpolation=cv2.INTER_AREA)
        skins.append(Skin(name, np.ascontiguousarray(small[..., ::-1]).astype(np.uint8)))
    if not skins:
        raise AssetError(f"{folder} holds no *_headcrop.jpg; expected MakeHuman's skins there")
    return tuple(skins)


def crop_uv(uv: F64) -> F64:
    """(T, 2) coordinates in the whole texture (v up) -> in the skins' crop (v down), 0..1."""
    left, top, right, bottom = CROP_PX
    u = (uv[:, 0] * TEXTURE_PX - left) / (right - left)
    v = ((1 - uv[:, 1]) * TEXTURE_PX - top) / (bottom - top)
    return np.stack([u, v], axis=1)
