"""Hair of other samples, laid over a batch: pose must not be read off the few hairstyles there are.

Where a style sits on a head never varies in what is drawn, so that a network takes it for a sign of
the head's pose, and errs with styles it has not seen.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from engine.synth.sample import PARSING
from engine.training.batch import Batch, sampling_grid, similarities
from engine.types import F64

__all__ = ["with_other_hair"]

_HAIR = PARSING.index("hair")
_BACKGROUND = PARSING.index("background")
_SKIN = PARSING.index("skin")

_CORNER = 0.25  # of the crop's side: what fills gaps is this part of another picture
_ANGLE_DEG, _SCALE, _SHIFT = 30.0, 0.3, 0.15  # of what is laid over; log scale, crop sizes
_MOST_SKIN = 0.4  # share of the skin that may vanish under it


def with_other_hair(
    batch: Batch, random: Generator, *, taken_off: float = 0.35, put_on: float = 0.5
) -> Batch:
    """Hair taken off some samples, and that of their neighbours in the batch put on some.

    Where hair was there is a part of another picture, as background; what is put on is turned,
    sized and shifted at random, and its pixels are of class hair.
    Args:
        taken_off, put_on: shares of samples.
    """
    n = len(batch.image)
    image = batch.image.roll(1, 0)
    hair = (batch.parsing == _HAIR).roll(1, 0)
    off = (torch.rand(n, generator=random) < taken_off)[:, None, None] & (batch.parsing == _HAIR)
    batch = _laid_over(batch, off.float()[:, None], _corners(image, random), _BACKGROUND)
    grid = sampling_grid(_places(n, batch.size, random), batch.size)
    both = torch.cat([image, hair[:, None].float()], dim=1)
    moved = functional.grid_sample(both, grid, "bilinear", "zeros", align_corners=False)
    on = torch.rand(n, generator=random) < put_on
    skin = batch.parsing == _SKIN
    hidden = (skin & (moved[:, 3] > 0.5)).sum(dim=(1, 2))
    on = on & (hidden <= _MOST_SKIN * skin.sum(dim=(1, 2)))
    # Divided by the mask's own softness: at its edge no colour of what was behind comes along.
    colour = moved[:, :3] / _covered(both, grid).clamp_min(1e-3)
    return _laid_over(batch, moved[:, 3:] * on[:, None, None, None], colour, _HAIR)


def _laid_over(batch: Batch, alpha: Tensor, colour: Tensor, label: int) -> Batch:
    """(B, 1, S, S) of a picture (B, 3, S, S) over the batch's."""
    return replace(
        batch,
        image=torch.lerp(batch.image, colour, alpha),
        parsing=batch.parsing.masked_fill(alpha[:, 0] > 0.5, label),
    )


def _covered(pictures: Tensor, grid: Tensor) -> Tensor:
    """(B, 1, S, S) share of each new pixel that lies in the old picture."""
    inside = torch.ones_like(pictures[:, :1])
    return functional.grid_sample(inside, grid, "bilinear", "zeros", align_corners=False)


def _corners(image: Tensor, random: Generator) -> Tensor:
    """An upper corner of each picture, left or right, as large as the whole."""
    size = image.shape[-1]
    side = max(1, round(_CORNER * size))
    right = torch.rand(len(image), generator=random) < 0.5
    part = torch.where(
        right[:, None, None, None], image[:, :, :side, -side:], image[:, :, :side, :side]
    )
    return functional.interpolate(part, size=size, mode="bilinear", align_corners=False)


def _places(n: int, size: int, random: Generator) -> F64:
    """(n, 2, 3) new px from old px."""

    def draw(*shape: int) -> F64:
        drawn: F64 = 2 * torch.rand(shape, generator=random).double().numpy() - 1
        return drawn

    angle, scale = np.radians(_ANGLE_DEG) * draw(n), np.exp(_SCALE * draw(n))
    return similarities(angle, scale, _SHIFT * size * draw(n, 2), size)
