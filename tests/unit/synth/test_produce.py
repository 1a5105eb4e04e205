"""Production: same bytes for any number of workers, going on, failures by name."""

import importlib.util
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import engine.synth.produce
from engine.errors import AssetError, EngineError, OutputError, ProviderError
from engine.synth.manifest import read_manifest
from engine.synth.produce import Progress, produce
from engine.synth.settings import SynthSettings
from engine.synth.shards import read_shard, shard_bytes
from engine.synth.workers import MakeMaker, WorkerPool
from tests.synth_fakes import (
    CrashingMaker,
    FailingMaker,
    NoiseMaker,
    ThreadCountMaker,
    made_sample,
    no_maker,
)

SETTINGS = SynthSettings(seed=3, size_px=16)


def make(out: Path, n: int, **kwargs: object):
    given = {"workers": 1, "samples_per_shard": 4, "make_maker": NoiseMaker} | kwargs
    return produce(given.pop("settings", SETTINGS), out, n, given.pop("workers"), **given)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def no_pool(*args: object) -> None:
    raise AssertionError("there is nothing to make")


def test_one_worker_and_two_write_the_same_bytes(tmp_path: Path):
    one = make(tmp_path / "one", 10, workers=1)
    two = make(tmp_path / "two", 10, workers=2)
    assert one == two == read_manifest(tmp_path / "one")
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert [entry.count for _, entry in sorted(one.shards.items())] == [4, 4, 2]
    assert one.model_ids == ("made",)
    keys = [sample.key for path in one.paths(tmp_path / "one") for sample in read_shard(path)]
    assert keys == [f"train-{i:08d}" for i in range(10)]
    last, entry = shard_bytes([made_sample(SETTINGS, i) for i in (8, 9)])
    assert (tmp_path / "one" / "train-000002.tar").read_bytes() == last
    assert one.shards["train-000002.tar"] == entry


def test_finished_shards_are_kept_and_broken_ones_made_again(tmp_path: Path, caplog):
    make(tmp_path, 12)
    before = content(tmp_path)
    (tmp_path / "train-000001.tar").write_bytes(b"broken")
    (tmp_path / "train-000002.tar").unlink()
    told: list[Progress] = []
    make(tmp_path, 12, progress=told.append)
    assert content(tmp_path) == before
    assert told[0] == Progress(n=12, n_kept=4, n_made=0)
    assert told[-1] == Progress(n=12, n_kept=4, n_made=8)
    assert [p.n_made for p in told] == sorted(p.n_made for p in told)
    assert "train-000001.tar is missing or damaged" in caplog.text


def test_a_finished_folder_starts_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = make(tmp_path, 4)
    monkeypatch.setattr(engine.synth.produce, "WorkerPool", no_pool)
    assert make(tmp_path, 4) == first


def test_a_larger_number_goes_on_and_ends_as_if_asked_for_at_once(tmp_path: Path):
    make(tmp_path / "grown", 6)
    make(tmp_path / "grown", 10)
    make(tmp_path / "whole", 10)
    assert content(tmp_path / "grown") == content(tmp_path / "whole")


def test_a_smaller_number_is_refused(tmp_path: Path):
    make(tmp_path, 6)
    with pytest.raises(OutputError, match="holds 6 train samples, more than the 5 asked for"):
        make(tmp_path, 5)


def test_other_settings_are_refused_by_name(tmp_path: Path):
    make(tmp_path, 4)
    with pytest.raises(OutputError, match=r"\(seed 3 there, 4 asked for\); choose another folder"):
        make(tmp_path, 4, settings=SynthSettings(seed=4, size_px=16))
    with pytest.raises(OutputError, match="samples_per_shard 4 there, 5 asked for"):
        make(tmp_path, 4, samples_per_shard=5)
    assert read_manifest(tmp_path).seed == 3


def test_varied_and_plain_samples_are_kept_apart_in_training_alone(tmp_path: Path):
    plain = SynthSettings(seed=3, size_px=16, varied=False)
    make(tmp_path, 4, settings=plain)
    with pytest.raises(OutputError, match="varied False there, True asked for"):
        make(tmp_path, 4, settings=SynthSettings(seed=3, size_px=16))
    make(tmp_path, 4, settings=replace(plain, split="val"))
    make(tmp_path, 4, settings=replace(plain, split="val", varied=True))


def test_both_splits_may_lie_in_one_folder(tmp_path: Path):
    make(tmp_path, 4)
    make(tmp_path, 2, settings=SynthSettings(seed=3, size_px=16, split="val"))
    names = ["manifest-train.json", "manifest-val.json", "train-000000.tar", "val-000000.tar"]
    assert sorted(content(tmp_path)) == names


def test_a_pack_counts_by_its_content_not_its_place(tmp_path: Path):
    packs = [tmp_path / f"{name}.npz" for name in "abc"]
    for pack, data in zip(packs, (b"one", b"one", b"two"), strict=True):
        pack.write_bytes(data)
    settings = [SynthSettings(seed=3, size_px=16, pack=pack) for pack in packs]
    make(tmp_path / "out", 1, settings=settings[0])
    make(tmp_path / "out", 1, settings=settings[1])
    with pytest.raises(OutputError, match=r"pack 7692c3ad.* there, 3fc4ccfe.* asked for"):
        make(tmp_path / "out", 1, settings=settings[2])
    with pytest.raises(AssetError, match=r"none\.npz cannot be read: No such file"):
        make(tmp_path / "new", 1, settings=SynthSettings(pack=tmp_path / "none.npz"))


@pytest.mark.parametrize(
    ("maker", "kind", "message"),
    [
        (CrashingMaker, EngineError, r"train-000001\.tar \(samples 4 to 7\) died \(exit code 9\)"),
        (
            FailingMaker,
            EngineError,
            r"train-000001\.tar \(samples 4 to 7\) cannot be made: ZeroDivisionError: no such ang",
        ),
        (no_maker, AssetError, r"train-000000\.tar .*: the pack is damaged; make it again"),
    ],
)
def test_a_failure_names_the_shard_and_leaves_whole_ones(
    tmp_path: Path, maker: MakeMaker, kind: type[EngineError], message: str
):
    with pytest.raises(kind, match=message):
        make(tmp_path, 12, make_maker=maker)
    there = set(content(tmp_path)) - {"manifest-train.json"}
    assert there == set(read_manifest(tmp_path).shards) <= {"train-000000.tar"}
    make(tmp_path, 12)
    assert read_manifest(tmp_path).n_done == 12


def test_interrupting_leaves_whole_shards_and_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pools: list[WorkerPool] = []

    def watched(*args: object) -> WorkerPool:
        pools.append(WorkerPool(*args))
        return pools[0]

    def interrupt(progress: Progress) -> None:
        if progress.n_made == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(engine.synth.produce, "WorkerPool", watched)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, 12, progress=interrupt)
    assert sorted(content(tmp_path)) == ["manifest-train.json", "train-000000.tar"]
    assert read_manifest(tmp_path).n_done == 4
    assert pools[0].n_idle == 0
    assert pools[0]._workers == []


def test_workers_use_one_thread_each_and_the_parent_keeps_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("LP_NUM_THREADS", raising=False)
    manifest = make(tmp_path, 2, samples_per_shard=1, workers=2, make_maker=ThreadCountMaker)
    for path in manifest.paths(tmp_path):
        meta = next(read_shard(path)).meta
        assert {meta[k] for k in meta if k.endswith("_THREADS")} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "LP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("wrong", [{"n": 0}, {"workers": 0}, {"samples_per_shard": 0}])
def test_counts_below_one_are_refused(tmp_path: Path, wrong: dict[str, int]):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} 0, expected at least 1"):
        make(tmp_path, **{"n": 1, **wrong})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_told(tmp_path: Path):
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        make(tmp_path / "out", 1)


def test_without_ray_the_message_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "engine.synth.ray_pool", raising=False)
    with pytest.raises(EngineError, match=re.escape("pip install 'n2fnet[ray]'")):
        make(tmp_path, 1, ray_address="local")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray cluster of two processors on this machine."""
    ray = pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra `ray`")
class TestRay:
    """The same work through Ray."""

    def test_a_place_without_a_cluster_is_told_at_once(self):
        from engine.synth.ray_pool import _connect

        with pytest.raises(ProviderError, match=r"no Ray cluster at '127\.0\.0\.1:1': .*refused"):
            _connect("127.0.0.1:1")

    def test_ray_writes_the_same_bytes_and_sends_the_pack(self, tmp_path: Path, cluster: None):
        pack = tmp_path / "pack.npz"
        pack.write_bytes(b"one")
        settings = SynthSettings(seed=3, size_px=16, pack=pack)
        make(tmp_path / "here", 10, settings=settings)
        told: list[Progress] = []
        make(tmp_path / "ray", 10, settings=settings, ray_address="auto", progress=told.append)
        assert content(tmp_path / "ray") == content(tmp_path / "here")
        assert told[-1].n_made == 10

    def test_ray_failures_name_the_shard(self, tmp_path: Path, cluster: None):
        with pytest.raises(EngineError, match=r"train-000001\.tar .* ZeroDivisionError"):
            make(tmp_path, 8, ray_address="auto", make_maker=FailingMaker)
        with pytest.raises(EngineError, match=r"Ray worker that made train-000001\.tar .* died"):
            make(tmp_path, 8, ray_address="auto", make_maker=CrashingMaker)
        assert set(json.loads((tmp_path / "manifest-train.json").read_text())["shards"]) <= {
            "train-000000.tar"
        }
