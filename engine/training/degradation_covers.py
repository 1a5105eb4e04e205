"""What hides a face or gets into its mask: hair, hands, glasses, beards, holes, missing ears.

In place of what is hidden a map shows nothing or something else, in the mask or not.
"""

from dataclasses import dataclass, replace
from statistics import NormalDist

import torch
from torch import Tensor

from engine.training.degradation_maps import (
    RADIANS,
    REFERENCE_PX,
    blurred,
    drawn_of,
    frame_turned,
    grid,
    length,
    smooth_noise,
    turned,
    uniform,
    unit,
)
from engine.training.degradation_parts import (
    ellipsoids,
    inside_of,
    mirrored_pair,
    nearness,
    radius_px,
    visible,
)
from engine.training.degradation_settings import Degradation
from engine.training.n2f_batch import N2FBatch

__all__ = [
    "bearded", "covers", "earless", "holes", "mask_corrupted", "with_glasses", "wrongly_filled",
]  # fmt: skip

# Metres from the head's anchor, head frame; of openhead's mean head, as in `degradation_parts`.
_EAR, _EAR_RADII = (0.082, 0.004, -0.095), (0.015, 0.032, 0.022)
_LENS, _LENS_RADII = (0.033, 0.027, 0.006), (0.025, 0.020, 0.004)
_BRIDGE, _BRIDGE_RADII = (0.0, 0.031, 0.014), (0.009, 0.002, 0.003)
_TEMPLE, _TEMPLE_RADII = (0.070, 0.030, -0.045), (0.004, 0.0025, 0.045)
_RIM_M = 0.003
_BEARD, _BEARD_RADII = (0.0, -0.058, -0.005), (0.060, 0.034, 0.045)
_LIPS, _LIPS_RADII = (0.0, -0.040, 0.012), (0.025, 0.010, 0.010)
_GARBAGE_PX = 24.0  # at 256 px, correlation length of normals seen in lenses


def mask_corrupted(mask: Tensor, most_px: float, random: torch.Generator) -> Tensor:
    """The mask's edge moved in or out by up to most_px (at 256 px), softly and unevenly."""
    n, _, _, size = mask.shape
    most = most_px * size / REFERENCE_PX
    if most <= 0:
        return mask
    soft = blurred(mask, torch.full((n,), max(most, 0.3)))
    wave = smooth_noise(n, 1, size, size / 12, random)
    # A blurred straight edge has slope 1 / (sqrt(2 pi) sigma): one sigma off is 0.16 or 0.84.
    level = 0.5 + 0.34 * (uniform((n, 1, 1, 1), -0.8, 0.8, random) + 0.2 * wave).clamp(-1, 1)
    return ((soft - level) * most * 2.5 + 0.5).clamp(0, 1)


def wrongly_filled(
    normals: Tensor, covered: Tensor, share: float, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Where something covers the face: nothing, or normals of something else.

    Returns: the maps; and where (B, 1, P, P) wrong normals stay in the mask: in half of those.
    """
    n, _, size, _ = normals.shape
    middle = uniform((n, 2, 1, 1), -0.8, 0.8, random)
    radius = uniform((n, 1, 1, 1), 0.4, 1.2, random)
    xy = (grid(size) - middle) / radius
    z = (1 - xy.square().sum(1, keepdim=True)).clamp_min(0.05).sqrt()
    blob = torch.cat([xy[:, :1], -xy[:, 1:], z], dim=1)
    blob = blob / length(blob)
    blob = frame_turned(blob, 60.0, random)
    filled = (torch.rand(n, 1, 1, 1, generator=random) < share).float()
    leaks = filled * (torch.rand(n, 1, 1, 1, generator=random) < 0.5)
    return normals * (1 - covered) + blob * covered * filled, covered * leaks


def covers(mask: Tensor, how: Degradation, random: torch.Generator) -> Tensor:
    """(B, 1, P, P) 0 or 1: hair from above or from a side, and ellipses anywhere."""
    n, _, size, _ = mask.shape
    angle = uniform((n, 1, 1), -2.2, 2.2, random)  # 0: from above
    edge = uniform((n, 1, 1), 0.15, 0.75, random)
    wave = 0.12 * smooth_noise(n, 1, size, size / 16, random)
    at = grid(size)
    along = torch.sin(angle) * at[:, 0] - torch.cos(angle) * at[:, 1]
    hair = (along[:, None] + wave > edge[:, None]).float()
    hair = hair * (torch.rand(n, 1, 1, 1, generator=random) < how.hair_share)
    middle = uniform((n, 2, 1, 1), -0.6, 0.6, random)
    radii = uniform((n, 2, 1, 1), 0.15, 0.5, random)
    blob = (((at - middle) / radii).square().sum(1, keepdim=True) < 1).float()
    blob = blob * (torch.rand(n, 1, 1, 1, generator=random) < how.blob_share)
    return torch.maximum(hair, blob)


def holes(mask: Tensor, how: Degradation, random: torch.Generator) -> Tensor:
    """(B, 1, P, P) 0 or 1: small gaps anywhere, in a share of maps."""
    n, _, size, _ = mask.shape
    chosen = drawn_of(n, how.hole_share, random)
    gaps = torch.zeros_like(mask)
    noise = smooth_noise(len(chosen), 1, size, how.hole_px * size / REFERENCE_PX, random)
    peak = NormalDist().inv_cdf(1 - how.hole_area)
    return gaps.index_copy(0, chosen, (noise > peak).float())


def earless(batch: N2FBatch, share: float, random: torch.Generator) -> Tensor:
    """(B, 1, P, P) 0..1: where ears are seen, in a share of maps: many networks leave them out."""
    size = batch.mask.shape[-1]
    gaps = torch.zeros_like(batch.mask)
    chosen = drawn_of(len(batch), share, random)
    if not len(chosen):
        return gaps
    places, radii = torch.tensor([mirrored_pair(_EAR)]), torch.tensor([[_EAR_RADII] * 2])
    ears, _, _ = inside_of(_posed(batch, chosen), places, radii, size, -0.5)
    return gaps.index_copy(0, chosen, ears.amax(dim=1, keepdim=True))


@dataclass(frozen=True, slots=True, eq=False)
class _Glasses:
    """Of K maps, 0..1 (K, 1, P, P)."""

    frame: Tensor
    lens: Tensor


def with_glasses(
    normals: Tensor, mask: Tensor, batch: N2FBatch, share: float, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Maps and masks with glasses in a share of them.

    Frames have garbage for normals, lenses have it, too, in half of the maps with glasses; else one
    sees through. In half of them what is not the face's is out of the mask.
    """
    n, _, size, _ = normals.shape
    chosen = drawn_of(n, share, random)
    if not len(chosen):
        return normals, mask
    k = len(chosen)
    worn = _worn(_posed(batch, chosen), size, random)
    clear, leaks = (torch.rand(k, 1, 1, 1, generator=random) < 0.5 for _ in range(2))
    hidden = torch.maximum(worn.frame, worn.lens * ~clear) * batch.mask[chosen]
    ahead = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)
    noise = smooth_noise(k, 3, size, _GARBAGE_PX * size / REFERENCE_PX, random)
    garbage = unit(frame_turned(ahead + 0.5 * noise, 40.0, random))
    found = (1 - hidden) * normals[chosen] + hidden * garbage
    left = mask[chosen] * (1 - hidden * ~leaks)
    return normals.index_copy(0, chosen, found), mask.index_copy(0, chosen, left)


def _worn(batch: N2FBatch, size: int, random: torch.Generator) -> _Glasses:
    k = len(batch.R)
    radii = torch.tensor([[_LENS_RADII] * 2]) * uniform((k, 1, 3), 0.75, 1.2, random)
    places = torch.tensor([mirrored_pair(_LENS)]).expand(k, -1, -1)
    x, y, shape = ellipsoids(batch, places, radii, size)
    seen, radius = visible(batch, places, 0.1), radius_px(batch, shape, size)
    off = (nearness(x, y, shape).sqrt() - 1) * radius  # pixels from the rim
    lens = (0.5 - off).clamp(0, 1) * seen
    half = (0.5 * _RIM_M * size * batch.camera[:, :1].exp()).clamp_min(0.5)[..., None, None]
    rim = (half + 0.5 - off.abs()).clamp(0, 1) * seen
    bars = torch.tensor([[_BRIDGE, *mirrored_pair(_TEMPLE)]])
    bar_radii = torch.tensor([[_BRIDGE_RADII, _TEMPLE_RADII, _TEMPLE_RADII]])
    bar, _, _ = inside_of(batch, bars, bar_radii, size, 0.0)
    frame = torch.cat([rim, bar], dim=1).amax(dim=1, keepdim=True)
    return _Glasses(frame, lens.amax(dim=1, keepdim=True))


def bearded(normals: Tensor, batch: N2FBatch, how: Degradation, random: torch.Generator) -> Tensor:
    """In a share of maps normals around the mouth and on the chin turned by fine noise."""
    n, _, size, _ = normals.shape
    chosen = drawn_of(n, how.beard_share, random)
    if not len(chosen):
        return normals
    some = _posed(batch, chosen)
    x, y, shape = ellipsoids(some, torch.tensor([[_BEARD]]), torch.tensor([[_BEARD_RADII]]), size)
    dense = (1.5 - nearness(x, y, shape)).clamp(0, 1)
    lips, _, _ = inside_of(some, torch.tensor([[_LIPS]]), torch.tensor([[_LIPS_RADII]]), size, 0.0)
    size_rad = uniform((len(chosen), 1, 1, 1), *how.beard_deg, random) * RADIANS / 2**0.5
    noise = smooth_noise(len(chosen), 3, size, how.beard_px * size / REFERENCE_PX, random)
    field = size_rad * dense * (1 - lips) * batch.mask[chosen] * noise
    return normals.index_copy(0, chosen, turned(normals[chosen], field))


def _posed(batch: N2FBatch, rows: Tensor) -> N2FBatch:
    """Some maps' poses."""
    names = ("R", "camera")
    return replace(batch, **{name: getattr(batch, name)[rows] for name in names})
