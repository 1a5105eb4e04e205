"""Training on the fly: worker processes make the samples while they are learned from."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from engine.errors import EngineError
from engine.synth.sample import Sample
from engine.synth.settings import SynthSettings
from engine.synth.stream import SampleStream
from engine.synth.workers import MakeMaker, cpu_count, default_maker
from engine.training.launch import Launch
from engine.training.row_source import Progress
from engine.training.sample_store import Rows, row_type, row_values
from engine.training.settings import NormalTrainSettings

__all__ = ["Fly", "FlyingRows"]

log = logging.getLogger(__name__)

_FIRST_SEED: Final = 2**33
"""Far from the seeds that people give: stored samples and these are never the same ones."""
_RANK_STRIDE: Final = 2**40
"""Indices apart that the processes of a training begin at."""


@dataclass(frozen=True, slots=True)
class Fly:
    """How samples are made in place of being read."""

    pack: Path | None = None  # heads, skins, hair and lights; None: the built-in ones
    workers: int | None = None  # of each process; None: processors, less one for the training
    make_maker: MakeMaker = default_maker


class FlyingRows:
    """Samples that are used once and never again: a training that goes on takes the next ones."""

    def __init__(self, fly: Fly, settings: NormalTrainSettings, on: Launch) -> None:
        self._fly, self._on = fly, on
        self._n = len(range(on.rank, settings.batch_size, on.n_ranks))
        self._synth = SynthSettings(
            seed=_FIRST_SEED + settings.seed,
            size_px=settings.size_px,
            split="train",
            population=settings.population,
            pack=fly.pack,
        )
        self._stream: SampleStream | None = None

    def batches(self, progress: Progress, should_stop: Callable[[], bool]) -> Iterator[Rows]:
        """See `RowSource.batches`.

        Raises: EngineError: if a sample cannot be made, or a worker dies.
        """
        stream = self._stream = self._start(progress.next_index)
        kind = row_type(self._synth.size_px)
        while True:
            rows = np.empty(self._n, kind)
            for k in range(self._n):
                sample = _next_sample(stream, should_stop)
                if sample is None:
                    return
                rows[k] = row_values(sample)
            progress.next_index += self._n
            yield rows

    def close(self) -> None:
        """End the workers."""
        if self._stream is not None:
            self._stream.close()

    def _start(self, next_index: int) -> SampleStream:
        workers = self._fly.workers or max(1, (cpu_count() - 1) // self._on.n_ranks)
        log.info(
            "%d workers make samples from number %d on, with %s",
            workers,
            next_index,
            self._fly.pack or "built-in looks",
        )
        return SampleStream(
            self._synth,
            workers,
            self._on.rank * _RANK_STRIDE + next_index,
            n_ready=max(64, 2 * self._n),
            make_maker=self._fly.make_maker,
        )


def _next_sample(stream: SampleStream, should_stop: Callable[[], bool]) -> Sample | None:
    """None: told to stop meanwhile."""
    while not should_stop():
        try:
            sample = stream.poll()
        except EngineError:
            if should_stop():  # a signal to the whole process group ends the workers too
                return None
            raise
        if sample is not None:
            return sample
    return None
