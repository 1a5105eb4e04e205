"""What degradations are made of: random numbers, smooth noise, blurs and turns of maps.

Maps are (B, C, P, P), normals among them (B, 3, P, P) of length at most 1; sizes are pixels of the
map itself. All that is random takes a generator, so that a seed gives the same.
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from engine.flame.lbs import rodrigues
from engine.training.vectors import cross

__all__ = [
    "RADIANS", "REFERENCE_PX", "blurred", "drawn_of", "frame_turned", "grid", "length",
    "smooth_noise", "turned", "uniform", "unit", "with_length_of",
]  # fmt: skip

RADIANS = torch.pi / 180
REFERENCE_PX = 256
"""Lengths are given for maps of this size."""


def uniform(shape: tuple[int, ...], low: float, high: float, random: torch.Generator) -> Tensor:
    """Evenly between two limits."""
    return low + (high - low) * torch.rand(shape, generator=random)


def drawn_of(n: int, share: float, random: torch.Generator) -> Tensor:
    """(K,) which of n maps are drawn, each with a chance of share."""
    return (torch.rand(n, generator=random) < share).nonzero()[:, 0]


def grid(size: int) -> Tensor:
    """(1, 2, P, P) x right and y down, -1..1."""
    ramp = (torch.arange(size) + 0.5) / size * 2 - 1
    return torch.stack([ramp.expand(size, size), ramp[:, None].expand(size, size)])[None]


def frame_turned(normals: Tensor, most_deg: float, random: torch.Generator) -> Tensor:
    """Each map turned as a whole, by 0..most_deg: networks misjudge the head's axes."""
    axis = functional.normalize(torch.randn(len(normals), 3, generator=random), dim=1)
    angle = uniform((len(normals), 1), 0, most_deg * RADIANS, random)
    return torch.einsum("bij,bjyx->biyx", rodrigues(axis * angle, xp=torch), normals)


def turned(normals: Tensor, vectors: Tensor) -> Tensor:
    """Normals turned by axis-angle vectors (B, 3, P, P), radians, exact to second order."""
    once = cross(vectors, normals, 1)
    twice = cross(vectors, once, 1)
    return with_length_of(normals + once + 0.5 * twice, normals)


def with_length_of(changed: Tensor, normals: Tensor) -> Tensor:
    """Directions of the first, lengths of the second."""
    return changed * (length(normals) / length(changed).clamp_min(1e-12))


def unit(normals: Tensor) -> Tensor:
    """Of length 1; zeros stay."""
    return normals / length(normals).clamp_min(1e-6)


def length(maps: Tensor) -> Tensor:
    """(B, 1, P, P); ten times as fast as `norm` across channels."""
    return maps.square().sum(dim=1, keepdim=True).sqrt()


def smooth_noise(
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
    down, across = (_gaussians(sigma, n) for n in maps.shape[-2:])
    # Products with matrices: several times as fast as sums of shifted maps or convolutions.
    return down[:, None] @ maps @ across[:, None].transpose(2, 3)


def _gaussians(sigma: Tensor, size: int) -> Tensor:
    """(B, size, size) the weight of each pixel (last) for each blurred one along one axis."""
    reach = max(1, min(int(3 * float(sigma.max()) + 1), size - 1))
    steps = torch.arange(-reach, reach + 1)
    kernel = torch.exp(-0.5 * (steps / sigma.clamp_min(0.05)[:, None]).square())
    kernel = kernel / kernel.sum(dim=1, keepdim=True)
    to = torch.arange(size)[:, None]
    place = size * to + (to + steps).clamp(0, size - 1)  # (size, steps) of all in a flat matrix
    flat = torch.zeros(len(sigma), size * size)
    flat.index_add_(1, place.flatten(), kernel.repeat(1, size))
    return flat.view(-1, size, size)
