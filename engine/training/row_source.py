"""Where training takes its batches from: a folder of shards, or see `fly`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.training.launch import Launch
from engine.training.sample_store import Rows

__all__ = ["Progress", "RowSource", "Store", "StoredRows"]


@dataclass(slots=True)
class Progress:
    """How far a training is in its samples; kept in its checkpoint."""

    epoch: int = 0  # of a folder of shards
    next_index: int = 0  # of samples made on the fly


class Store(Protocol):
    """Rows in files, such as `SampleStore`."""

    def __len__(self) -> int: ...

    def refresh(self, *, may_write: bool = True) -> int: ...

    def read(self, indices: npt.NDArray[np.integer[Any]]) -> Rows: ...


class RowSource(Protocol):
    """Samples to learn from."""

    def batches(self, progress: Progress, should_stop: Callable[[], bool]) -> Iterator[Rows]:
        """This process' share of batches, for ever.

        Args:
            progress: where to begin; is moved on.
            should_stop: asked while waiting for samples; the batches end once it says so.
        """

    def close(self) -> None:
        """End what makes the samples."""


class StoredRows:
    """A folder of shards, in a new order, and with new shards, in each epoch."""

    def __init__(self, store: Store, batch_size: int, seed: int, on: Launch) -> None:
        """Decode the shards: the first process does it for all.

        Raises: AssetError: if there are none or one cannot be used.
        """
        self._store, self._batch_size, self._seed, self._on = store, batch_size, seed, on
        self._refresh()

    def batches(self, progress: Progress, should_stop: Callable[[], bool]) -> Iterator[Rows]:
        size = self._batch_size
        while True:
            order = np.random.default_rng((self._seed, progress.epoch)).permutation(
                len(self._store)
            )
            if len(order) < size:
                order = np.resize(order, size)
            for first in range(0, len(order) - size + 1, size):
                mine = order[first : first + size][self._on.rank :: self._on.n_ranks]
                yield self._store.read(np.sort(mine))
            progress.epoch += 1
            self._refresh()

    def close(self) -> None:
        return

    def _refresh(self) -> None:
        if self._on.rank == 0:
            self._store.refresh()
        self._on.wait()
        if self._on.rank > 0:
            self._store.refresh(may_write=False)
