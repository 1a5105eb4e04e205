"""N2FNet's batches: drawn, predicted and real maps in the shares of each stage."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from engine.errors import AssetError
from engine.synth.map_files import MapStore
from engine.training.degradation import Degradation, degraded
from engine.training.launch import Launch
from engine.training.n2f_augment import MirrorMap, augmented
from engine.training.n2f_batch import N2FBatch, batch_from_map_rows, joined
from engine.training.n2f_settings import N2FSettings, Stage
from engine.training.point_code import PointCode
from engine.training.row_source import Progress, StoredRows
from engine.training.sample_store import Rows
from engine.types import N_MEDIAPIPE

__all__ = ["SOURCES", "MapFolders", "N2FSource", "check_store", "share_counts"]

_N_FOR_POINTS = 4000
SOURCES = ("drawn", "predicted", "real")
"""As in `Stage.shares`."""


@dataclass(frozen=True, slots=True)
class MapFolders:
    """Folders of `map_files`, as far as the stages need them."""

    drawn: Path | None = None
    predicted: Path | None = None
    real: Path | None = None


@dataclass(slots=True)
class _Open:
    batch_size: int
    rows: Iterator[Rows]


@dataclass(slots=True)
class N2FSource:
    """Batches for ever; each source goes through its own samples in a new order in each epoch."""

    settings: N2FSettings
    folders: MapFolders
    model_id: str
    on: Launch
    mirror: MirrorMap | None = None
    progress: dict[str, Progress] = field(default_factory=dict)
    _stores: dict[str, MapStore] = field(default_factory=dict)
    _open: dict[str, _Open] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises: AssetError: if a stage needs a folder that is not given or cannot be used."""
        for stage in self.settings.stages:
            for name, share in zip(SOURCES, stage.shares, strict=True):
                if not share or name in self._stores:
                    continue
                folder: Path | None = getattr(self.folders, name)
                if folder is None:
                    raise AssetError(
                        f"stage {stage.name} of {self.settings.name} needs {name} maps; give "
                        f"--{name} FOLDER, or settings without them"
                    )
                store = MapStore(folder, "train", self.model_id)
                store.refresh()
                check_store(self.settings, store)
                self._stores[name] = store

    def batch(self, step: int, should_stop: Callable[[], bool]) -> N2FBatch:
        """This process' share of the batch of a step, degraded as its stage wants."""
        stage, done = self.settings.stage_at(step)
        seed = hash((self.settings.seed, step, self.on.rank)) % 2**63
        random = torch.Generator().manual_seed(seed)
        parts = []
        counts = share_counts(stage.shares, self.settings.batch_size)
        for name, count in zip(SOURCES, counts, strict=True):
            if not count:
                continue
            picture = "image" in self.settings.inputs
            rows = self._rows(name, count, should_stop)
            batch = batch_from_map_rows(rows, self.settings.trunk_px, picture=picture)
            if name == "drawn" and (strength := _strength(stage, done)):
                batch = degraded(batch, Degradation().scaled(strength), random)
            parts.append(batch)
        batch = joined(parts)
        return augmented(batch, self.mirror, random) if self.settings.augment else batch

    def teach_points(self, code: PointCode) -> None:
        """Let it learn from samples as they are.

        Raises: AssetError: if no source has enough samples with points.
        """
        found = [torch.zeros(0, N_MEDIAPIPE, 3)]
        for store in self._stores.values():
            chosen = np.linspace(0, len(store) - 1, min(len(store), _N_FOR_POINTS)).astype(int)
            rows = store.read(chosen)
            if "points" in (rows.dtype.names or ()):
                found.append(torch.from_numpy(rows["points"].copy()))
        try:
            code.learn_basis(torch.cat(found))
        except ValueError as error:
            raise AssetError(
                f"{self.settings.name} looks at MediaPipe's points: {error}; predict maps of more "
                "samples (--shards), or make those anew that are older"
            ) from error

    def _rows(self, name: str, count: int, should_stop: Callable[[], bool]) -> Rows:
        if name not in self._open or self._open[name].batch_size != count:
            seed = self.settings.seed + SOURCES.index(name)
            stored = StoredRows(self._stores[name], count, seed, self.on)
            progress = self.progress.setdefault(name, Progress())
            self._open[name] = _Open(count, stored.batches(progress, should_stop))
        return next(self._open[name].rows)


def check_store(settings: N2FSettings, store: MapStore) -> None:
    """See that maps have what the network looks at; drawn ones never have points.

    Raises: AssetError: if they have not.
    """
    if "head" in settings.inputs and store.info.map_px != settings.trunk_px:
        raise AssetError(
            f"{store.folder} has maps of {store.info.map_px} px, the settings want "
            f"{settings.trunk_px} (trunk_px); make them of that size"
        )
    if "image" in settings.inputs and store.info.kind == "drawn":
        raise AssetError(f"{store.folder} has no pictures; {settings.name} learns of RGB")
    fields = store.read(np.array([0])).dtype.names or ()
    if "points" in settings.inputs and store.info.kind != "drawn" and "points" not in fields:
        raise AssetError(
            f"{store.folder} has no MediaPipe points, which {settings.name} looks at; make its "
            "maps anew (--shards), or choose a configuration without them"
        )


def share_counts(shares: tuple[float, ...], n: int) -> list[int]:
    """Whole numbers that add up to n, in proportion to the shares."""
    total, counts, given = sum(shares), [], 0
    reached = 0.0
    for share in shares:
        reached += share
        counts.append(round(n * reached / total) - given)
        given += counts[-1]
    return counts


def _strength(stage: Stage, done: int) -> float:
    """Rises over the ramp."""
    if not stage.ramp_steps:
        return stage.degradation
    return stage.degradation * min(1.0, done / stage.ramp_steps)
