"""What each triangle of a head shows, and texture coordinates in the skins' head pictures."""

import json
from pathlib import Path

import numpy as np

from engine.errors import AssetError
from engine.flame.model import HeadModel
from engine.synth.pack import PARTS
from engine.synth.sample import PARSING
from engine.types import F32, U8, Bool

__all__ = ["crop_uv", "face_classes", "face_parts"]


def face_classes(model: HeadModel) -> U8:
    """(F,) index into PARSING of each triangle."""
    classes = np.full(len(model.faces), PARSING.index("skin"), np.uint8)
    for name, label in (("neck", "neck"), ("ears", "ears")):
        classes[_corners(model, name).sum(axis=1) >= 2] = PARSING.index(label)
    for name, label in (("eye_sockets", "eyes"), ("eyeballs", "eyes")):
        classes[_corners(model, name).all(axis=1)] = PARSING.index(label)
    inside = _corners(model, "mouth_inside") | _corners(model, "teeth")
    classes[inside.sum(axis=1) >= 2] = PARSING.index("mouth_inside")
    return classes


def face_parts(model: HeadModel) -> U8:
    """(F,) index into PARTS of each triangle."""
    parts = np.full(len(model.faces), PARTS.index("skin"), np.uint8)
    for name, label in (
        ("nostrils", "socket"), ("eye_sockets", "socket"), ("mouth_inside", "socket"),
        ("gums", "gums"), ("teeth", "teeth"), ("eyeballs", "eye"),
    ):  # fmt: skip
        parts[_corners(model, name).all(axis=1)] = PARTS.index(label)
    return parts


def crop_uv(uv: F32, crop_json: Path) -> F32:
    """Texture coordinates of the whole skin (v up) as those of its head crop (v down).

    Args:
        uv: (T, 2) 0..1.
        crop_json: says which pixels of the whole skin the head crops show.
    """
    try:
        crop = json.loads(crop_json.read_text())
        size = float(crop["texture_size"])
        left, top, right, bottom = (float(x) for x in crop["head_crop_xyxy_px"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssetError(f"{crop_json} does not describe a skin's head crop: {error}") from error
    px = np.stack([uv[:, 0] * size - left, (1 - uv[:, 1]) * size - top], axis=1)
    inside: F32 = (px / [right - left, bottom - top]).astype(np.float32)
    return inside


def _corners(model: HeadModel, region: str) -> Bool:
    """(F, 3) whether each corner belongs to a region; nowhere if the head has no such region."""
    member = np.zeros(model.n_vertices, np.bool_)
    member[model.regions.get(region, [])] = True
    corners: Bool = member[model.faces]
    return corners
