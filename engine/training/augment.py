"""Random changes of a batch: geometry with its truth, looks, hidden parts, errors of the points."""

from dataclasses import replace

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from engine.training.batch import Batch, mirrored, similarities, warped
from engine.training.hair_swap import with_other_hair
from engine.training.other_looks import (
    with_lamps,
    with_other_surroundings,
    with_recoloured_parts,
)
from engine.training.settings import NormalTrainSettings

__all__ = ["augmented", "with_new_colours", "with_parts_hidden", "with_point_errors"]


def augmented(batch: Batch, settings: NormalTrainSettings, random: Generator) -> Batch:
    """The batch after all changes; the same generator state gives the same."""
    batch = mirrored(batch, _chance(0.5, batch, random))
    batch = _moved(batch, settings, random)
    if settings.lamps:
        batch = with_lamps(batch, random, settings.lamps)
    if settings.recoloured:
        batch = with_recoloured_parts(batch, random, settings.recoloured)
    if settings.surroundings:
        batch = with_other_surroundings(batch, random, settings.surroundings)
    batch = with_other_hair(
        batch, random, taken_off=settings.hair_taken_off, put_on=settings.hair_put_on
    )
    batch = with_parts_hidden(with_new_colours(batch, random), random)
    return with_point_errors(batch, settings.point_noise, random)


def _uniform(low: float, high: float, shape: tuple[int, ...], random: Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=random)


def _chance(share: float, batch: Batch, random: Generator) -> Tensor:
    """(B,) true for about that share of the samples."""
    return torch.rand(len(batch.image), generator=random) < share


def _moved(batch: Batch, settings: NormalTrainSettings, random: Generator) -> Batch:
    n, size = len(batch.image), batch.size
    angle = np.radians(settings.rotation_deg) * _uniform(-1, 1, (n,), random).double().numpy()
    scale = np.exp(_uniform(-settings.scale, settings.scale, (n,), random).double().numpy())
    shift = settings.shift * size * _uniform(-1, 1, (n, 2), random).double().numpy()
    return warped(batch, similarities(angle, scale, shift, size))


def with_new_colours(batch: Batch, random: Generator) -> Batch:
    """Brightness, contrast, gamma, white balance and saturation; blur and noise of some."""
    n = len(batch.image)

    def draw(spread: float, channels: int = 1) -> Tensor:
        return _uniform(-spread, spread, (n, channels, 1, 1), random)

    image = batch.image.clamp(1e-4, 1).pow(torch.exp(draw(0.3)))
    grey = image.mean(dim=1, keepdim=True)
    image = grey + (image - grey) * (1 + draw(0.4))
    middle = image.mean(dim=(1, 2, 3), keepdim=True)
    image = middle + (image - middle) * torch.exp(draw(0.25))
    image = image * torch.exp(draw(0.25) + draw(0.08, 3)) + draw(0.05)
    image = _blurred(image, _chance(0.2, batch, random), random)
    level = _uniform(0, 0.04, (n, 1, 1, 1), random) * _chance(0.3, batch, random).view(-1, 1, 1, 1)
    image = image + level * torch.randn(image.shape, generator=random)
    return replace(batch, image=image.clamp(0, 1))


def _blurred(image: Tensor, chosen: Tensor, random: Generator) -> Tensor:
    """The chosen ones under one Gaussian of 0.5 to 1.6 px."""
    if not chosen.any():
        return image
    sigma = float(_uniform(0.5, 1.6, (1,), random))
    kernel = torch.exp(-0.5 * ((torch.arange(7.0) - 3) / sigma).square())
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, 7)
    some = functional.pad(image[chosen], (3, 3, 3, 3), mode="replicate")
    some = functional.conv2d(
        functional.conv2d(some, kernel, groups=3), kernel.transpose(2, 3), groups=3
    )
    image = image.clone()
    image[chosen] = some
    return image


def with_parts_hidden(batch: Batch, random: Generator, share: float = 0.25) -> Batch:
    """A rectangle of one colour over some samples; the parsing under it is no longer asked for,
    the normals still are: the network may guess them from what is around."""
    n, size = len(batch.image), batch.size
    centre = _uniform(0.1, 0.9, (n, 2), random) * size
    half = _uniform(0.04, 0.16, (n, 2), random) * size * _chance(share, batch, random)[:, None]
    cells = torch.arange(size) + 0.5
    inside = [(cells - centre[:, k, None]).abs() < half[:, k, None] for k in range(2)]
    hidden = inside[1][:, :, None] & inside[0][:, None, :]
    colour = torch.rand((n, 3, 1, 1), generator=random)
    return replace(
        batch,
        image=torch.where(hidden[:, None], colour, batch.image),
        parsing=batch.parsing.masked_fill(hidden, -1),
    )


def with_point_errors(batch: Batch, noise: float, random: Generator) -> Batch:
    """The points with errors, so that the network does not trust them blindly.

    Args:
        noise: crop sizes; largest standard deviation of a point's own error. All points together
            shift by as much and change their size by a few percent, their depth by a fifth; in one
            sample of twenty a part of the face lies elsewhere.
    """
    points, n = batch.points, len(batch.points)
    middle = points.mean(dim=1, keepdim=True)
    own = noise * torch.rand((n, 1, 1), generator=random)
    stretch = 1 + 0.03 * torch.randn((n, 1, 1), generator=random)
    deep = 1 + 0.2 * _uniform(-1, 1, (n, 1, 1), random)
    stretch = torch.cat([stretch, stretch, stretch * deep], dim=-1)
    moved = middle + (points - middle) * stretch
    moved = moved + noise * torch.randn((n, 1, 3), generator=random)
    moved = moved + own * torch.randn(points.shape, generator=random)
    chosen = torch.randint(points.shape[1], (n,), generator=random)
    around = points[torch.arange(n), chosen, None, :2]
    near = torch.exp(-0.5 * ((points[..., :2] - around) / 0.1).square().sum(-1, keepdim=True))
    astray = _chance(0.05, batch, random).view(-1, 1, 1)
    moved = moved + astray * near * 0.05 * torch.randn((n, 1, 3), generator=random)
    return replace(batch, points=moved)
