"""Other colours, lamps and surroundings in pictures already drawn: pose and shape must not be read
off the few skins, lights and backgrounds there are.

All of it works on pixels by their class and true normals, and costs no drawing.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Generator, Tensor
from torch.nn import functional

from engine.synth.sample import PARSING
from engine.training.batch import Batch
from engine.training.degradation_maps import drawn_of, uniform

__all__ = ["with_lamps", "with_other_surroundings", "with_recoloured_parts"]

_BACKGROUND = PARSING.index("background")
_PARTS = (  # recoloured alike; spread of log brightness, and of the log of each channel
    (("skin", "ears", "neck"), 0.25, 0.06),
    (("hair",), 0.50, 0.20),
    (("background",), 0.60, 0.35),
    (("other",), 0.60, 0.35),
)
_MOST_LAMPS = 2
_STRENGTH = (0.2, 2.5)  # of a lamp, the picture's own light being 1
_WRAP = 0.6  # largest: 0 a point of light, 1 a whole hemisphere
_TINT = 0.15  # spread of the log of each channel
_DISPLAY_GAMMA = 2.2

Draw = Callable[..., Tensor]


def with_recoloured_parts(batch: Batch, random: Generator, share: float) -> Batch:
    """Skin, hair, background and things each brighter or darker, and of another tint.

    Args:
        share: of samples.
    """
    chosen = drawn_of(len(batch.image), share, random)
    n, draw = len(chosen), _drawer(random)
    table = torch.zeros(n, len(PARSING) + 1, 3)  # the last: of a class that is not known, -1
    for names, brightness, tint in _PARTS:
        spread = brightness * draw(n, 1) + tint * draw(n, 3)
        for name in names:
            table[:, PARSING.index(name)] = spread
    places = batch.parsing[chosen] % (len(PARSING) + 1)
    gain = table[torch.arange(n)[:, None, None], places].permute(0, 3, 1, 2)
    return _multiplied(batch, chosen, _softened(gain).exp())


def with_lamps(batch: Batch, random: Generator, share: float) -> Batch:
    """One or two more lamps, far away and without shadows, on whatever has true normals.

    The rest, hair and background, is lit as the mean of that, so that exposure does not tell them
    apart.
    Args:
        share: of samples.
    """
    chosen = drawn_of(len(batch.image), share, random)
    n, draw = len(chosen), _drawer(random)
    view = batch.view[chosen]
    there = view.any(dim=1, keepdim=True).float()
    light = torch.ones_like(view)
    for k in range(_MOST_LAMPS):
        weakest, strongest = _STRENGTH
        strength = uniform((n, 1, 1, 1), math.log(weakest), math.log(strongest), random).exp()
        if k:
            strength = strength * (torch.rand((n, 1, 1, 1), generator=random) < 0.5)
        wrap = uniform((n, 1, 1), 0, _WRAP, random)
        cosine = torch.einsum("bcyx,bc->byx", view, _towards_lamps(n, random))
        lit = ((cosine + wrap) / (1 + wrap)).clamp_min(0)[:, None] * there
        lit = lit + (1 - there) * _mean(lit, there)
        light = light + strength * torch.exp(_TINT * draw(n, 3, 1, 1)) * lit
    light = light / _mean(light.mean(dim=1, keepdim=True), there).clamp_min(0.3)
    return _multiplied(batch, chosen, _softened(light).pow(1 / _DISPLAY_GAMMA))


def with_other_surroundings(batch: Batch, random: Generator, share: float) -> Batch:
    """The background of some samples exchanged for their neighbour's whole picture, blurred and
    upside down, so that no face is seen in it."""
    chosen = drawn_of(len(batch.image), share, random)
    other = batch.image[chosen - 1].flip(-2)
    other = functional.avg_pool2d(other, 5, 1, 2, count_include_pad=False)
    alpha = _softened((batch.parsing[chosen] == _BACKGROUND)[:, None].float())
    image = batch.image.clone()
    image[chosen] = torch.lerp(image[chosen], other, alpha)
    return replace(batch, image=image)


def _multiplied(batch: Batch, chosen: Tensor, gain: Tensor) -> Batch:
    """The chosen pictures times a gain (n, 3, S, S), cut off at white."""
    image = batch.image.clone()
    image[chosen] = (image[chosen] * gain).clamp(0, 1)
    return replace(batch, image=image)


def _drawer(random: Generator) -> Draw:
    """Standard normal numbers of a shape, cut off at twice their spread."""
    return lambda *shape: torch.randn(shape, generator=random).clamp(-2, 2)


def _towards_lamps(n: int, random: Generator) -> Tensor:
    """(n, 3) unit, crop-view frame: from anywhere but behind the head."""
    towards = torch.randn((n, 3), generator=random)
    towards[:, 2] = towards[:, 2].abs() - 0.3
    return functional.normalize(towards, dim=1)


def _softened(pictures: Tensor) -> Tensor:
    """Means over 3 x 3 pixels: classes meet without a seam."""
    return functional.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)


def _mean(pictures: Tensor, there: Tensor) -> Tensor:
    """(B, 1, 1, 1) mean over what is there; 1 where nothing is."""
    total = there.sum(dim=(1, 2, 3), keepdim=True)
    mean = (pictures * there).sum(dim=(1, 2, 3), keepdim=True) / total.clamp_min(1)
    return torch.where(total > 0, mean, 1.0)
