"""Training learns, goes on where it stopped, and is the same for several processes."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import AssetError
from engine.stages.normal_pose import rotation_from_maps
from engine.synth.shards import write_shard
from engine.training.checkpoint import load_checkpoint, load_into, make_net, read_weights
from engine.training.launch import Alone
from engine.training.normal_metrics import angular_error_deg, mask_iou, rotation_error_deg
from engine.training.sample_store import SampleStore
from engine.training.settings import NormalTrainSettings
from engine.training.train_normals import TrainPaths, train_normals
from tests.balls import ball_normals, ball_sample, write_balls

SMALL = NormalTrainSettings(
    size_px=32, widths=(8, 16, 16, 16), full_width=4, batch_size=16, steps=6, warmup_steps=2,
    lr=4e-3, log_every=2, val_every=3, bf16=False, ema_decay=0.9,
)  # fmt: skip


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open() as file:
        return list(csv.DictReader(file))


def test_training_learns_balls(ball_folder: Path, tmp_path: Path):
    settings = replace(SMALL, steps=180, log_every=20, val_every=180, augment=False)
    scores = train_normals(settings, TrainPaths(ball_folder, tmp_path / "out"))
    assert scores["view_median_deg"] < 15  # an untrained one is at about 90
    assert scores["mask_iou"] > 0.8
    losses = [float(row["loss"]) for row in rows(tmp_path / "out")]
    assert losses[-1] < losses[0] - 1


def test_training_goes_on_where_it_stopped(ball_folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    train_normals(replace(SMALL, steps=4), TrainPaths(ball_folder, out))
    before = load_checkpoint(out / "checkpoint.pt")
    train_normals(replace(SMALL, steps=8), TrainPaths(ball_folder, out))
    after = load_checkpoint(out / "checkpoint.pt")
    assert (before["step"], after["step"]) == (4, 8)
    assert after["epoch"] > before["epoch"]
    assert [row["step"] for row in rows(out)] == ["2", "4", "6", "8"]
    told = json.loads((out / "settings.json").read_text())
    assert (told["widths"], told["steps"]) == ([8, 16, 16, 16], 8)


def test_a_log_of_other_columns_is_kept_in_todays(ball_folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    train_normals(replace(SMALL, steps=4), TrainPaths(ball_folder, out))
    before = rows(out)
    without = [{k: v for k, v in row.items() if k != "pose"} for row in before]
    with (out / "log.csv").open("w") as file:
        writer = csv.DictWriter(file, list(without[0]))
        writer.writeheader()
        writer.writerows(without)
    train_normals(replace(SMALL, steps=6), TrainPaths(ball_folder, out))
    assert [row["step"] for row in rows(out)] == ["2", "4", "6"]
    assert rows(out)[0] == before[0] | {"pose": ""}
    assert float(rows(out)[2]["pose"]) > 0


def test_a_finished_training_is_validated_and_left_as_it_is(ball_folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    scores = train_normals(SMALL, TrainPaths(ball_folder, out))
    kept = {path.name: path.read_bytes() for path in out.iterdir()}
    again = train_normals(SMALL, TrainPaths(ball_folder, out))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == kept
    assert scores
    assert again == pytest.approx(scores)


class TwoAlike(Alone):
    """As if another process had three times the losses."""

    def mean_of(self, values: dict[str, float]) -> dict[str, float]:
        return {name: (value + 3 * value) / 2 for name, value in values.items()}


def test_the_log_has_the_means_of_all_processes(ball_folder: Path, tmp_path: Path):
    short = replace(SMALL, steps=2, log_every=1)
    train_normals(short, TrainPaths(ball_folder, tmp_path / "one"))
    train_normals(short, TrainPaths(ball_folder, tmp_path / "two"), TwoAlike())
    for name in ("loss", "head", "view", "edges", "parsing"):
        one, two = ([float(row[name]) for row in rows(tmp_path / k)] for k in ("one", "two"))
        np.testing.assert_allclose(two, [2 * value for value in one], rtol=1e-4)


def test_the_same_seed_trains_the_same(ball_folder: Path, tmp_path: Path):
    for name in ("a", "b"):
        train_normals(SMALL, TrainPaths(ball_folder, tmp_path / name))
    a, b = (load_checkpoint(tmp_path / name / "checkpoint.pt")["ema"] for name in ("a", "b"))
    assert all(torch.allclose(a[name], b[name], atol=1e-5) for name in a)


def test_training_starts_from_given_weights(ball_folder: Path, tmp_path: Path):
    train_normals(SMALL, TrainPaths(ball_folder, tmp_path / "a"))
    still = replace(SMALL, steps=1, lr=1e-9, lr_end=1e-10)
    init = tmp_path / "a" / "weights.npz"
    train_normals(still, TrainPaths(ball_folder, tmp_path / "b", init=init))
    a, b = (load_checkpoint(tmp_path / name / "checkpoint.pt") for name in ("a", "b"))
    assert torch.allclose(a["ema"]["heads.weight"], b["net"]["heads.weight"], atol=1e-3)


def test_weights_of_a_network_without_global_blocks_are_a_start(ball_folder: Path, tmp_path: Path):
    train_normals(SMALL, TrainPaths(ball_folder, tmp_path / "a"))
    init = tmp_path / "a" / "weights.npz"
    more = replace(SMALL, n_global=2, steps=4)
    train_normals(more, TrainPaths(ball_folder, tmp_path / "b", init=init))
    first, last = "global_blocks.0.back.weight", "global_blocks.1.attention.out.weight"
    trained = load_checkpoint(tmp_path / "b" / "checkpoint.pt")["net"]
    assert float(trained[first].abs().max()) > 0  # they begin at zero, and learn
    assert float(trained[last].abs().max()) > 0
    weights, settings = read_weights(tmp_path / "b" / "weights.npz")
    load_into(make_net(settings), weights, tmp_path)
    with pytest.raises(AssetError, match="n_global"):
        train_normals(SMALL, TrainPaths(ball_folder, tmp_path / "b"))


def test_a_checkpoint_of_another_network_is_not_gone_on_from(ball_folder: Path, tmp_path: Path):
    train_normals(replace(SMALL, steps=1), TrainPaths(ball_folder, tmp_path))
    with pytest.raises(AssetError, match="full_width"):
        train_normals(replace(SMALL, full_width=8), TrainPaths(ball_folder, tmp_path))


def test_time_that_is_up_ends_and_saves(ball_folder: Path, tmp_path: Path):
    train_normals(SMALL, TrainPaths(ball_folder, tmp_path), max_minutes=0)
    assert load_checkpoint(tmp_path / "checkpoint.pt")["step"] == 1


def test_new_shards_are_taken_in_and_old_ones_decoded_once(tmp_path: Path):
    write_balls(tmp_path, "train", 3)
    store = SampleStore(tmp_path, "train", 32)
    assert store.refresh() == 3
    array = next((tmp_path / ".cache").iterdir())
    written = array.stat().st_mtime_ns
    write_balls(tmp_path, "train", 2, first=3)
    assert store.refresh() == 5
    assert array.stat().st_mtime_ns == written
    wanted = [ball_sample(k) for k in (4, 0)]
    for row, sample in zip(store.read(np.array([4, 0])), wanted, strict=True):
        assert np.array_equal(row["image"], sample.image)
        assert np.array_equal(row["points"], sample.points)
        assert np.array_equal(row["K"], sample.camera.K)


def test_folders_that_share_a_cache_keep_their_own_samples(tmp_path: Path):
    for first, name in enumerate(("a", "b")):
        write_balls(tmp_path / name, "train", 1, first=first)
    for first, name in enumerate(("a", "b")):
        store = SampleStore(tmp_path / name, "train", 32, tmp_path / "cache")
        store.refresh()
        assert np.array_equal(store.read(np.array([0]))[0]["image"], ball_sample(first).image)


def test_a_folder_without_shards_is_named(tmp_path: Path):
    with pytest.raises(AssetError, match=r"no train-\*\.tar"):
        SampleStore(tmp_path, "train", 32).refresh()


def test_crops_of_another_size_are_refused(tmp_path: Path):
    write_balls(tmp_path, "train", 1)
    with pytest.raises(AssetError, match="crops of 32 px, expected 64"):
        SampleStore(tmp_path, "train", 64).refresh()


def test_scores_have_known_answers():
    x, y = np.eye(3, dtype=np.float32)[:2]
    assert float(angular_error_deg(x, y)) == pytest.approx(90)
    a, b = np.array([True, True, False]), np.array([False, True, True])
    assert mask_iou(a, b) == pytest.approx(1 / 3)
    assert mask_iou(a & False, b & False) == 1


def test_the_rotation_between_two_maps_is_found():
    from scipy.spatial.transform import Rotation

    R = Rotation.from_euler("yxz", [40, -20, 10], degrees=True).as_matrix()
    view = ball_normals(32, 14.0, (15.0, 16.0))
    head = (view @ R).astype(np.float32)
    weight = view.any(-1).astype(np.float32)
    head[0, 0] = [1, 0, 0]  # of weight 0
    assert rotation_error_deg(rotation_from_maps(head, view, weight), R) < 1e-4
    with pytest.raises(ValueError, match="no pixel"):
        rotation_from_maps(head, view, 0 * weight)


@pytest.mark.slow
def test_two_processes_have_the_loss_of_one(tmp_path: Path):
    """All samples are equal: each half of a batch has the statistics of the whole."""
    pytest.importorskip("lightning_fabric")
    for split in ("train", "val"):
        same = ball_sample(0)
        copies = [replace(same, key=f"s{k}") for k in range(16)]
        write_shard(tmp_path / f"{split}-000000.tar", copies)
    config = tmp_path / "settings.toml"
    config.write_text(
        "size_px = 32\nwidths = [8, 8, 8, 8]\nfull_width = 4\nbatch_size = 8\nsteps = 3\n"
        "log_every = 1\nval_every = 3\nbf16 = false\naugment = false\n"
    )
    losses = {}
    for devices in (1, 2):
        out = tmp_path / f"out{devices}"
        command = [sys.executable, "-m", "app", "train", "normals", "--data", str(tmp_path),
                   "--out", str(out), "--config", str(config), "--threads", "1",
                   "--devices", str(devices)]  # fmt: skip
        command += ["--strategy", "ddp"] if devices > 1 else []
        subprocess.run(command, check=True, timeout=180, env={**os.environ, "OMP_NUM_THREADS": "1"})
        losses[devices] = [float(row["loss"]) for row in rows(out)]
    np.testing.assert_allclose(losses[1], losses[2], rtol=1e-3)
