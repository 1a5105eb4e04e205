"""Errors of a normal network, put on clean normal maps: what N2FNet has to bear.

In the order in which they are applied. Lengths in pixels of a map of 64 x 64 are written as for
256 x 256 and scaled. All take a generator, so that a seed gives the same errors.
"""

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from engine.flame.lbs import rodrigues
from engine.training.n2f_batch import N2FBatch
from engine.training.vectors import cross

__all__ = [
    "Degradation", "band_limited", "blurred", "confidence_of", "degraded", "frame_turned",
    "mask_corrupted", "noisy", "shrunk_to_mean", "tangent_field", "wrongly_filled",
]  # fmt: skip

_RADIANS = torch.pi / 180
_REFERENCE_PX = 256


@dataclass(frozen=True, slots=True)
class Degradation:
    """Strengths, as `scripts/measure_degradation.py` finds them of the shipped normal network.

    Ranges are drawn from uniformly, by map. They are chosen so that degraded maps of the heads of
    200 validation samples measure like what the network sees of these, by the means and the 5 and
    95 % of `map_errors`: docs/training.md has the table. Masks and covers are guesses.
    """

    blur_px: tuple[float, float] = (2.0, 7.0)  # standard deviation, at 256 px
    shrinkage: tuple[float, float] = (0.32, 0.68)  # share of the mean head's normals
    field_deg: tuple[float, float] = (3.0, 8.5)  # root mean square of the smooth error
    field_px: tuple[float, float] = (12.0, 48.0)  # its correlation lengths, at 256 px
    detail_deg: tuple[float, float] = (2.5, 7.0)  # of the error of small parts, as lids
    detail_px: float = 6.0
    frame_deg: float = 1.5  # largest turn of a whole map
    view_deg: float = 10.0  # largest turn of view normals against head normals
    noise_deg: tuple[float, float] = (1.5, 4.0)
    most_mask_px: float = 6.0  # the mask's edge moves by, at 256 px
    hair_share: float = 0.5  # of maps whose forehead or cheek is covered
    blob_share: float = 0.2  # of maps with something in front: a hand, a microphone
    fill_share: float = 0.5  # of covered places that show wrong normals instead of nothing
    confidence: tuple[float, float] = (0.59, 0.73)  # mean inside the mask
    confidence_outside: tuple[float, float] = (0.26, 0.40)
    confidence_spread: float = 0.11  # standard deviation inside the mask
    confidence_fit: float = 0.7  # 0..1, how much of it follows the errors

    def scaled(self, strength: float) -> "Degradation":
        """Weaker errors: 0 none, 1 as they are. Confidence stays: no network's is 1 everywhere."""
        s = strength

        def times(limits: tuple[float, float]) -> tuple[float, float]:
            return s * limits[0], s * limits[1]

        return replace(
            self,
            blur_px=times(self.blur_px),
            shrinkage=times(self.shrinkage),
            field_deg=times(self.field_deg),
            detail_deg=times(self.detail_deg),
            frame_deg=s * self.frame_deg,
            view_deg=s * self.view_deg,
            noise_deg=times(self.noise_deg),
            most_mask_px=s * self.most_mask_px,
            hair_share=s * self.hair_share,
            blob_share=s * self.blob_share,
        )


def degraded(batch: N2FBatch, how: Degradation, random: torch.Generator) -> N2FBatch:
    """The batch as a normal network might have seen it; parameters stay."""
    head = band_limited(batch.head, how.blur_px, random)
    head = shrunk_to_mean(head, batch.mean, how.shrinkage, random)
    head = tangent_field(head, how, random)
    head = frame_turned(head, how.frame_deg, random)
    head = noisy(head, how.noise_deg, random)
    covered = _cover(batch.mask, how, random)
    mask = mask_corrupted(batch.mask, how.most_mask_px, random) * (1 - covered)
    head, leak = wrongly_filled(head, covered, how.fill_share, random)
    mask = torch.maximum(mask, leak * batch.mask)
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
    off = _length(seen / _length(seen).clamp_min(1e-6) - true / _length(true).clamp_min(1e-6))
    off = blurred(torch.log(off + 0.02), torch.full((n,), 0.8 * size / 64))
    weight = mask + 1e-6
    off = off - _mean(off, weight)
    off = (off / _mean(off.square(), weight).sqrt().clamp_min(1e-6)).clamp(-3, 3)
    own = _smooth_noise(n, 1, size, 12.0 * size / _REFERENCE_PX, random)
    fit = how.confidence_fit
    inside = _uniform((n, 1, 1, 1), *how.confidence, random)
    inside = inside + how.confidence_spread * ((1 - fit**2) ** 0.5 * own - fit * off)
    outside = _uniform((n, 1, 1, 1), *how.confidence_outside, random)
    return (mask * inside + (1 - mask) * outside).clamp(0, 1)


def band_limited(normals: Tensor, blur_px: tuple[float, float], random: torch.Generator) -> Tensor:
    """Each map blurred by a Gaussian of its own, then at its former length: networks are smooth."""
    n, _, _, size = normals.shape
    sigma = _uniform((n,), *blur_px, random) * size / _REFERENCE_PX
    return _with_length_of(blurred(normals, sigma), normals)


def shrunk_to_mean(
    normals: Tensor, mean: Tensor, limits: tuple[float, float], random: torch.Generator
) -> Tensor:
    """n <- (1 - a) n + a mean, a within limits by map: shapes and expressions come out weaker."""
    share = _uniform((len(normals), 1, 1, 1), *limits, random)
    share = share * (mean.square().sum(1, keepdim=True) > 0.01)
    return _with_length_of((1 - share) * normals + share * mean, normals)


def tangent_field(normals: Tensor, how: Degradation, random: torch.Generator) -> Tensor:
    """Normals turned by random fields: a smooth one, and one as fine as a face's small parts."""
    n, _, _, size = normals.shape
    field = torch.zeros_like(normals)
    parts = ((how.field_deg, how.field_px), (how.detail_deg, (how.detail_px,)))
    for limits, lengths in parts:
        size_rad = _uniform((n, 1, 1, 1), *limits, random) * _RADIANS
        for length in lengths:
            noise = _smooth_noise(n, 3, size, length * size / _REFERENCE_PX, random)
            # Two of three components turn a normal: sqrt(2) per unit of each.
            field = field + size_rad * noise / (2 * len(lengths)) ** 0.5
    return _turned(normals, field)


def frame_turned(normals: Tensor, most_deg: float, random: torch.Generator) -> Tensor:
    """Each map turned as a whole, by 0..most_deg: networks misjudge the head's axes."""
    axis = functional.normalize(torch.randn(len(normals), 3, generator=random), dim=1)
    angle = _uniform((len(normals), 1), 0, most_deg * _RADIANS, random)
    return torch.einsum("bij,bjyx->biyx", rodrigues(axis * angle, xp=torch), normals)


def noisy(normals: Tensor, deg: tuple[float, float], random: torch.Generator) -> Tensor:
    """Turned at each pixel by its own error, and kept in bytes that are cut off, not rounded."""
    size_rad = _uniform((len(normals), 1, 1, 1), *deg, random) * _RADIANS / 2**0.5
    turned = _turned(normals, size_rad * torch.randn(normals.shape, generator=random))
    there = normals.square().sum(1, keepdim=True) > 1e-4
    return ((turned * 127.5 + 127.5).floor().clamp(0, 255) / 127.5 - 1) * there


def mask_corrupted(mask: Tensor, most_px: float, random: torch.Generator) -> Tensor:
    """The mask's edge moved in or out by up to most_px (at 256 px), softly and unevenly."""
    n, _, _, size = mask.shape
    most = most_px * size / _REFERENCE_PX
    if most <= 0:
        return mask
    soft = blurred(mask, torch.full((n,), max(most, 0.3)))
    wave = _smooth_noise(n, 1, size, size / 12, random)
    # A blurred straight edge has slope 1 / (sqrt(2 pi) sigma): one sigma off is 0.16 or 0.84.
    level = 0.5 + 0.34 * (_uniform((n, 1, 1, 1), -0.8, 0.8, random) + 0.2 * wave).clamp(-1, 1)
    return ((soft - level) * most * 2.5 + 0.5).clamp(0, 1)


def wrongly_filled(
    normals: Tensor, covered: Tensor, share: float, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Where something covers the face: nothing, or normals of something else.

    Returns: the maps; and where (B, 1, P, P) wrong normals stay in the mask: in half of those.
    """
    n, _, size, _ = normals.shape
    middle = _uniform((n, 2, 1, 1), -0.8, 0.8, random)
    radius = _uniform((n, 1, 1, 1), 0.4, 1.2, random)
    xy = (_grid(size) - middle) / radius
    z = (1 - xy.square().sum(1, keepdim=True)).clamp_min(0.05).sqrt()
    blob = torch.cat([xy[:, :1], -xy[:, 1:], z], dim=1)
    blob = blob / _length(blob)
    blob = frame_turned(blob, 60.0, random)
    filled = (torch.rand(n, 1, 1, 1, generator=random) < share).float()
    leaks = filled * (torch.rand(n, 1, 1, 1, generator=random) < 0.5)
    return normals * (1 - covered) + blob * covered * filled, covered * leaks


def _cover(mask: Tensor, how: Degradation, random: torch.Generator) -> Tensor:
    """(B, 1, P, P) 0 or 1: hair from above or from a side, and ellipses anywhere."""
    n, _, size, _ = mask.shape
    grid = _grid(size)
    angle = _uniform((n, 1, 1), -2.2, 2.2, random)  # 0: from above
    edge = _uniform((n, 1, 1), 0.15, 0.75, random)
    wave = 0.12 * _smooth_noise(n, 1, size, size / 16, random)
    along = torch.sin(angle) * grid[:, 0] - torch.cos(angle) * grid[:, 1]
    hair = (along[:, None] + wave > edge[:, None]).float()
    hair = hair * (torch.rand(n, 1, 1, 1, generator=random) < how.hair_share)
    middle = _uniform((n, 2, 1, 1), -0.6, 0.6, random)
    radii = _uniform((n, 2, 1, 1), 0.15, 0.5, random)
    blob = (((grid - middle) / radii).square().sum(1, keepdim=True) < 1).float()
    blob = blob * (torch.rand(n, 1, 1, 1, generator=random) < how.blob_share)
    return torch.maximum(hair, blob)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """(B, 1, 1, 1)."""
    total = (weight * values).sum((1, 2, 3), keepdim=True)
    return total / weight.sum((1, 2, 3), keepdim=True)


def _grid(size: int) -> Tensor:
    """(1, 2, P, P) x right and y down, -1..1."""
    ramp = (torch.arange(size) + 0.5) / size * 2 - 1
    return torch.stack([ramp.expand(size, size), ramp[:, None].expand(size, size)])[None]


def _turned(normals: Tensor, vectors: Tensor) -> Tensor:
    """Normals turned by axis-angle vectors (B, 3, P, P), radians, exact to second order."""
    once = cross(vectors, normals, 1)
    twice = cross(vectors, once, 1)
    return _with_length_of(normals + once + 0.5 * twice, normals)


def _with_length_of(changed: Tensor, normals: Tensor) -> Tensor:
    return changed * (_length(normals) / _length(changed).clamp_min(1e-12))


def _length(maps: Tensor) -> Tensor:
    """(B, 1, P, P); ten times as fast as `norm` across channels."""
    return maps.square().sum(dim=1, keepdim=True).sqrt()


def _smooth_noise(
    n: int, channels: int, size: int, length_px: float, random: torch.Generator
) -> Tensor:
    """(n, channels, P, P) of mean square 1, alike over about length_px."""
    cells = max(3, round(size / (1.5 * length_px)) + 1)
    coarse = torch.randn(n, channels, cells, cells, generator=random)
    spread = _bicubic(cells, size).to(coarse.device)
    fine = spread @ coarse @ spread.T
    return fine / fine.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()


@cache
def _bicubic(cells: int, size: int) -> Tensor:
    """(size, cells): the weight of each cell for each pixel along one axis.

    A product with it on both sides is bicubic interpolation, in a tenth of torch's time.
    """
    one = torch.eye(cells).view(cells, 1, cells, 1)
    column = functional.interpolate(one, (size, 1), mode="bicubic", align_corners=True)
    return column.view(cells, size).T.contiguous()


def blurred(maps: Tensor, sigma: Tensor) -> Tensor:
    """(B, C, P, P) blurred by Gaussians of standard deviation sigma (B,) px; borders repeat."""
    height, width = maps.shape[-2:]
    reach = max(1, min(int(3 * float(sigma.max()) + 1), height - 1))
    steps = torch.arange(-reach, reach + 1, dtype=maps.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma.clamp_min(0.05)[:, None]).square())
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).view(len(maps), -1, 1, 1, 1)
    # Sums of shifted maps: several times as fast as a convolution of many groups.
    wide = functional.pad(maps, (reach, reach, 0, 0), mode="replicate")
    flat = sum(kernel[:, k] * wide[..., k : k + width] for k in range(2 * reach + 1))
    tall = functional.pad(flat, (0, 0, reach, reach), mode="replicate")
    blurred: Tensor = sum(kernel[:, k] * tall[..., k : k + height, :] for k in range(2 * reach + 1))
    return blurred


def _uniform(shape: tuple[int, ...], low: float, high: float, random: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=random)
