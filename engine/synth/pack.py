"""SynthPack: everything that synthetic samples are put together from, in one file.

Textures keep picture order (first row on top); texture coordinates are (u right, v DOWN), 0..1, so
that texel (row, column) of an H x W picture has its centre at ((column + .5) / W, (row + .5) / H).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.flame.model import HeadModel
from engine.types import F32, I32, U8

__all__ = ["Attachment", "Skin", "SynthHead", "SynthLight", "SynthPack"]


@dataclass(frozen=True, slots=True, eq=False)
class SynthHead:
    """A population: a head in FLAME form at full resolution, and how its people are drawn."""

    name: str  # "openhead" or "makehuman"
    model: HeadModel  # V vertices, F triangles; skin, eyeballs, teeth, gums, tongue, sockets
    face_class: U8  # (F,) index into PARSING of each triangle
    part: U8  # (F,) index into PARTS of each triangle: how it is shaded
    uv: F32  # (V', 2) skin texture coordinates of the skins' pictures, u right, v down
    uv_faces: I32  # (F, 3) rows of uv; anything for triangles that are not skin
    shape_samples: F32 | None  # (N, n_shape) drawn people to mix from; None: standard normal shapes
    expr_samples: F32 | None  # (N, n_expr + 3 + 6 + 2) drawn faces: expr, jaw, eyes, eyelids
    val_shape_samples: F32 | None = None  # (M, n_shape) other people, for validation alone


PARTS = ("skin", "eye", "teeth", "gums", "socket")
"""How a triangle is shaded; socket: dark inside of mouth, nose and eye sockets."""


@dataclass(frozen=True, slots=True, eq=False)
class Attachment:
    """Hair, brows or lashes: a textured mesh that follows a head's surface."""

    name: str
    kind: str  # "hair", "brows" or "lashes"
    faces: I32  # (G, 3)
    uv: F32  # (G', 2) of its own texture, u right, v down
    uv_faces: I32  # (G, 3)
    texture: U8  # (H, W, 4) RGBA, alpha as coverage; colour is recoloured by luminance
    vertices: Mapping[str, F32]  # population -> (M, 3) metres at that head's neutral
    bind_idx: Mapping[str, I32]  # population -> (M, 4) vertices of the head
    bind_weights: Mapping[str, F32]  # population -> (M, 4) their weights, sum 1: followed motion


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """A skin's colours."""

    name: str
    albedo: U8  # (H, W, 3) sRGB, the head's crop of the texture


@dataclass(frozen=True, slots=True, eq=False)
class SynthLight:
    """A surrounding: light from all around, and pictures of it as background."""

    name: str
    sh: F32  # (9, 3) radiance in real spherical harmonics, order 2, view frame (y up, -z ahead)
    radiance: F32  # (64, 128, 3) linear, equirectangular: row 0 up, column 0 at -z, rightwards +x
    backdrop: U8  # (512, 1024, 3) sRGB, tone-mapped, same layout


@dataclass(frozen=True, slots=True, eq=False)
class SynthPack:
    """All of it; what is held back for validation is named in `held_back`."""

    heads: Mapping[str, SynthHead]
    skins: tuple[Skin, ...]
    skin_masks: Mapping[str, U8]  # (512, 256)-like, same UV crop: lips, lids, brows, beard, cheeks
    attachments: tuple[Attachment, ...]
    lights: tuple[SynthLight, ...]
    held_back: frozenset[str]  # names of skins, attachments and lights for validation alone
