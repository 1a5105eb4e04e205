"""The second stage of a video by Adam, as in Pixel3DMM's tracker: batches of frames, one shape."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.fitting.clip import Clip, changes
from engine.fitting.curve import CurvePoint, OnProgress
from engine.fitting.settings import FitSettings
from engine.fitting.state import HeadState

__all__ = ["minimise_clip_adam"]

_ALONE = 0.15
"""Share of the iterations before frames that follow each other are tied."""
_POSE = ("t", "R", "jaw")
_DROPS = {0.5: (10.0, 2.0), 0.75: (5.0, 2.0), 0.9: (2.0, 5.0)}
"""Share of the iterations at which rates are divided: those of _POSE, and the others."""
_SEED = 0


def minimise_clip_adam(
    clip: Clip,
    start: Sequence[HeadState],
    settings: FitSettings,
    *,
    free_shape: bool,
    on_progress: OnProgress,
) -> tuple[list[HeadState], list[CurvePoint], bool]:
    """Returns: the last states, the curve (of batches), and whether it was told to stop."""
    table = _Table(start, settings, free_shape=free_shape, jaw_fixed=clip.frames[0].head.jaw_fixed)
    visits = np.zeros(len(clip), int)
    began, curve = time.perf_counter(), []
    for k, (batch, tied) in enumerate(_batches(clip, settings)):
        table.drop_rates(k / settings.global_iters)
        states = table.states(batch)
        for frame, state in zip(batch, states, strict=True):
            if visits[frame] % settings.refresh_every == 0:
                clip.see(frame, state)
            visits[frame] += 1
        terms = _terms(clip, batch, states, tied=tied)
        total = torch.stack(list(terms.values())).sum()
        total.backward()
        if k % settings.refresh_every == 0 or k == settings.global_iters - 1:
            values = {name: float(value.detach()) for name, value in terms.items()}
            curve.append(CurvePoint(k, time.perf_counter() - began, sum(values.values()), values))
            if not on_progress(curve[-1], settings.global_iters):
                return table.detached(), curve, True
        table.step()
    return table.detached(), curve, False


def _batches(clip: Clip, settings: FitSettings) -> Iterator[tuple[list[int], bool]]:
    """Frames of each iteration, rising, and whether those that follow each other are tied.

    Every other of the first are any frames; all else are runs of frames.
    """
    rng = np.random.default_rng(_SEED)
    n, size = len(clip), min(settings.batch_size, len(clip))
    alone = int(_ALONE * settings.global_iters)
    for k in range(settings.global_iters):
        if k < alone and k % 2 == 0:
            yield sorted(rng.choice(n, size, replace=False).tolist()), False
        else:
            first = int(rng.integers(0, n - size + 1))
            yield list(range(first, first + size)), k >= alone and k % 2 == 1


def _terms(
    clip: Clip, batch: list[int], states: list[HeadState], *, tied: bool
) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}
    for frame, state in zip(batch, states, strict=True):
        for name, value in clip.frames[frame].terms(state).items():
            sums[name] = sums.get(name, 0.0) + value / len(batch)
    if not tied:
        return sums
    of = dict(zip(batch, states, strict=True))
    pairs = [(of[k - 1], of[k]) for k in clip.ties if k in of and k - 1 in of]
    if clip.before is not None and 0 in of:
        pairs.append((clip.before, of[0]))
    return sums | changes(pairs, clip.settings)


class _Table:
    """What changes from frame to frame as rows of tables, of which a step moves those it saw."""

    def __init__(
        self,
        start: Sequence[HeadState],
        settings: FitSettings,
        *,
        free_shape: bool,
        jaw_fixed: bool,
    ) -> None:
        s, depth = settings, float(torch.stack([-state.t[2] for state in start]).mean())
        rates = {"expr": s.lr_exp, "jaw": s.lr_jaw, "eyes": s.lr_eyes, "eyelids": s.lr_eyelids}
        rates |= {"R": s.lr_R, "t": s.lr_t * depth}
        self.shape = start[0].shape.detach().clone().requires_grad_(free_shape)
        self.rows: dict[str, Tensor] = {}
        groups = []
        for field in fields(HeadState):
            if field.name == "shape":
                continue
            rows = torch.stack([getattr(state, field.name).flatten() for state in start])
            free = not (jaw_fixed and field.name == "jaw")
            self.rows[field.name] = rows.detach().clone().requires_grad_(free)
            if free:
                group = {"params": [self.rows[field.name]], "lr": rates[field.name]}
                groups.append(group | {"name": field.name})
        self._frames = torch.optim.SparseAdam(groups)
        self._person = torch.optim.Adam([self.shape], lr=s.lr_shape) if free_shape else None
        self._left = dict(_DROPS)

    def states(self, batch: list[int]) -> list[HeadState]:
        """The heads of some frames."""
        index = torch.tensor(batch, device=self.shape.device)
        rows = {
            name: functional.embedding(index, table, sparse=table.requires_grad)
            for name, table in self.rows.items()
        }
        return [self._state({name: x[i] for name, x in rows.items()}) for i in range(len(batch))]

    def _state(self, values: dict[str, Tensor]) -> HeadState:
        eyes = values.pop("eyes").view(2, 6)
        return HeadState(shape=self.shape, eyes=eyes, **values)

    def drop_rates(self, share: float) -> None:
        """Divide the rates where so much is done."""
        for at in [at for at in self._left if share >= at]:
            pose, other = self._left.pop(at)
            for group in self._frames.param_groups:
                group["lr"] /= pose if group["name"] in _POSE else other

    def step(self) -> None:
        self._frames.step()
        self._frames.zero_grad()
        if self._person is not None:
            self._person.step()
            self._person.zero_grad()
        with torch.no_grad():
            self.rows["eyelids"].clamp_(0.0, 1.0)

    def detached(self) -> list[HeadState]:
        """All heads without history."""
        n = len(self.rows["t"])
        with torch.no_grad():
            return [state.detached() for state in self.states(list(range(n)))]
