"""Methods with normal networks of others, which give normals in one frame only."""

import json
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from app.__main__ import main
from app.cli.choices import chosen_method
from app.live import LiveSettings
from app.loading import load_parts
from app.settings import Settings
from engine.benchmark.methods import MethodMaker, MethodSetup
from engine.errors import AssetError, ModelContractError
from engine.flame.model import HeadModel
from engine.io.assets import asset_path
from engine.io.image import save_png
from engine.io.video import VideoSource
from engine.normal_choice import NormalChoice, choose_normals
from engine.stages.normal_estimator import NormalEstimator
from engine.types import Frame
from tests.onnx_files import save_foreign_net, save_normal_net, sphere_normals
from tests.parameter_net import save_parameter_net

pytestmark = pytest.mark.assets

FALLS_BACK = [
    ("head", "landmarks-refined"),
    ("view", "landmarks-refined"),
    ("cropview", "landmarks-refined"),
]
WANTED = {"head": "view", "view": "head", "cropview": "head"}


def foreign(folder: Path, frame: str) -> Path:
    """A ball's normals of 128 px, named for that frame."""
    description = f'size = 128\nlayout = "nchw"\noutput = "n"\nframe = "{frame}"\n'
    return save_foreign_net(folder, description, sphere_normals(128).transpose(2, 0, 1))


@pytest.fixture(scope="module")
def face() -> Frame:
    source = VideoSource(asset_path("sample.mp4"))
    frame = source.read()
    source.close()
    assert frame is not None
    return frame


def fit(monkeypatch: pytest.MonkeyPatch, *flags: object) -> int:
    monkeypatch.setattr("sys.argv", ["n2f", "fit", *map(str, flags)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("frame", ["head", "view", "cropview"])
def test_a_network_tells_its_frames_before_it_is_loaded(tmp_path: Path, frame: str):
    network = foreign(tmp_path, frame)
    given = {"head"} if frame == "head" else {"view"}
    assert choose_normals(str(network)).frames == given
    assert choose_normals(str(save_normal_net(tmp_path / "own.onnx"))).frames == {"head", "view"}
    assert choose_normals("none").frames == set()


@pytest.mark.parametrize(("frame", "method"), FALLS_BACK)
def test_fit_takes_the_best_method_that_a_foreign_network_is_enough_for(
    tmp_path: Path,
    face: Frame,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    frame: str,
    method: str,
):
    save_png(tmp_path / "photo.png", face.image)
    normals, out = foreign(tmp_path, frame), tmp_path / "out"
    code = fit(monkeypatch, tmp_path / "photo.png", "--out", out, "--normals", normals)
    assert code == 0
    (said,) = (message for message in caplog.messages if message.startswith("method "))
    assert f"method {method} instead of n2fnet-refined" in said
    assert f"foreign.onnx gives no normals in the {WANTED[frame]} frame" in said
    assert json.loads((out / "photo.json").read_text())["settings"]["method"] == method
    assert (out / "photo.npz").exists()


def test_what_a_method_that_is_asked_for_lacks_is_told_before_anything_is_fitted(
    tmp_path: Path, openhead: HeadModel
):
    normals = NormalChoice(foreign(tmp_path, "head"))
    with pytest.raises(AssetError, match=r"view frame, which n2fnet.onnx needs.*landmarks-refined"):
        chosen_method("n2fnet", openhead, normals, None)
    assert chosen_method("landmarks-refined", openhead, normals, None) == "landmarks-refined"


@pytest.mark.parametrize(("frame", "method"), FALLS_BACK)
def test_the_window_begins_with_a_method_that_works_and_says_why_others_do_not(
    tmp_path: Path, face: Frame, frame: str, method: str
):
    session = Mock(recording=None)
    session.window.store.present = Settings()
    session.window.providers.present = "cpu"
    session.window.options.pipelined = False
    normals = foreign(tmp_path, frame)
    loaded = load_parts(LiveSettings(normals=str(normals)), session, lambda told: None)
    assert loaded.methods is not None
    assert loaded.methods.chosen == method
    session.window.method = method
    reasons = loaded.methods.obstacles
    assert f"no normals in the {WANTED[frame]} frame" in reasons["n2fnet-refined"]
    assert reasons["landmarks"] == reasons[method] == ""
    fitter = loaded.make_fitter()
    (head,) = fitter.run_all(face)
    fitter.close()
    assert np.isfinite(head.vertices).all()


def test_weights_for_another_head_are_an_error_unless_a_method_does_without(
    tmp_path: Path, openhead: HeadModel, small_head: HeadModel
):
    own = save_parameter_net(tmp_path / "own.onnx", small_head)
    normals = NormalChoice(save_normal_net(tmp_path / "normals.onnx"))
    assert chosen_method(None, small_head, normals, own) == "n2fnet-refined"
    with pytest.raises(ModelContractError, match=r"own.onnx was trained for bumpy"):
        chosen_method(None, openhead, normals, own)
    assert chosen_method("landmarks", openhead, normals, own) == "landmarks"
    with pytest.raises(AssetError, match="no normal network: switched off"):
        chosen_method(None, small_head, choose_normals("none"), own)


def test_a_damaged_description_is_told(tmp_path: Path, openhead: HeadModel):
    network = foreign(tmp_path, "head")
    network.with_suffix(".toml").write_text("size = 128")
    with pytest.raises(AssetError, match=r"foreign.toml: layout, output, frame missing"):
        chosen_method("n2fnet", openhead, NormalChoice(network), None)
    with pytest.raises(AssetError, match=r"foreign.toml: layout, output, frame missing"):
        NormalEstimator(network)


def test_the_benchmark_tells_which_methods_a_network_of_one_frame_is_not_enough_for(tmp_path: Path):
    maker = MethodMaker(MethodSetup(normals=str(foreign(tmp_path, "head"))))
    assert "gives no normals in the view frame" in maker.obstacle("n2fnet-refined")
    assert maker.obstacle("landmarks-refined") == ""
    assert maker.obstacle("two-stage") == ""  # looks at head normals alone


def test_an_optimiser_that_begins_with_n2fnet_says_before_the_fit_what_is_missing(
    tmp_path: Path,
    face: Frame,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    save_png(tmp_path / "photo.png", face.image)
    flags = ["--method", "pixel3dmm", "--init", "n2fnet", "--normals", foreign(tmp_path, "head")]
    code = fit(monkeypatch, tmp_path / "photo.png", "--out", tmp_path / "out", *flags)
    assert code != 0
    said = " ".join(capsys.readouterr().err.split())
    assert "gives no normals in the view frame" in said
    assert "--init neutral begins without it" in said
