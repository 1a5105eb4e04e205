"""Rows of predicted maps: averaged maps, and the head where its parameters put it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.frames import project
from engine.stages.weak_perspective import CropPose, face_anchor, pose_in_view
from engine.synth.map_files import MapStore
from engine.synth.predicted_maps import TrueMaps, predict_maps, predicted_row
from engine.synth.sample import MASK_CLASSES, Sample
from engine.synth.shards import write_shard
from engine.types import FlameParams
from tests.balls import ball_sample, write_balls
from tests.bumpy_head import bumpy_head
from tests.onnx_files import save_normal_net, sphere_normals

HEAD = bumpy_head(level=2)


def sample_of(index: int) -> Sample:
    random = np.random.default_rng(index)
    params = FlameParams.neutral(HEAD.model_id, HEAD.n_shape, HEAD.n_expr).with_values(
        shape=random.normal(0, 1, HEAD.n_shape).astype(np.float32),
        t=np.array([0.02, -0.01, -0.7]),
    )
    return replace(ball_sample(index, 128), params=params)


def test_a_row_holds_means_and_the_way_back_to_the_camera():
    sample = sample_of(1)
    anchor = face_anchor(HEAD)
    row = predicted_row(sample, TrueMaps().maps(sample), anchor, 64)
    mask = np.isin(sample.parsing, MASK_CLASSES).reshape(64, 2, 64, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(row["mask"] / 255, mask, atol=1 / 255)
    assert np.array_equal(row["image"], sample.image)
    pose = CropPose(row["R"].astype(float), row["camera"].astype(float))
    R, t = pose_in_view(sample.camera, pose, anchor)
    np.testing.assert_allclose(R, sample.params.R, atol=1e-6)
    np.testing.assert_allclose(t, sample.params.t, atol=1e-6)
    seen = (project(R @ anchor + t, sample.camera.K) + 0.5) / 128
    np.testing.assert_allclose(row["camera"][1:], seen - 0.5, atol=1e-6)


def test_only_samples_of_the_head_model_are_taken(tmp_path: Path):
    write_shard(tmp_path / "train-000000.tar", [sample_of(0), ball_sample(1, 128), sample_of(2)])
    out = tmp_path / "out"
    assert predict_maps(tmp_path, "train", HEAD, out, network=None) == 2
    assert predict_maps(tmp_path, "train", HEAD, out, network=None) == 0  # is there
    store = MapStore(out, "train", HEAD.model_id)
    assert store.refresh() == 2
    rows = store.read(np.array([1]))
    np.testing.assert_array_equal(rows["shape"][0], sample_of(2).params.shape)
    with pytest.raises(AssetError, match="belongs to head model"):
        MapStore(out, "train", "1" * 64)


def test_the_networks_maps_are_stored(tmp_path: Path):
    write_shard(tmp_path / "val-000000.tar", [sample_of(0)])
    network = save_normal_net(tmp_path / "net.onnx", 128)
    predict_maps(tmp_path, "val", HEAD, tmp_path / "out", network=network, threads=1)
    row = np.load(tmp_path / "out" / "val-000000.npy")[0]
    middle = row["view"][32, 32].astype(float) / 127.5 - 1
    np.testing.assert_allclose(middle, sphere_normals(128)[64, 64], atol=0.03)
    assert (row["mask"][32, 32], row["mask"][0, 0]) == (255, 0)
    red = sample_of(0).image[64:66, 64:66, 0].mean()
    assert row["confidence"][32, 32] == pytest.approx(red, abs=1)


def test_shards_of_other_heads_are_refused(tmp_path: Path):
    write_balls(tmp_path, "train", 2, size=128)
    with pytest.raises(AssetError, match="--population openhead"):
        predict_maps(tmp_path, "train", HEAD, tmp_path / "out", network=None)
    with pytest.raises(AssetError, match=r"no val-\*\.tar"):
        predict_maps(tmp_path, "val", HEAD, tmp_path / "out", network=None)
