"""What a head model is made of: colours by region, and a neck that fades out at its cut."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.flame.model import HeadModel
from engine.flame.normals import vertex_normals
from engine.render.mesh_buffers import CLAY, Surface
from engine.types import F32, I32

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["PLASTER", "PORTRAIT", "Palette", "head_surface"]

Colour = tuple[float, float, float]

_FADE_HEIGHT = 0.045
"""Metres of the neck, from its lower edge up, over which it fades out."""
_HOLLOW_STEPS = 5
"""Neighbourhoods over which a hollow is looked for."""
_HOLLOW_DEPTH = 0.010
"""Metres; a hollow a third of this deep is a third darker."""
_MOUTH_DARK_DEPTH = 0.055
"""Metres."""
_NAPE_BEHIND_EARS = 0.02
"""Metres."""
_NOSTRIL_SHADE = 0.3
_WET_GLOSS = 1.0
_LIP_GLOSS = 0.25


@dataclass(frozen=True, slots=True)
class Palette:
    """sRGB-encoded colours 0..1 by region."""

    skin: Colour
    scalp: Colour
    brows: Colour
    lips: Colour
    eyeballs: Colour
    iris: Colour
    pupil: Colour
    teeth: Colour
    mouth_inside: Colour


PLASTER = Palette(
    skin=CLAY,
    scalp=CLAY,
    brows=(0.74, 0.70, 0.665),
    lips=(0.775, 0.715, 0.68),
    eyeballs=(0.86, 0.855, 0.845),
    iris=(0.52, 0.51, 0.50),
    pupil=(0.16, 0.155, 0.15),
    teeth=(0.88, 0.87, 0.84),
    mouth_inside=(0.36, 0.29, 0.275),
)
"""A sculptor's head: what overlays are drawn with."""

PORTRAIT = Palette(
    skin=(0.83, 0.64, 0.54),
    scalp=(0.27, 0.20, 0.16),
    brows=(0.40, 0.29, 0.23),
    lips=(0.70, 0.42, 0.38),
    eyeballs=(0.86, 0.84, 0.82),
    iris=(0.30, 0.22, 0.15),
    pupil=(0.03, 0.03, 0.03),
    teeth=(0.88, 0.85, 0.79),
    mouth_inside=(0.34, 0.14, 0.13),
)
"""A person: what synthetic frames are drawn with."""

_ORDER = ("scalp", "brows", "lips", "mouth_inside", "teeth", "eyeballs", "iris", "pupil")
"""Regions overlap; later ones paint over earlier ones."""
_SOFT = ("scalp", "brows", "lips")
"""Regions whose edges are softened."""


def head_surface(model: HeadModel, palette: Palette = PLASTER) -> Surface:
    """Colour, opacity and gloss for each vertex; regions that the model lacks keep the skin's."""
    V = model.n_vertices
    albedo = np.tile(np.array(palette.skin, np.float32), (V, 1))
    gloss = np.zeros(V, np.float32)
    for name in _ORDER:
        if (region := model.regions.get(name)) is not None:
            albedo[_hairy(model) if name == "scalp" else region] = getattr(palette, name)
    for name, value in (("lips", _LIP_GLOSS), ("teeth", 0.2), ("eyeballs", _WET_GLOSS)):
        if (region := model.regions.get(name)) is not None:
            gloss[region] = value
    height = model.v_template[:, 1]
    rise = np.clip((height - height.min()) / _FADE_HEIGHT, 0.0, 1.0)
    opacity: F32 = rise * rise * (3.0 - 2.0 * rise)
    shade = _hollow_shade(model) * _mouth_shade(model)
    if (nostrils := model.regions.get("nostrils")) is not None:
        shade[nostrils] *= _NOSTRIL_SHADE
    shaded: F32 = _softened(albedo, model) * shade[:, None]
    return Surface(np.minimum(shaded, 1.0), opacity.astype(np.float32), gloss)


def _hollow_shade(model: HeadModel) -> F32:
    """(V,) below 1 in hollows, where less light gets in: sockets, nostrils, ears."""
    mean = _neighbour_mean(model.faces, model.n_vertices)
    smooth = model.v_template
    for _ in range(_HOLLOW_STEPS):
        smooth = mean @ smooth
    outward = vertex_normals(model.v_template, model.faces)
    depth = np.einsum("vk,vk->v", smooth - model.v_template, outward)
    shade: F32 = np.clip(1.0 - depth / _HOLLOW_DEPTH, 0.6, 1.03).astype(np.float32)
    for name in ("teeth", "eyeballs"):
        if (region := model.regions.get(name)) is not None:
            shade[region] = 1.0
    return shade


def _mouth_shade(model: HeadModel) -> F32:
    """(V,) below 1 in the mouth: the farther behind the lips, the darker."""
    shade = np.ones(model.n_vertices, np.float32)
    lips = model.v_template[model.regions.get("lips", model.regions["mouth"]), 2].max()
    for name in ("teeth", "mouth_inside"):
        if (region := model.regions.get(name)) is not None:
            behind = lips - model.v_template[region, 2]
            shade[region] = np.clip(1.1 - behind / _MOUTH_DARK_DEPTH, 0.3, 1.0)
    return shade


def _hairy(model: HeadModel) -> I32:
    """The scalp without what lies under the ears and in front of the nape."""
    scalp, ears = model.regions["scalp"], model.v_template[model.regions["ears"]].mean(axis=0)
    above = model.v_template[scalp, 1] > ears[1]
    behind = model.v_template[scalp, 2] < ears[2] - _NAPE_BEHIND_EARS
    hairy: I32 = scalp[above | behind]
    return hairy


def _softened(albedo: F32, model: HeadModel) -> F32:
    """Blur colours along the surface once, but not on eyes and teeth."""
    hard = [model.regions[n] for n in _ORDER if n not in _SOFT and n in model.regions]
    blurred = _neighbour_mean(model.faces, len(albedo)) @ albedo
    soft: F32 = 0.5 * (albedo + blurred).astype(np.float32)
    for region in hard:
        soft[region] = albedo[region]
    return soft


def _neighbour_mean(faces: I32, n_vertices: int) -> "csr_matrix":
    from scipy.sparse import csr_matrix, diags

    rows = faces[:, [0, 1, 2, 1, 2, 0]].reshape(-1)
    columns = faces[:, [1, 2, 0, 0, 1, 2]].reshape(-1)
    links = csr_matrix(
        (np.ones(len(rows), np.float32), (rows, columns)), shape=(n_vertices, n_vertices)
    )
    degree = np.maximum(np.asarray(links.sum(axis=1)).reshape(-1), 1.0)
    return diags(1.0 / degree) @ links
