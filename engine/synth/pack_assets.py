"""The looks of a SynthPack: skins, masks, hair and lights, from the licensed source data."""

from collections.abc import Mapping
from pathlib import Path

from engine.synth.attachments import build_attachments
from engine.synth.base_warps import base_warps
from engine.synth.hdr_light import load_lights
from engine.synth.pack import Attachment, Skin, SynthHead, SynthLight
from engine.synth.skin_masks import build_skin_masks
from engine.synth.skins import load_skins
from engine.types import U8

__all__ = ["HELD_BACK", "build_assets"]

HELD_BACK = frozenset(
    {
        "middleage_lightskinned_male2",
        "young_lightskinned_female3",
        "short02",  # short hair, long hair and a fringe, as they are among the others
        "long01",
        "bob02",
        "eyebrow004",
        "eyebrow009",
        "lobby",
        "park",
    }
)
"""Looks for validation alone; hair, brows and lights that exist in the source."""


def build_assets(
    source: Path, heads: Mapping[str, SynthHead]
) -> tuple[
    tuple[Skin, ...],
    dict[str, U8],
    tuple[Attachment, ...],
    tuple[SynthLight, ...],
    frozenset[str],
]:
    """Read and fit everything but the heads.

    Args:
        source: the data pack: makehuman/, registration/, hdri/.
        heads: populations by name, which hair, brows and lashes are fitted to.
    Returns: skins, skin masks by name, attachments, lights, names held back for validation.
    Raises: AssetError: if source data is missing or damaged.
    """
    skins = load_skins(source / "makehuman" / "textures" / "skins")
    masks = build_skin_masks(source / "registration")
    attachments = build_attachments(source / "makehuman", heads, base_warps(source, heads))
    return skins, masks, attachments, load_lights(source / "hdri"), HELD_BACK
