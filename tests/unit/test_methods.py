"""Methods: which can be used, which is taken by default, and how the program goes through them."""

import logging
from pathlib import Path

import pytest

from app.cli.options import METHODS_SAID
from engine import followers, methods
from engine.flame.model import HeadModel
from engine.followers import Followers, default_method, obstacle
from engine.io.assets import asset_path
from engine.io.video import VideoSource
from engine.methods import METHODS, method_named
from engine.normal_choice import NormalChoice
from engine.pipeline import Reconstructor
from engine.stages.normal_estimator import NormalEstimator
from tests.onnx_files import save_normal_net
from tests.parameter_net import save_parameter_net

pytestmark = pytest.mark.assets

SEEING = NormalChoice(Path("normals.onnx"))
BLIND = NormalChoice(None, "switched off")


def test_the_contracts_names_are_there():
    assert next(iter(METHODS)) == methods.DEFAULT == "n2fnet-refined"
    assert {"landmarks", "n2fnet", "n2fnet-noseg", "rgb"} <= set(METHODS)
    with pytest.raises(ValueError, match="'fast' does not exist; choose from n2fnet-refined"):
        method_named("fast")


def test_the_default_needs_a_network_for_this_head(
    openhead: HeadModel, small_head: HeadModel, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        assert default_method(openhead, SEEING) == "n2fnet-refined"
        assert not caplog.messages
        assert default_method(small_head, SEEING) == "landmarks-refined"
        assert "was trained for openhead" in caplog.messages[-1]
        assert default_method(openhead, BLIND) == "landmarks"
        assert "no normal network: switched off" in caplog.messages[-1]


def test_what_stands_in_the_way_is_said(small_head: HeadModel, tmp_path: Path):
    assert obstacle("landmarks", small_head, None, BLIND) == ""
    assert "switched off" in obstacle("n2fnet", small_head, None, BLIND)
    missing = tmp_path / "nowhere.onnx"
    assert "nowhere.onnx is missing" in obstacle("n2fnet", small_head, missing, SEEING)


def test_a_network_that_methods_share_is_looked_at_once(
    openhead: HeadModel, tmp_path: Path, monkeypatch
):
    weights = save_parameter_net(tmp_path / "net.onnx", openhead)
    loaded = []
    monkeypatch.setattr(followers, "load_regressor", lambda *given: loaded.append(given[0].network))
    found = followers.obstacles(methods.LIVE_METHODS, openhead, weights, SEEING)
    assert found == dict.fromkeys(methods.LIVE_METHODS, "")
    assert loaded == [None, "n2fnet.onnx"]


def test_a_network_that_is_not_shipped_is_named(small_head: HeadModel, monkeypatch):
    monkeypatch.setattr(methods, "load_manifest", list)
    problem = obstacle("n2fnet-noseg", small_head, None, SEEING)
    assert problem.startswith("no n2fnet_noseg.onnx is shipped")
    assert "--n2fnet" in problem


def test_a_method_can_be_changed_between_frames(openhead: HeadModel, tmp_path: Path):
    normals = NormalEstimator(save_normal_net(tmp_path / "normals.onnx"))
    weights = save_parameter_net(tmp_path / "net.onnx", openhead)
    source = VideoSource(asset_path("sample.mp4"))
    reconstructor = Reconstructor(openhead, normals=normals, weights=weights)
    stages = {}
    for name in ("landmarks", "n2fnet", "n2fnet-refined", "landmarks-refined"):
        reconstructor.use(name)
        frame = source.read()
        assert frame is not None
        fit = reconstructor.run(frame)
        assert fit is not None
        stages[name] = set(fit.stage_ms) - {"crop", "normals", "pose"}
        if name == "n2fnet":
            # The network's mean head, put onto the face.
            assert not fit.params.shape.any()
            assert fit.landmark_rms < 0.2
    with pytest.raises(ValueError, match="does not exist"):
        reconstructor.use("faster")
    assert reconstructor.method == "landmarks-refined"  # as before
    source.close()
    reconstructor.close()
    assert stages == {
        "landmarks": {"fit"},
        "n2fnet": {"n2fnet"},
        "n2fnet-refined": {"n2fnet", "refine"},
        "landmarks-refined": {"fit", "refine"},
    }


def test_normals_are_needed_where_they_are_looked_at(openhead: HeadModel):
    with pytest.raises(ValueError, match="needs normals"):
        Reconstructor(openhead, method="n2fnet-refined")


def test_networks_are_loaded_once(openhead: HeadModel, tmp_path: Path, monkeypatch):
    weights = save_parameter_net(tmp_path / "net.onnx", openhead)
    loaded = []
    original = followers.load_regressor
    monkeypatch.setattr(
        followers, "load_regressor", lambda *given: loaded.append(given) or original(*given)
    )
    made = Followers(openhead, weights, tracking=True)
    for name in ("n2fnet", "n2fnet-refined", "landmarks", "n2fnet"):
        made.load(method_named(name))
    assert [given[0].network for given in loaded] == ["n2fnet.onnx", None]


def test_help_names_every_method():
    ours = {name for name, method in METHODS.items() if not method.optimised}
    assert set(METHODS_SAID.split(", ")) == ours
