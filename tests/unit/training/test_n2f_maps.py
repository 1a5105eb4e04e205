"""What a training of N2FNet lacks, or was given in vain, is told before anything is made."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError, ModelContractError
from engine.stages.weak_perspective import face_anchor
from engine.synth.map_files import MapInfo, begin_folder, rows_path, write_rows
from engine.synth.predicted_maps import TrueMaps, predicted_row
from engine.synth.sample import Sample
from engine.synth.shards import read_model_ids, write_shard
from engine.training.checkpoint import save_checkpoint, write_weights
from engine.training.finetune import without_predicted
from engine.training.n2f_maps import MapSources, check_sources
from engine.training.n2f_settings import N2FSettings, Stage, read_n2f_settings
from engine.training.n2f_weights import N2FNET, N2FRecipe
from engine.training.train_n2fnet import check_init
from engine.types import FlameParams
from tests.balls import ball_sample
from tests.bumpy_head import bumpy_head
from tests.onnx_files import save_normal_net

HEAD = bumpy_head(level=2)
SMALL = N2FSettings(
    name="small", widths=(8, 8, 8), hidden=16, grid_width=8, stages=(Stage("one", 1, predicted=1),)
)  # fmt: skip
POINTS = replace(SMALL, inputs=("head", "mask", "coordinates", "points"))


def sample_of(index: int) -> Sample:
    params = FlameParams.neutral(HEAD.model_id, HEAD.n_shape, HEAD.n_expr)
    return replace(ball_sample(index, 128), params=params.with_values(t=np.array([0, 0, -0.7])))


def maps_in(folder: Path, *, without: tuple[str, ...] = (), map_px: int = 64) -> Path:
    """A folder of predicted maps with one row, less some fields."""
    sample = sample_of(0)
    row = predicted_row(sample, TrueMaps().maps(sample), face_anchor(HEAD), map_px)
    kept = [name for name in row.dtype.names or () if name not in without]
    begin_folder(folder, MapInfo("predicted", HEAD.model_id, map_px))
    write_rows(rows_path(folder, "train", 0), [np.array(row[kept], row[kept].dtype)])
    return folder


def weights_of(settings: N2FSettings, path: Path) -> Path:
    recipe = N2FRecipe.of(settings, HEAD)
    net = recipe.make_net().state_dict()
    if path.suffix == ".npz":
        write_weights(path, net, recipe)
    else:
        content = {"net": net, "ema": net, "optimiser": {}, "step": 0, "progress": {}}
        save_checkpoint(path, content, recipe, N2FNET)
    return path


@pytest.mark.parametrize("name", ["init.npz", "checkpoint.pt"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": ("head", "coordinates")}, r"has inputs .*'mask'.*, the settings .*\(--init\)"),
        ({"trunk_px": 128}, "has trunk_px 64, the settings 128"),
        ({"widths": (8, 8, 16)}, r"has widths \(8, 8, 8\)"),
        ({"hidden": 32}, "has hidden 16, the settings 32"),
    ],
)
def test_weights_of_other_sizes_are_told_at_once(
    name: str, change: dict, message: str, tmp_path: Path
):
    path = weights_of(SMALL, tmp_path / name)
    init = path if path.suffix == ".npz" else None
    check_init(SMALL, HEAD, init, tmp_path)
    with pytest.raises(AssetError, match=f"{name} {message}"):
        check_init(replace(SMALL, **change), HEAD, init, tmp_path)
    with pytest.raises(ModelContractError, match="was trained for"):
        check_init(SMALL, replace(HEAD, model_id="1" * 64), init, tmp_path)


def test_points_that_nothing_can_show_are_told_at_once(tmp_path: Path):
    check_init(POINTS, HEAD, None, tmp_path)
    with pytest.raises(AssetError, match="points, which drawn maps have not"):
        check_init(replace(POINTS, stages=(Stage("one", 1),)), HEAD, None, tmp_path)


def test_maps_without_points_are_refused_where_they_are_looked_at(tmp_path: Path):
    whole = maps_in(tmp_path / "whole")
    check_sources(POINTS, HEAD, MapSources(predicted=whole))
    without = maps_in(tmp_path / "without", without=("points",))
    check_sources(SMALL, HEAD, MapSources(predicted=without))
    with pytest.raises(AssetError, match="has no MediaPipe points, which small looks at"):
        check_sources(POINTS, HEAD, MapSources(predicted=without))


def test_maps_of_another_size_are_refused(tmp_path: Path):
    small = maps_in(tmp_path / "small", map_px=32)
    with pytest.raises(AssetError, match="has maps of 32 px, the settings want 64"):
        check_sources(SMALL, HEAD, MapSources(predicted=small))


def test_shards_of_another_head_are_refused(tmp_path: Path):
    network = save_normal_net(tmp_path / "net.onnx", 128)
    sources = MapSources(shards=tmp_path, normals=network)
    write_shard(tmp_path / "train-000000.tar", [ball_sample(0, 128), ball_sample(1, 128)])
    with pytest.raises(AssetError, match=r"no sample of train-\*\.tar is of head model"):
        check_sources(SMALL, HEAD, sources)
    write_shard(tmp_path / "train-000001.tar", [ball_sample(2, 128), sample_of(3)])
    check_sources(SMALL, HEAD, sources)
    assert list(read_model_ids(tmp_path / "train-000001.tar"))[1] == HEAD.model_id
    write_shard(tmp_path / "val-000000.tar", [ball_sample(4, 128)])
    with pytest.raises(AssetError, match=r"no sample of val-\*\.tar"):
        check_sources(SMALL, HEAD, sources)


def test_a_damaged_shard_is_named(tmp_path: Path):
    (tmp_path / "train-000000.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(AssetError, match=r"train-000000\.tar is damaged"):
        check_sources(SMALL, HEAD, MapSources(shards=tmp_path))


@pytest.mark.parametrize("given", ["photos", "real"])
def test_real_faces_that_no_stage_learns_of_are_refused(given: str, tmp_path: Path):
    with pytest.raises(AssetError, match="no stage of small has a share `real`: --data and --real"):
        check_sources(SMALL, HEAD, MapSources(**{given: tmp_path}))


def test_a_network_of_pictures_learns_of_no_drawn_maps():
    settings = replace(SMALL, inputs=("coordinates", "image"))
    with pytest.raises(AssetError, match="give stages drawn = 0"):
        check_sources(settings, HEAD, MapSources())


def test_a_folder_without_maps_to_validate_on_is_named(tmp_path: Path):
    folder = maps_in(tmp_path)
    with pytest.raises(AssetError, match=r"has no val-\*\.npy"):
        check_sources(SMALL, HEAD, MapSources(predicted=folder, val=folder))


def test_drawn_maps_have_the_share_of_predicted_ones_that_are_not_there(
    caplog: pytest.LogCaptureFixture,
):
    settings = without_predicted(read_n2f_settings("finetuned"))
    assert settings.stages[0].shares == (0.5, 0.0, 0.5)
    assert "their share of finetuned is drawn" in caplog.text
    caplog.clear()
    assert without_predicted(settings) == settings
    assert not caplog.text
