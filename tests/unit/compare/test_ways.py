"""Which methods can be compared, and what a kept fit belongs to."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import engine.compare.ways
from engine.compare.fit_cache import FitCache
from engine.compare.offline_side import OfflineSide
from engine.compare.side_fit import SideFit, Step
from engine.compare.ways import COMPARED, SideSetup, identity_of, is_offline, why_not
from engine.fitting.settings import FitSettings
from engine.head_choice import chosen_head_model
from engine.methods import METHODS
from engine.normal_choice import NormalChoice, choose_normals
from engine.peers.registry import PEERS
from engine.source_factory import SAMPLE, open_source
from tests.live_fakes import triangle_model

SETUP = SideSetup("pixel3dmm")
NO_NORMALS = NormalChoice(None, "switched off with --normals none")


def test_every_method_and_peer_can_be_compared_those_with_torch_offline():
    assert set(COMPARED) == {*METHODS, *PEERS, "pixel3dmm-net"}
    assert {name for name in COMPARED if is_offline(name)} == {
        *("pixel3dmm", "pixel3dmm-net"),
        *PEERS,
    }


def test_reasons_are_given_before_anything_is_opened(monkeypatch: pytest.MonkeyPatch):
    model = triangle_model()
    with pytest.raises(ValueError, match="'pixel4dmm'; choose from"):
        why_not(SideSetup("pixel4dmm"), model, NO_NORMALS)
    assert "switched off" in why_not(SETUP, model, NO_NORMALS)
    assert why_not(SideSetup("landmarks"), model, NO_NORMALS) == ""
    deca = SideSetup("deca")
    assert "needs checkpoint: deca_model.tar" in why_not(deca, model, NO_NORMALS)
    elsewhere = replace(deca, checkpoint=Path("nowhere.tar"))
    assert "nowhere.tar does not exist" in why_not(elsewhere, model, NO_NORMALS)
    assert why_not(replace(deca, checkpoint=Path(__file__)), model, NO_NORMALS) == ""
    official = SideSetup("pixel3dmm-net")
    assert "needs checkpoint: normals.ckpt" in why_not(official, model, NO_NORMALS)
    assert why_not(replace(official, checkpoint=Path(__file__)), model, NO_NORMALS) == ""
    seeing = NormalChoice(Path("normals.onnx"))
    monkeypatch.setattr(engine.compare.ways, "find_spec", lambda name: None)
    assert "torch is not installed" in why_not(SETUP, model, seeing)


def test_a_kept_fit_belongs_to_settings_head_and_network(tmp_path: Path):
    networks = [tmp_path / name for name in ("a.onnx", "b.onnx")]
    for network in networks:
        network.write_bytes(network.name.encode())
    normals, others = (NormalChoice(network) for network in networks)
    model = triangle_model()
    identity = identity_of(SETUP, model, normals)
    assert identity_of(replace(SETUP, fitting=FitSettings()), model, normals) == identity
    elsewhere = replace(SETUP, fitting=FitSettings(device="cuda"))
    assert identity_of(elsewhere, model, normals) == identity
    fewer = replace(SETUP, fitting=FitSettings(iters=3))
    different = [
        identity_of(fewer, model, normals),
        identity_of(SETUP, replace(model, model_id="1" * 64), normals),
        identity_of(SETUP, model, others),
    ]
    assert identity not in different
    assert len(set(different)) == 3


def test_a_kept_fit_of_a_peer_belongs_to_its_checkpoint(tmp_path: Path):
    model = triangle_model()
    identities = []
    for content in (b"one", b"two"):
        (tmp_path / "deca.tar").write_bytes(content)
        peer = SideSetup("deca", checkpoint=tmp_path / "deca.tar")
        identities.append(identity_of(peer, model, NO_NORMALS))
    folder = tmp_path / "emoca" / "detail"
    folder.mkdir(parents=True)
    for content in (b"one", b"three"):
        (folder / "loss=1.ckpt").write_bytes(content)
        peer = SideSetup("emoca", checkpoint=tmp_path / "emoca")
        identities.append(identity_of(peer, model, NO_NORMALS))
    assert len(set(identities)) == 4


@pytest.mark.slow
@pytest.mark.assets
@pytest.mark.gl
def test_the_optimiser_itself_runs_in_its_process_and_is_remembered(tmp_path: Path):
    model, normals = chosen_head_model(None), choose_normals(None)
    setup = replace(SETUP, fitting=FitSettings(optimizer="gn", gn_steps=2))
    identity = identity_of(setup, model, normals)
    frame = open_source(SAMPLE, model).read()
    told: list[Step | SideFit] = []
    with closing(OfflineSide(setup, identity, FitCache(tmp_path))) as side:
        side.submit(frame)
        while side.busy:
            told += side.take(120.0)
    found = told[-1]
    assert isinstance(found, SideFit)
    assert found.problem == ""
    assert found.fit.params.model_id == model.model_id
    assert 0.0 < found.fit.normal_residual_deg < 40.0
    assert found.curve[-1].total < found.curve[0].total
    assert json.dumps(found.curve[-1].terms)  # plain numbers
    with closing(OfflineSide(setup, identity, FitCache(tmp_path))) as side:
        side.submit(frame)
        (again,) = side.take()
    assert again.from_cache
    assert again.fit.params.t.tolist() == found.fit.params.t.tolist()
