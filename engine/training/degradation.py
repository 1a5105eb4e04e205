"""Errors of a normal network, put on clean normal maps: what N2FNet has to bear.

In the order in which they are applied. Lengths in pixels of a map of 64 x 64 are written as for
256 x 256 and scaled. All take a generator, so that a seed gives the same errors. Errors of single
parts of the face are in `degradation_parts`, what hides a face in `degradation_covers`.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from engine.training.degradation_covers import (
    bearded,
    covers,
    earless,
    holes,
    mask_corrupted,
    with_glasses,
    wrongly_filled,
)
from engine.training.degradation_maps import (
    RADIANS,
    REFERENCE_PX,
    blurred,
    drawn_of,
    frame_turned,
    length,
    smooth_noise,
    turned,
    uniform,
    unit,
    with_length_of,
)
from engine.training.degradation_parts import blobs_in_place, uneven_errors
from engine.training.degradation_settings import Degradation
from engine.training.n2f_batch import N2FBatch

__all__ = [
    "Degradation", "band_limited", "blocky", "blurred", "confidence_of", "degraded",
    "flip_averaged", "frame_turned", "in_bytes", "mask_corrupted", "noisy", "shrunk_to_mean",
    "tangent_field", "wrongly_filled",
]  # fmt: skip


def degraded(batch: N2FBatch, how: Degradation, random: torch.Generator) -> N2FBatch:
    """The batch as a normal network might have seen it; parameters stay."""
    head = band_limited(batch.head, how.blur_px, random)
    head = shrunk_to_mean(head, batch.mean, how.shrinkage, random)
    head = tangent_field(head, how, random, uneven_errors(batch, how.uneven))
    head = frame_turned(head, how.frame_deg, random)
    head = noisy(head, how.noise_deg, random)
    head = in_bytes(blocky(head, how, random))
    head = blobs_in_place(head, batch, how, random)
    head = bearded(head, batch, how, random)
    covered = covers(batch.mask, how, random)
    mask = mask_corrupted(batch.mask, how.most_mask_px, random) * (1 - covered)
    head, leak = wrongly_filled(head, covered, how.fill_share, random)
    mask = torch.maximum(mask, leak * batch.mask)
    head, mask = with_glasses(head, mask, batch, how.glasses_share, random)
    gaps = torch.maximum(holes(batch.mask, how, random), earless(batch, how.earless_share, random))
    head, mask = head * (1 - gaps), mask * (1 - gaps)
    head = flip_averaged(head, how, random)
    confidence = confidence_of(head, batch.head, mask, how, random)
    view = torch.einsum("bij,bjyx->biyx", batch.R, head)
    view = frame_turned(view, how.view_deg, random)
    return replace(batch, head=head, view=view, mask=mask, confidence=confidence)


def confidence_of(
    seen: Tensor, true: Tensor, mask: Tensor, how: Degradation, random: torch.Generator
) -> Tensor:
    """(B, 1, P, P) how sure a network is of its normals: less where they are off, and outside.

    Args:
        seen, true: (B, 3, P, P) degraded and clean normals.
        mask: (B, 1, P, P) where the network sees a face.
    """
    n, _, size, _ = mask.shape
    # The chord between unit vectors: about the angle in radians. The logarithm tells 2 from 4
    # degrees as well as 10 from 20.
    off = length(unit(seen) - unit(true))
    off = blurred(torch.log(off + 0.02), torch.full((n,), 0.8 * size / 64))
    weight = mask + 1e-6
    off = off - _mean(off, weight)
    off = (off / _mean(off.square(), weight).sqrt().clamp_min(1e-6)).clamp(-3, 3)
    own = smooth_noise(n, 1, size, 12.0 * size / REFERENCE_PX, random)
    fit = how.confidence_fit
    inside = uniform((n, 1, 1, 1), *how.confidence, random)
    inside = inside + how.confidence_spread * ((1 - fit**2) ** 0.5 * own - fit * off)
    outside = uniform((n, 1, 1, 1), *how.confidence_outside, random)
    return (mask * inside + (1 - mask) * outside).clamp(0, 1)


def band_limited(normals: Tensor, blur_px: tuple[float, float], random: torch.Generator) -> Tensor:
    """Each map blurred by a Gaussian of its own, then at its former length: networks are smooth."""
    n, _, _, size = normals.shape
    sigma = uniform((n,), *blur_px, random) * size / REFERENCE_PX
    return with_length_of(blurred(normals, sigma), normals)


def shrunk_to_mean(
    normals: Tensor, mean: Tensor, limits: tuple[float, float], random: torch.Generator
) -> Tensor:
    """n <- (1 - a) n + a mean, a within limits by map: shapes and expressions come out weaker."""
    share = uniform((len(normals), 1, 1, 1), *limits, random)
    share = share * (mean.square().sum(1, keepdim=True) > 0.01)
    return with_length_of((1 - share) * normals + share * mean, normals)


def tangent_field(
    normals: Tensor, how: Degradation, random: torch.Generator, times: Tensor | None = None
) -> Tensor:
    """Normals turned by random fields: a smooth one, and one as fine as a face's small parts.

    Args:
        times: (B, 1, P, P) how many times as large both are at a place, as of `uneven_errors`;
            None: 1.
    """
    n, _, _, size = normals.shape
    field = torch.zeros_like(normals)
    parts = ((how.field_deg, how.field_px), (how.detail_deg, (how.detail_px,)))
    for limits, lengths in parts:
        size_rad = uniform((n, 1, 1, 1), *limits, random) * RADIANS
        for length_px in lengths:
            noise = smooth_noise(n, 3, size, length_px * size / REFERENCE_PX, random)
            # Two of three components turn a normal: sqrt(2) per unit of each.
            field = field + size_rad * noise / (2 * len(lengths)) ** 0.5
    return turned(normals, field if times is None else field * times)


def noisy(normals: Tensor, deg: tuple[float, float], random: torch.Generator) -> Tensor:
    """Turned at each pixel by its own error."""
    size_rad = uniform((len(normals), 1, 1, 1), *deg, random) * RADIANS / 2**0.5
    return turned(normals, size_rad * torch.randn(normals.shape, generator=random))


def blocky(normals: Tensor, how: Degradation, random: torch.Generator) -> Tensor:
    """In a share of maps the same normal all over each block, as a picture much compressed."""
    n, _, _, size = normals.shape
    side = round(how.block_px * size / REFERENCE_PX)
    chosen = drawn_of(n, how.block_share, random)
    if side < 2 or not len(chosen):
        return normals
    some = normals[chosen]
    means, lengths = (
        functional.avg_pool2d(maps, side, ceil_mode=True) for maps in (some, length(some))
    )
    found = unit(means) * lengths
    found = found.repeat_interleave(side, 2).repeat_interleave(side, 3)[..., :size, :size]
    return normals.index_copy(0, chosen, found)


def in_bytes(normals: Tensor) -> Tensor:
    """Kept in bytes that are cut off, not rounded; zeros stay."""
    there = normals.square().sum(1, keepdim=True) > 1e-4
    return ((normals * 127.5 + 127.5).floor().clamp(0, 255) / 127.5 - 1) * there


def flip_averaged(normals: Tensor, how: Degradation, random: torch.Generator) -> Tensor:
    """A share of maps as the mean with a copy a little beside, of normals a little turned.

    So is the mean of what a network sees in a picture and in its mirror image.
    """
    n = len(normals)
    chosen = drawn_of(n, how.flip_share, random)
    k = len(chosen)
    if not k:
        return normals
    some = normals[chosen]
    shift = uniform((k, 2, 1), -2 * how.flip_px, 2 * how.flip_px, random) / REFERENCE_PX
    roll = uniform((k, 1), -how.flip_deg * RADIANS, how.flip_deg * RADIANS, random)
    c, s = roll.cos(), roll.sin()
    rows = torch.stack([torch.cat([c, -s], 1), torch.cat([s, c], 1)], 1)
    at = functional.affine_grid(torch.cat([rows, shift], 2), list(some.shape), align_corners=False)
    copy = functional.grid_sample(some, at, "bilinear", "border", align_corners=False)
    mean = some + frame_turned(copy, how.flip_deg, random)
    return normals.index_copy(0, chosen, with_length_of(mean, some))


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """(B, 1, 1, 1)."""
    total = (weight * values).sum((1, 2, 3), keepdim=True)
    return total / weight.sum((1, 2, 3), keepdim=True)
