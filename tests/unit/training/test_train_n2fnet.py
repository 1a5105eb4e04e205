"""N2FNet learns drawn heads, goes on where it stopped, and is exported as it is."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from engine.errors import AssetError, ModelContractError
from engine.flame.cache import import_flame
from engine.flame.face_distance import FaceDistance
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.io.assets import asset_path
from engine.io.video import VideoSource
from engine.pipeline import Reconstructor
from engine.stages.flame_regressor import FlameRegressor
from engine.stages.normal_estimator import NormalEstimator
from engine.stages.onnx_session import OnnxSession
from engine.synth.draw_maps import DrawPlan, draw_maps
from engine.synth.map_files import MapStore
from engine.training.checkpoint import load_checkpoint, write_weights
from engine.training.export_n2fnet import N2F_OUTPUTS, export_n2fnet
from engine.training.n2f_data import MapFolders, share_counts
from engine.training.n2f_maps import MapSources, prepare_maps
from engine.training.n2f_settings import (
    LossWeights,
    N2FSettings,
    Stage,
    config_names,
    read_n2f_settings,
)
from engine.training.n2f_weights import N2FNET, N2FRecipe, read_n2fnet
from engine.training.train_n2fnet import N2FPaths, train_n2fnet
from engine.types import FlameParams, Reconstruction
from tests.bumpy_head import bumpy_head
from tests.flame_files import flame_content, write_flame_pickle
from tests.onnx_files import save_normal_net

HEAD = bumpy_head(level=2)
GEOMETRY = LossWeights(vertices=1.0, aligned=0.5, landmarks=1.0, gaps=0.5, normals=1.0, nll=0.1)
SMALL = N2FSettings(
    name="small", widths=(8, 16, 16), blocks=(1, 1, 1), hidden=32, grid_width=8, batch_size=8,
    ema_decay=0.9, log_every=2, val_every=4, n_val=4, bf16=False,
    stages=(
        Stage("clean", 3, lr=3e-3, warmup_steps=1),
        Stage("geometric", 3, lr=1e-3, warmup_steps=1, degradation=1.0, weights=GEOMETRY),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def maps(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("maps")
    draw_maps(HEAD, folder, DrawPlan(48, "train", rows_per_file=24))
    draw_maps(HEAD, folder, DrawPlan(4, "val", rows_per_file=4))
    return folder


def paths(maps: Path, out: Path, **more: Path) -> N2FPaths:
    return N2FPaths(MapFolders(drawn=maps), out, **{"val": maps, **more})


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open() as file:
        return list(csv.DictReader(file))


def first_fit(model: HeadModel, weights: Path, normals: Path) -> Reconstruction:
    """The sample clip's first frame."""
    source = VideoSource(asset_path("sample.mp4"))
    fitter = Reconstructor(
        model, method="n2fnet-refined", normals=NormalEstimator(normals), weights=weights
    )
    frame = source.read()
    assert frame is not None
    fit = fitter.run(frame)
    source.close()
    fitter.close()
    assert fit is not None
    return fit


@pytest.mark.gl
def test_training_goes_through_its_stages_and_on_where_it_stopped(maps: Path, tmp_path: Path):
    first = replace(SMALL, stages=SMALL.stages[:1])
    train_n2fnet(first, HEAD, paths(maps, tmp_path))
    assert load_checkpoint(tmp_path / "checkpoint.pt", N2FNET)["step"] == 3
    scores = train_n2fnet(SMALL, HEAD, paths(maps, tmp_path))
    after = load_checkpoint(tmp_path / "checkpoint.pt", N2FNET)
    assert (after["step"], after["progress"]["drawn"]["epoch"]) == (6, 1)
    assert [row["step"] for row in rows(tmp_path)] == ["2", "3", "4", "6"]
    assert float(rows(tmp_path)[0]["vertices"]) == 0  # the first stage has no mesh
    assert float(rows(tmp_path)[-1]["vertices"]) > 0
    assert 0 < scores["cd_mm"] < 20
    for name in ("weights-clean.npz", "weights-geometric.npz"):
        net, recipe = read_n2fnet(tmp_path / name, HEAD)
        assert (recipe.n_shape, net.n_expr) == (HEAD.n_shape, HEAD.n_expr)
    kept = {name: (tmp_path / name).read_bytes() for name in ("weights.npz", "log.csv")}
    again = train_n2fnet(SMALL, HEAD, paths(maps, tmp_path))  # all steps are done
    assert again == pytest.approx(scores)
    assert {name: (tmp_path / name).read_bytes() for name in kept} == kept


@pytest.mark.gl
@pytest.mark.slow
def test_training_learns_drawn_heads(maps: Path, tmp_path: Path):
    learning = Stage("clean", 250, lr=4e-3, warmup_steps=10)
    settings = replace(SMALL, batch_size=24, stages=(learning,), val_every=250, log_every=25)
    train_n2fnet(settings, HEAD, paths(maps, tmp_path))
    log = [{name: float(value) for name, value in row.items() if value} for row in rows(tmp_path)]
    assert log[-1]["params"] < 0.5 * log[0]["params"]
    assert log[-1]["rotation"] < 0.4 * log[0]["rotation"]
    assert log[-1]["camera"] < 0.7 * log[0]["camera"]


@pytest.mark.gl
@pytest.mark.slow
def test_the_graph_is_the_network_and_names_its_head(maps: Path, tmp_path: Path):
    short = replace(SMALL, stages=(Stage("clean", 1, warmup_steps=1),))
    train_n2fnet(short, HEAD, paths(maps, tmp_path))
    out = tmp_path / "n2fnet.onnx"
    parity = export_n2fnet(tmp_path / "weights.npz", out, HEAD)
    assert parity.n_inputs == 8
    assert parity.holds
    session = OnnxSession(out)
    assert session.metadata["head_model_id"] == HEAD.model_id
    shapes = {name: info.shape for name, info in session.inputs.items()}
    assert shapes == {"head": (1, 128, 128, 3), "mask": (1, 128, 128)}
    assert tuple(session.outputs) == N2F_OUTPUTS
    zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    found = session.run(zeros)
    n_std = HEAD.n_shape + HEAD.n_expr + 14
    assert [found[k].shape for k in ("rotation", "camera", "std")] == [
        (1, 3, 3),
        (1, 3),
        (1, n_std),
    ]
    np.testing.assert_allclose(found["rotation"][0] @ found["rotation"][0].T, np.eye(3), atol=1e-5)
    assert not found["neck"].any()


@pytest.mark.gl
def test_weights_of_another_head_are_refused(maps: Path, tmp_path: Path):
    short = replace(SMALL, stages=(Stage("clean", 1, warmup_steps=1),))
    train_n2fnet(short, HEAD, paths(maps, tmp_path))
    other = replace(HEAD, model_id="1" * 64)
    with pytest.raises(ModelContractError, match="was trained for bumpy 1"):
        export_n2fnet(tmp_path / "weights.npz", tmp_path / "x.onnx", other)
    with pytest.raises(AssetError, match="belongs to head model"):
        train_n2fnet(short, other, paths(maps, tmp_path / "b"))
    with pytest.raises(AssetError, match="hidden"):
        train_n2fnet(replace(short, hidden=16), HEAD, paths(maps, tmp_path))


@pytest.mark.gl
@pytest.mark.slow
def test_a_flame_file_of_ones_own_is_trained_for(tmp_path: Path):
    """From the pickle to a network that reads that head, and no other."""
    content = flame_content(bumpy_head(level=3))
    pickled = write_flame_pickle(tmp_path / "flame2023_Open.pkl", content)
    model = import_flame(pickled, bumpy_head(level=3), cache_dir=tmp_path / "cache").model
    settings = replace(SMALL, batch_size=4, val_every=6)
    sources = MapSources(n_drawn=12)
    prepare_maps(settings, model, sources, tmp_path, workers=1)
    folders, val = sources.folders(settings, tmp_path)
    scores = train_n2fnet(settings, model, N2FPaths(folders, tmp_path, val))
    assert np.isfinite(list(scores.values())).all()
    export_n2fnet(tmp_path / "weights.npz", tmp_path / "n2fnet.onnx", model)
    metadata = OnnxSession(tmp_path / "n2fnet.onnx").metadata
    assert metadata["head_model_id"] == model.model_id
    with pytest.raises(ModelContractError, match="FLAME"):
        export_n2fnet(tmp_path / "weights.npz", tmp_path / "x.onnx", HEAD)
    fit = first_fit(model, tmp_path / "n2fnet.onnx", save_normal_net(tmp_path / "n.onnx", 128))
    assert fit.params.model_id == model.model_id
    assert fit.vertices.shape == (model.n_vertices, 3)
    with pytest.raises(ModelContractError, match="was trained for"):
        FlameRegressor(tmp_path / "n2fnet.onnx", HEAD)


@pytest.mark.gl
def test_drawing_goes_on_where_it_stopped(tmp_path: Path):
    assert draw_maps(HEAD, tmp_path, DrawPlan(4, rows_per_file=2)) == 2
    kept = (tmp_path / "train-000001.npy").read_bytes()
    (tmp_path / "train-000001.npy").unlink()
    assert draw_maps(HEAD, tmp_path, DrawPlan(4, rows_per_file=2)) == 1
    assert (tmp_path / "train-000001.npy").read_bytes() == kept
    store = MapStore(tmp_path, "train", HEAD.model_id)
    assert store.refresh() == 4
    assert store.read(np.array([3, 0])).shape == (2,)
    with pytest.raises(AssetError, match="choose another folder"):
        draw_maps(HEAD, tmp_path, DrawPlan(4, seed=1))


def test_missing_maps_are_asked_for(tmp_path: Path):
    with pytest.raises(AssetError, match="--drawn FOLDER"):
        train_n2fnet(SMALL, HEAD, N2FPaths(MapFolders(), tmp_path))


def test_shares_become_whole_numbers_that_add_up():
    assert share_counts((0.5, 0.5, 0.0), 7) == [4, 3, 0]
    assert share_counts((0.2, 0.3, 0.5), 64) == [13, 19, 32]
    assert share_counts((0.0, 1.0, 0.0), 5) == [0, 5, 0]


def test_the_programs_configurations_can_be_read():
    names = ["baseline", "both-frames", "drawn", "finetuned", "finetuned-drawn", "noseg", "rgb"]
    names += ["two-stage", "with-points"]
    assert config_names() == names
    all_settings = {name: read_n2f_settings(name) for name in config_names()}
    assert all(settings.name == name for name, settings in all_settings.items())
    # A fair ablation: equal steps.
    assert (
        len(
            {
                all_settings[k].steps
                for k in ("baseline", "two-stage", "both-frames", "noseg", "rgb")
            }
        )
        == 1
    )


def test_wrong_settings_are_named(tmp_path: Path):
    file = tmp_path / "s.toml"
    for text, message in (
        ("inputs = ['mask']", "either head or image"),
        ("[[stages]]\nname = 'a'\nsteps = 0", "steps 0"),
        ("[[stages]]\nname = 'a'\nsteps = 1\nspeed = 2", "unknown settings speed"),
        ("trunk_px = 32", "expected 64 or 128"),
    ):
        file.write_text(text)
        with pytest.raises(AssetError, match=message):
            read_n2f_settings(file)


def test_face_distance_has_known_answers():
    """A shift and a turn count nothing; a head 2 % larger is off by 2 % of its vertices' reach."""
    head = bumpy_head(level=3)
    neutral = FlameParams.neutral(head.model_id, head.n_shape, head.n_expr)
    true = PosedHead(head).vertices(neutral)
    distance = FaceDistance(head)
    turn = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float32)
    assert max(distance(true @ turn + np.float32(0.1), true)) < 1e-3
    face = true[head.regions["face"]]
    reach = 1e3 * np.linalg.norm(face - face.mean(axis=0), axis=1).mean()
    cd, vertex = distance(1.02 * true, true)
    assert vertex == pytest.approx(0.02 * reach, rel=1e-3)
    assert 0.2 * vertex < cd < vertex  # sliding along the surface does not count


@pytest.mark.parametrize("inputs", [("coordinates", "image"), ("head", "coordinates")])
def test_other_inputs_make_a_network(inputs: tuple[str, ...]):
    from engine.training.n2fnet import ExportedN2FNet, N2FNet

    net = ExportedN2FNet(N2FNet(replace(SMALL, inputs=inputs, stages=()), 6, 4)).eval()
    image = torch.zeros(1, 128, 128, 3, dtype=torch.uint8 if "image" in inputs else torch.float32)
    assert net(image)[0].shape == (1, 6)


@pytest.mark.slow
def test_a_network_with_points_is_exported_as_it_is(tmp_path: Path):
    inputs = ("head", "mask", "coordinates", "points")
    recipe = N2FRecipe.of(replace(SMALL, inputs=inputs, point_codes=8), HEAD)
    net = recipe.make_net()
    assert net.points is not None
    random = torch.Generator().manual_seed(0)
    net.points.learn_basis(0.5 + 0.1 * torch.randn(30, 478, 3, generator=random))
    nn.init.normal_(net.step.weight, std=0.1, generator=random)  # so that what it sees counts
    write_weights(tmp_path / "weights.npz", net.state_dict(), recipe)
    assert export_n2fnet(tmp_path / "weights.npz", tmp_path / "net.onnx", HEAD).holds
    regressor = FlameRegressor(tmp_path / "net.onnx", HEAD)
    assert set(regressor.session.inputs) == {"head", "mask", "points"}
    maps = {
        "head": np.zeros((1, 128, 128, 3), np.float32),
        "mask": np.zeros((1, 128, 128), np.float32),
    }
    shapes = [
        regressor.session.run({**maps, "points": np.float32(points)})["shape"].copy()
        for points in (
            np.zeros((1, 478, 3)),
            0.5 + 0.1 * random_points(1),
            0.5 + 0.1 * random_points(2),
        )
    ]
    assert np.abs(shapes[0] - shapes[1]).max() > 1e-3
    assert np.abs(shapes[1] - shapes[2]).max() > 1e-3


def random_points(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, 478, 3))


@pytest.mark.gl
def test_points_are_asked_for_where_no_samples_have_any(maps: Path, tmp_path: Path):
    settings = replace(SMALL, inputs=("head", "mask", "coordinates", "points"))
    with pytest.raises(AssetError, match=r"looks at MediaPipe's points: 0 samples .*--shards"):
        train_n2fnet(settings, HEAD, paths(maps, tmp_path))


def test_a_course_is_scaled_with_its_stages():
    full = read_n2f_settings("two-stage")
    short = full.scaled(0.01)
    assert [stage.steps for stage in short.stages] == [200, 400]
    assert short.stages[1].ramp_steps == 50
    assert short.stages[0].warmup_steps == 20
    assert full.scaled(1.0).stages == full.stages
    with pytest.raises(ValueError, match="above 0"):
        full.scaled(0)
