"""Training on one population only."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.synth.shards import read_meta, read_shard, write_shard
from engine.training.sample_store import SampleStore
from engine.training.settings import NormalTrainSettings
from engine.training.train_normals import TrainPaths, train_normals
from tests.balls import ball_sample


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine samples in two shards: 0, 3 and 6 openhead, the others makehuman."""
    samples = [
        replace(ball_sample(k), meta={"population": "makehuman" if k % 3 else "openhead"})
        for k in range(9)
    ]
    write_shard(tmp_path / "train-000000.tar", samples[:5])
    write_shard(tmp_path / "train-000001.tar", samples[5:])
    return tmp_path


def test_meta_is_read_in_the_order_of_samples(folder: Path):
    shard = folder / "train-000001.tar"
    assert read_meta(shard) == [sample.meta for sample in read_shard(shard)]


def test_meta_of_a_damaged_shard_is_an_error(folder: Path):
    shard = folder / "train-000001.tar"
    shard.write_bytes(b"no tar at all" * 100)
    with pytest.raises(AssetError, match=r"train-000001\.tar is damaged"):
        read_meta(shard)


@pytest.mark.parametrize(
    ("population", "wanted"),
    [("openhead", [0, 3, 6]), ("makehuman", [1, 2, 4, 5, 7, 8]), ("both", list(range(9)))],
)
def test_a_store_gives_samples_of_its_population_only(folder: Path, population, wanted):
    store = SampleStore(folder, "train", 32, population=population)
    assert store.refresh() == len(wanted)
    rows = store.read(np.arange(len(wanted)))
    for row, index in zip(rows, wanted, strict=True):
        assert np.array_equal(row["image"], ball_sample(index).image)


def test_populations_share_their_array_files(folder: Path):
    SampleStore(folder, "train", 32).refresh()
    written = {p: p.stat().st_mtime_ns for p in (folder / ".cache").iterdir()}
    SampleStore(folder, "train", 32, population="openhead").refresh()
    assert {p: p.stat().st_mtime_ns for p in (folder / ".cache").iterdir()} == written


def test_a_population_without_samples_is_named(tmp_path: Path):
    write_shard(tmp_path / "train-000000.tar", [replace(ball_sample(0), meta={})])
    with pytest.raises(AssetError, match="of population makehuman"):
        SampleStore(tmp_path, "train", 32, population="makehuman").refresh()


def test_settings_refuse_another_population():
    with pytest.raises(ValueError, match="both, openhead, makehuman"):
        NormalTrainSettings(population="martians")  # type: ignore[arg-type]
    assert NormalTrainSettings.from_dict({}).population == "both"


def test_a_training_does_not_go_on_with_another_population(folder: Path, tmp_path: Path):
    settings = NormalTrainSettings(
        size_px=32, widths=(8, 8, 8, 8), full_width=4, batch_size=4, steps=1, bf16=False,
        population="openhead",
    )  # fmt: skip
    paths = TrainPaths(folder, tmp_path / "out")
    train_normals(settings, paths)
    with pytest.raises(AssetError, match="population openhead"):
        train_normals(replace(settings, population="makehuman"), paths)
