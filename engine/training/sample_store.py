"""Samples for training: each shard is decoded once into an array file and memory-mapped."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import AssetError
from engine.files import replacing
from engine.synth.sample import Sample
from engine.synth.settings import Population
from engine.synth.shards import read_meta, read_shard
from engine.types import N_MEDIAPIPE

__all__ = ["Rows", "SampleStore", "row_type", "row_values"]

Rows = npt.NDArray[np.void]


def row_type(size: int) -> np.dtype[np.void]:
    """A sample in an array file: fields as in `Sample`, K the crop's camera."""
    return np.dtype(
        [
            ("image", np.uint8, (size, size, 3)),
            ("head_normals", np.uint8, (size, size, 3)),
            ("view_normals", np.uint8, (size, size, 3)),
            ("parsing", np.uint8, (size, size)),
            ("points", np.float32, (N_MEDIAPIPE, 3)),
            ("landmarks68", np.float32, (68, 2)),
            ("K", np.float64, (3, 3)),
        ]
    )


def row_values(sample: Sample) -> tuple[Any, ...]:
    """A sample's values in the order of `row_type`."""
    names = row_type(len(sample.image)).names or ()
    return tuple(sample.camera.K if name == "K" else getattr(sample, name) for name in names)


def _name_of(folder: Path) -> str:
    """Of its own for each folder: shards of all folders have the same names."""
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]


class SampleStore:
    """All samples of one split in a folder of shards."""

    def __init__(
        self,
        folder: Path,
        split: str,
        size: int,
        cache: Path | None = None,
        population: Population = "both",
    ) -> None:
        """
        Args:
            folder: where `{split}-*.tar` are, or will be.
            size: pixels of the crops' side.
            cache: where array files go, below it one folder for each folder of shards. Default:
                `.cache` in the folder.
            population: whose samples are taken; array files hold those of both all the same.
        """
        self.folder, self.split, self.size, self.population = folder, split, size, population
        self._cache = folder / ".cache" if cache is None else cache / _name_of(folder)
        self._maps: dict[Path, Rows] = {}
        self._kept: dict[Path, npt.NDArray[np.int64]] = {}  # rows of the population
        self._starts = np.zeros(1, np.int64)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def refresh(self, *, may_write: bool = True) -> int:
        """Take in shards that have come since; returns how many samples there are now.

        Args:
            may_write: False: take only shards that another process has decoded.
        Raises: AssetError: if there are no shards at all, or one is damaged or of another size.
        """
        for shard in sorted(self.folder.glob(f"{self.split}-*.tar")):
            if shard in self._maps:
                continue
            array = self._cache / f"{shard.stem}.npy"
            if not array.exists() or array.stat().st_mtime < shard.stat().st_mtime:
                if not may_write:
                    continue
                self._decode(shard, array)
            self._maps[shard] = self._open(array)
            self._kept[shard] = self._rows_of_population(shard)
        if not self._maps:
            raise AssetError(
                f"{self.folder} has no {self.split}-*.tar; make samples with: "
                f"n2f synth --split {self.split} --out {self.folder}"
            )
        self._starts = np.cumsum([0, *(len(rows) for rows in self._kept.values())])
        if not len(self):
            raise AssetError(
                f"{self.folder}: no sample in {self.split}-*.tar is of population "
                f"{self.population}; set another in the settings, or make such samples"
            )
        return len(self)

    def read(self, indices: npt.NDArray[np.integer[Any]]) -> Rows:
        """(n,) rows of `row_type`, copied."""
        rows = np.empty(len(indices), row_type(self.size))
        maps, kept = list(self._maps.values()), list(self._kept.values())
        shards = np.searchsorted(self._starts, indices, side="right") - 1
        for k, (shard, index) in enumerate(zip(shards.tolist(), indices.tolist(), strict=True)):
            rows[k] = maps[shard][kept[shard][index - self._starts[shard]]]
        return rows

    def _rows_of_population(self, shard: Path) -> npt.NDArray[np.int64]:
        if self.population == "both":
            return np.arange(len(self._maps[shard]))
        names = [meta.get("population") for meta in read_meta(shard)]
        return np.flatnonzero(np.array(names) == self.population)

    def _decode(self, shard: Path, array: Path) -> None:
        samples = [self._row(shard, sample) for sample in read_shard(shard)]
        if not samples:
            raise AssetError(f"{shard} holds no sample; delete it and run n2f synth again")
        with replacing(array) as temporary:
            np.save(temporary, np.array(samples, row_type(self.size)))

    def _row(self, shard: Path, sample: Sample) -> tuple[Any, ...]:
        if len(sample.image) != self.size:
            raise AssetError(
                f"{shard} holds crops of {len(sample.image)} px, expected {self.size}; set size_px "
                "in the settings, or make other samples"
            )
        return row_values(sample)

    def _open(self, array: Path) -> Rows:
        try:
            rows: Rows = np.load(array, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise AssetError(f"{array} is damaged ({error}); delete it") from error
        if rows.dtype != row_type(self.size):
            raise AssetError(f"{array} is of another version or size; delete {array.parent}")
        return rows
