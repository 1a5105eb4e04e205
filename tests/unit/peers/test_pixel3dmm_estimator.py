"""The official networks as a stage: in torch, and exported as any other network of normals."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli.tree import cli
from engine.benchmark import methods
from engine.benchmark.methods import MethodMaker, MethodSetup
from engine.benchmark.predictors import SampleSight
from engine.benchmark.types import Truth
from engine.errors import AssetError, ModelContractError
from engine.fitting.reconstructor import OptimisingReconstructor
from engine.fitting.settings import FitSettings
from engine.fitting.uv_matches import read_vertex_uv
from engine.flame.model import HeadModel
from engine.frames import default_camera
from engine.io.assets import asset_path
from engine.io.image import save_png
from engine.io.video import VideoSource
from engine.normal_choice import choose_normals
from engine.peers.pixel3dmm_checkpoint import read_checkpoint
from engine.peers.pixel3dmm_estimator import Pixel3dmmEstimator, Pixel3dmmOptions
from engine.peers.pixel3dmm_export import export_pixel3dmm
from engine.peers.registry import FRONT_END_NEEDS
from engine.pipeline import Reconstructor
from engine.stages.normal_estimator import NormalEstimator
from engine.types import FaceCrop, Frame
from tests.pixel3dmm_files import lightning_bytes, settings, weights

CAMERA = default_camera(640, 480)


def clip_frame() -> Frame:
    source = VideoSource(asset_path("sample.mp4"))
    frame = source.read()
    source.close()
    assert frame is not None
    return frame


@pytest.fixture(scope="module")
def normals(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("nets") / "normals.ckpt"
    path.write_bytes(lightning_bytes(weights(), settings()))
    return path


@pytest.fixture(scope="module")
def uv(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("nets") / "uv.ckpt"
    config = settings(prediction_type=["uv_map"])
    path.write_bytes(lightning_bytes(weights(channels=2, seed=1), config))
    return path


@pytest.fixture(scope="module")
def seen() -> tuple[Frame, FaceCrop]:
    """A smooth picture, and a face whose points lie on a circle around (320, 240)."""
    y, x = np.mgrid[:480, :640]
    image = np.stack([x // 3, y // 2, (x + y) // 5], axis=-1).astype(np.uint8)
    angles = np.linspace(0, 2 * np.pi, 478, endpoint=False)
    ring = np.array([320, 240]) + 80 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    # 64 px of the crop for 256 of the frame, from (192, 112) on.
    matrix = np.array([[0.25, 0, 0.25 * -192], [0, 0.25, 0.25 * -112]])
    crop = FaceCrop(
        np.ascontiguousarray(image[112:368:4, 192:448:4]), matrix, ring.astype(np.float32), 1.0
    )
    return Frame(image=image, index=0, t_ns=0), crop


def test_normals_are_unit_and_of_the_head_only(normals: Path, seen) -> None:
    found = Pixel3dmmEstimator(normals).run(seen[1], CAMERA)
    assert found.view is None
    assert found.head is not None
    np.testing.assert_allclose(np.linalg.norm(found.head, axis=-1), 1, atol=1e-5)
    assert found.head.shape == (64, 64, 3)
    # A circle of 80 frame px is one of 20 here.
    assert abs(found.mask.sum() - np.pi * 20**2) < np.pi * 20
    np.testing.assert_array_equal(found.crop_from_frame, seen[1].crop_from_frame)


def test_their_crop_follows_the_frames_axes(normals: Path, uv: Path, seen) -> None:
    frame, crop = seen
    found = Pixel3dmmEstimator(normals, uv).run_frame(frame, crop)
    # Box 161 x 161 from (240, 160), margin int(161 * 0.21) = 33, last row left out: 226 px to 64.
    scale = found.crop_from_frame[0, 0]
    assert scale == pytest.approx(64 / 226, abs=0.002)
    assert found.crop_from_frame[0, 1] == found.crop_from_frame[1, 0] == 0
    middle = found.crop_from_frame @ [320, 240, 1]
    np.testing.assert_allclose(middle, 31.5, atol=0.5)
    assert found.uv is not None
    assert found.uv.shape == (64, 64, 2)
    assert 0 <= found.uv.min() < found.uv.max() <= 1


def test_the_8_bit_habit_costs_less_than_a_level_and_is_biased(normals: Path, seen) -> None:
    exact = Pixel3dmmEstimator(normals).run(seen[1], CAMERA).head
    kept = Pixel3dmmEstimator(normals, options=Pixel3dmmOptions(as_8_bit=True)).run(seen[1], CAMERA)
    assert exact is not None
    assert kept.head is not None
    cosines = (exact * kept.head).sum(-1).clip(-1, 1)
    assert 0.05 < float(np.degrees(np.arccos(cosines)).mean()) < 0.7
    assert (kept.head - exact).mean() < 0  # cast downwards


@pytest.mark.assets
def test_it_stands_in_for_the_normal_estimator(normals: Path, openhead: HeadModel) -> None:
    frame = clip_frame()
    reconstructor = Reconstructor(
        openhead, method="landmarks-refined", normals=Pixel3dmmEstimator(normals)
    )
    fit = reconstructor.run(frame)
    reconstructor.close()
    assert fit is not None
    assert fit.normals is not None
    assert fit.normals.head is not None
    assert fit.normals.head.shape == (64, 64, 3)
    assert np.isfinite(fit.normal_residual_deg)


def test_exchanged_networks_are_told(normals: Path, uv: Path) -> None:
    with pytest.raises(ModelContractError, match="predicts uv_map, not normals"):
        Pixel3dmmEstimator(uv)
    with pytest.raises(ModelContractError, match="predicts normals, not uv_map"):
        Pixel3dmmEstimator(normals, normals)


@pytest.mark.slow
def test_the_exported_network_sees_what_torch_sees(normals: Path, tmp_path: Path, seen) -> None:
    out = tmp_path / "p3d.onnx"
    made = export_pixel3dmm(read_checkpoint(normals), out)
    assert made.output == "normals"
    assert made.largest_difference < 1e-4
    exported = choose_normals(str(out)).load()
    assert isinstance(exported, NormalEstimator)
    one, other = exported.run(seen[1], CAMERA), Pixel3dmmEstimator(normals).run(seen[1], CAMERA)
    assert one.view is None
    assert one.head is not None
    assert other.head is not None
    # float32 sums in another order, before short vectors are made unit ones.
    np.testing.assert_allclose(one.head, other.head, atol=2e-3)
    np.testing.assert_array_equal(one.mask, other.mask)


def run(*words: object) -> str:
    """What a command prints."""
    found = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert found.exit_code == 0
    return found.stdout


@pytest.mark.slow
def test_the_command_writes_and_says_what_it_wrote(normals: Path, uv: Path, tmp_path: Path):
    kept = tmp_path / "uv.safetensors"
    assert "tensors" in run("export", "pixel3dmm", "--checkpoint", uv, "--out", kept)
    out = tmp_path / "uv.onnx"
    said = run("export", "pixel3dmm", "--checkpoint", kept, "--out", out, "--no-mirror")
    assert "uv.onnx: uv, differs" in said
    assert "not needed: net.dir_norm" in said
    assert not out.with_suffix(".toml").exists()  # no normals


@pytest.mark.assets
def test_fitting_by_the_official_network_records_its_checkpoint(normals: Path, tmp_path: Path):
    save_png(tmp_path / "face.png", clip_frame().image)
    out = ("--out", tmp_path / "out", "--optimizer", "gn")
    words = ("fit", tmp_path / "face.png", "--method", "pixel3dmm-net", *out)
    with pytest.raises(AssetError, match=r"pixel3dmm-net needs checkpoint: normals.ckpt"):
        run(*words)
    run(*words, "--checkpoint", normals)
    (outcome,) = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert outcome["status"] in ("ok", "low")  # random weights see nothing sensible
    assert {"normals", "optimise"} <= outcome["stage_ms"].keys()
    assert "normals.ckpt" in (tmp_path / "out" / "face.json").read_text()


def test_a_bad_checkpoint_writes_nothing(tmp_path: Path) -> None:
    bad = tmp_path / "bad.ckpt"
    bad.write_bytes(b"not a checkpoint")
    with pytest.raises(AssetError, match="no checkpoint of torch's present form"):
        run("export", "pixel3dmm", "--checkpoint", bad, "--out", tmp_path / "x.onnx")
    with pytest.raises(AssetError):
        Pixel3dmmEstimator(bad)
    assert list(tmp_path.iterdir()) == [bad]


@pytest.fixture(scope="module")
def coords(uv: Path, openhead: HeadModel) -> Path:
    """Coordinates for the head model, beside the network, where they are looked for."""
    made = np.random.default_rng(0).random((openhead.n_vertices, 2))
    path = uv.with_name("flame_uv_coords.npy")
    np.save(path, made)
    return path


@pytest.mark.assets
@pytest.mark.slow
def test_both_official_networks_reach_the_optimiser(
    normals: Path, uv: Path, coords: Path, openhead: HeadModel
) -> None:
    fitted = OptimisingReconstructor(
        openhead,
        normals=Pixel3dmmEstimator(normals, uv),
        settings=FitSettings(optimizer="gn", gn_steps=2),
        vertex_uv=read_vertex_uv(coords, openhead.n_vertices),
    )
    fit = fitted.run(clip_frame())
    assert fit is not None
    assert fit.normals is not None
    assert fit.normals.uv is not None
    assert fitted.last is not None
    assert "uv_pixel" in fitted.last.terms  # random weights give no smooth map to compare with
    fitted.close()


@pytest.mark.assets
def test_the_benchmark_takes_the_official_networks(
    normals: Path, uv: Path, coords: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MethodMaker(MethodSetup()).obstacle("pixel3dmm-net") == FRONT_END_NEEDS
    monkeypatch.setattr(methods, "FitSettings", lambda **given: FitSettings(iters=3, **given))
    files = (("pixel3dmm-net", normals), ("pixel3dmm-uv", uv))
    maker = MethodMaker(MethodSetup(checkpoints=files))
    assert maker.identity("pixel3dmm-net").startswith("normals.ckpt")
    assert "uv.ckpt" in maker.identity("pixel3dmm-net")
    predictor = maker.make("pixel3dmm-net")
    try:
        found = predictor.predict(SampleSight(clip_frame(), Truth(), None))
    finally:
        predictor.close()
    assert found is not None
    assert {"normals", "optimise"} <= found.stage_ms.keys()
    coords.rename(coords.with_suffix(".moved"))
    try:
        assert "flame_uv_coords.npy" in maker.obstacle("pixel3dmm-net")
    finally:
        coords.with_suffix(".moved").rename(coords)


@pytest.mark.assets
@pytest.mark.slow
def test_the_command_takes_both_networks_and_records_them(
    normals: Path, uv: Path, coords: Path, tmp_path: Path
) -> None:
    save_png(tmp_path / "face.png", clip_frame().image)
    words = ("fit", tmp_path / "face.png", "--out", tmp_path / "out", "--optimizer", "gn")
    both = ("--checkpoint", normals, "--uv-checkpoint", uv)
    run(*words, "--method", "pixel3dmm-net", *both)
    record = (tmp_path / "out" / "face.json").read_text()
    assert "normals.ckpt" in record
    assert "uv.ckpt" in record
    elsewhere = ("--uv-coords", tmp_path / "none.npy")
    with pytest.raises(AssetError, match=r"none.npy cannot be read"):
        run(*words, "--method", "pixel3dmm-net", *both, *elsewhere)
    for wrong in (("--method", "pixel3dmm", "--uv-checkpoint", uv), ("--uv-coords", coords)):
        found = CliRunner().invoke(cli, [str(word) for word in (*words, *wrong)])
        assert found.exit_code == 2
