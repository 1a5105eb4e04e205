"""What each triangle of a head shows."""

import numpy as np

from engine.flame.model import HeadModel
from engine.synth.pack import PARTS
from engine.synth.sample import PARSING
from engine.types import U8, Bool

__all__ = ["face_classes", "face_parts"]


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


def _corners(model: HeadModel, region: str) -> Bool:
    """(F, 3) whether each corner belongs to a region; nowhere if the head has no such region."""
    member = np.zeros(model.n_vertices, np.bool_)
    member[model.regions.get(region, [])] = True
    corners: Bool = member[model.faces]
    return corners
