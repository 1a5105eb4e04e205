"""Clip: the energy of all frames of one person's video, whose shape is one.

The mean over frames of each frame's energy, and, over pairs of frames that follow each other, the
mean squares of what changes between them.
Source: Giebenhain et al. 2025 (Pixel3DMM), the public tracker's second stage.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.fitting.energy import SMOOTHED, Energy
from engine.fitting.settings import FitSettings
from engine.fitting.state import HeadState, params_from
from engine.fitting.visibility import Rasteriser

__all__ = ["Clip", "changes", "with_shape"]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """T frames. What each shows is drawn by `see`, and kept until the next time."""

    frames: Sequence[Energy]  # of each frame by itself, tied to no other
    follows: Sequence[bool]  # (T,) whether a frame comes right after the one before it here
    rasteriser: Rasteriser
    settings: FitSettings
    before: HeadState | None = None  # of the frame before the first, which that is tied to

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def ties(self) -> list[int]:
        """Frames that are tied to the one before them in the clip."""
        return [k for k in range(1, len(self.frames)) if self.follows[k]]

    @property
    def n_ties(self) -> int:
        """All ties, that to the frame before the clip among them."""
        return len(self.ties) + (self.before is not None)

    def see(self, k: int, state: HeadState) -> None:
        """Draw what frame k shows."""
        energy = self.frames[k]
        params = params_from(energy.head.model, state)
        energy.see(self.rasteriser.see(params, energy.seen, self.settings.normal_mask_ksize))

    def own_terms(self, states: Sequence[HeadState]) -> dict[str, float]:
        """Mean over frames of their own terms."""
        sums: dict[str, float] = {}
        for energy, state in zip(self.frames, states, strict=True):
            for name, value in energy.terms(state).items():
                sums[name] = sums.get(name, 0.0) + float(value) / len(self.frames)
        return sums

    def terms(self, states: Sequence[HeadState]) -> dict[str, float]:
        """Each weighted; their sum is the energy."""
        pairs = [(states[k - 1], states[k]) for k in self.ties]
        if self.before is not None:
            pairs.append((self.before, states[0]))
        smooth = {name: float(value) for name, value in changes(pairs, self.settings).items()}
        return self.own_terms(states) | smooth


def changes(
    pairs: Sequence[tuple[HeadState, HeadState]], settings: FitSettings
) -> dict[str, Tensor]:
    """Weighted mean squares of what changes over pairs of frames; empty without pairs."""
    terms = {}
    for name, field in SMOOTHED:
        if pairs:
            apart = torch.stack([getattr(b, field) - getattr(a, field) for a, b in pairs])
            terms[f"smooth_{name}"] = (
                getattr(settings, f"reg_smooth_{name}") * apart.square().mean()
            )
    return terms


def with_shape(states: Sequence[HeadState], shape: Tensor) -> list[HeadState]:
    """The same heads with one shape."""
    return [replace(state, shape=shape) for state in states]
