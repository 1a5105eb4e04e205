"""Peers' checkpoints: read as data in every form they come in, refused where they ask for more."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from engine.errors import AssetError
from engine.peers.architectures import ARCHITECTURES, random_network
from engine.peers.checkpoint import checkpoint_file, read_tensors
from engine.peers.crops import PeerCrop
from engine.peers.export import convert_checkpoint, export_checkpoint
from engine.peers.layouts import load_network
from engine.peers.network import network_picture, open_network
from engine.peers.registry import PEERS, needs_checkpoint
from engine.stages.onnx_session import OnnxSession
from tests.peer_files import deca_tables, placed_smirk, save_lightning, save_sheap, smirk_table


@pytest.fixture(scope="module")
def smirk() -> nn.Module:
    return placed_smirk()


@pytest.fixture
def smirk_file(smirk: nn.Module, tmp_path: Path) -> Path:
    torch.save(smirk_table(smirk), tmp_path / "SMIRK_em1.pt")
    return tmp_path / "SMIRK_em1.pt"


def assert_same(one: nn.Module, other: nn.Module) -> None:
    for (name, a), (other_name, b) in zip(
        one.state_dict().items(), other.state_dict().items(), strict=True
    ):
        assert name == other_name
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_smirks_file_is_read_and_its_generator_named(smirk: nn.Module, smirk_file: Path) -> None:
    loaded = load_network(smirk_file, ("smirk",))
    assert_same(loaded.net, smirk)
    assert not loaded.net.training
    assert loaded.n_used == 762
    assert loaded.unused == (("smirk_generator", 1),)


@pytest.mark.parametrize("zipped", [True, False])
def test_decas_file_is_read_in_pytorchs_new_form_and_its_old_one(
    zipped: bool, tmp_path: Path
) -> None:
    net = random_network("deca", 1)
    path = tmp_path / "deca_model.tar"
    torch.save(deca_tables(net), path, _use_new_zipfile_serialization=zipped)
    loaded = load_network(path, ("deca",))
    assert_same(loaded.net, net)
    assert loaded.unused == (("D_detail", 1), ("E_detail", 1))


def test_a_lightning_file_is_read_though_its_settings_are_of_a_program_that_is_not_here(
    smirk: nn.Module, tmp_path: Path
) -> None:
    table = {f"smirk_encoder.{k}": t for k, t in smirk.state_dict().items()}
    path = save_lightning(tmp_path / "epoch=1-loss=0.5.ckpt", table)
    with pytest.raises(ModuleNotFoundError):
        import omegaconf  # noqa: F401
    tensors, _ = read_tensors(path)
    assert set(tensors) == {f"state_dict.{name}" for name in table}
    name = "state_dict.smirk_encoder.pose_encoder.pose_cam_layers.0.bias"
    assert tensors[name][3] == 7.0


@pytest.mark.parametrize("name", ["emoca", "emoca-two-heads"])
def test_emocas_files_are_read_with_one_network_or_two(name: str, tmp_path: Path) -> None:
    net = random_network(name, 2)
    table = {f"deca.{k}": t for k, t in net.state_dict().items()}
    if name == "emoca-two-heads":
        shared = net.E_flame.state_dict()
        table |= {f"deca.E_expression.resnet.{k}": t for k, t in shared.items()}
    table["deca.flame.v_template"] = torch.zeros(5, 3)
    loaded = load_network(
        save_lightning(tmp_path / "a=1.ckpt", table), PEERS["emoca"].architectures
    )
    assert loaded.architecture == name
    assert_same(loaded.net, net)
    copies = (("state_dict.deca.E_expression.resnet", 322),) if name != "emoca" else ()
    assert loaded.unused == (*copies, ("state_dict.deca.flame", 1))


class _Runs:
    """Pickles to a call of a function."""

    def __init__(self, call: tuple) -> None:
        self.call = call

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize(
    ("function", "named"), [(os.system, "system"), (eval, "eval"), (exec, "exec")]
)
def test_a_file_that_would_run_something_is_refused_by_name(
    function: object, named: str, tmp_path: Path
) -> None:
    done = tmp_path / "done"
    text = f"touch {done}" if function is os.system else f"open({str(done)!r}, 'w')"
    path = tmp_path / "evil.pt"
    torch.save({"weights": torch.zeros(3), "evil": _Runs((function, (text,)))}, path)
    with pytest.raises(AssetError, match=f"refused, and nothing in it was run.*{named}"):
        read_tensors(path)
    assert not done.exists()


def test_an_old_file_that_would_run_something_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    torch.save({"evil": _Runs((eval, ("1",)))}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(AssetError, match="refused, and nothing in it was run"):
        read_tensors(path)


def test_a_damaged_file_says_so(smirk_file: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.pt"
    short.write_bytes(smirk_file.read_bytes()[:5000])
    text = tmp_path / "page.tar"
    text.write_text("<html>Sign in to download</html>")
    for path in (short, text):
        with pytest.raises(AssetError, match=f"{path.name} (is no whole|was refused)"):
            read_tensors(path)


def test_an_archive_as_it_was_downloaded_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "EMOCA.zip", "w") as archive:
        archive.writestr("EMOCA/detail/checkpoints/a=1.ckpt", "...")
    with pytest.raises(AssetError, match=r"EMOCA\.zip is an archive of files; unpack it"):
        read_tensors(tmp_path / "EMOCA.zip")


def test_a_wrong_file_says_what_was_expected_and_what_was_found(
    smirk_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(AssetError) as refused:
        load_network(smirk_file, ("deca",))
    assert "holds a network of smirk; expected 322 tensors of deca (E_flame.*)" in str(
        refused.value
    )
    other = tmp_path / "other.pt"
    torch.save({"backbone": {"a": torch.zeros(1), "b": torch.zeros(1)}}, other)
    with pytest.raises(
        AssetError, match=r"holds backbone\.\* \(2\); expected 762 tensors of smirk"
    ):
        load_network(other, ("smirk",))


def test_missing_foreign_and_missized_tensors_are_named(smirk: nn.Module, tmp_path: Path) -> None:
    table = smirk_table(smirk)
    head = "smirk_encoder.shape_encoder.shape_layers.0"
    table[f"{head}.weight"] = torch.zeros(100, 960)
    table["smirk_encoder.pose_encoder.extra.weight"] = torch.zeros(1)
    del table[f"{head}.bias"]
    torch.save(table, tmp_path / "changed.pt")
    with pytest.raises(AssetError) as refused:
        load_network(tmp_path / "changed.pt", ("smirk",))
    said = str(refused.value)
    assert "1 tensors are missing, e.g. shape_encoder.shape_layers.0.bias" in said
    assert "1 have no place, e.g. pose_encoder.extra.weight" in said
    assert "shape_layers.0.weight is (100, 960), expected (300, 960)" in said


def test_files_of_before_batch_counts_are_read(smirk: nn.Module, tmp_path: Path) -> None:
    table = {k: t for k, t in smirk_table(smirk).items() if not k.endswith("num_batches_tracked")}
    torch.save(table, tmp_path / "old.pt")
    assert load_network(tmp_path / "old.pt", ("smirk",)).n_used == 762 - 126


def test_weights_of_half_precision_become_single(smirk: nn.Module, tmp_path: Path) -> None:
    table = {k: t.half() if t.is_floating_point() else t for k, t in smirk_table(smirk).items()}
    torch.save(table, tmp_path / "half.pt")
    net = load_network(tmp_path / "half.pt", ("smirk",)).net
    assert {p.dtype for p in net.parameters()} == {torch.float32}


# Conversion.


def test_a_converted_file_holds_the_used_weights_alone(
    smirk: nn.Module, smirk_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "smirk.safetensors"
    told = convert_checkpoint(smirk_file, out)
    assert told.architecture == "smirk"
    assert told.unused == (("smirk_generator", 1),)
    loaded = load_network(out, ARCHITECTURES)
    assert_same(loaded.net, smirk)
    assert (loaded.architecture, loaded.n_used, loaded.unused) == ("smirk", 762, ())
    assert out.stat().st_size < smirk_file.stat().st_size + 100_000
    with pytest.raises(AssetError, match="holds a network of smirk; expected 935 tensors of mica"):
        load_network(out, ("mica",))


def test_a_damaged_converted_file_says_so(smirk_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "smirk.safetensors"
    convert_checkpoint(smirk_file, out)
    out.write_bytes(out.read_bytes()[:2000])
    with pytest.raises(AssetError, match=r"is no whole .safetensors file"):
        load_network(out, ("smirk",))


@pytest.mark.slow
def test_the_onnx_graph_gives_what_torch_gives(smirk_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "smirk.onnx"
    loaded, parity = export_checkpoint(smirk_file, out)
    assert loaded.architecture == "smirk"
    assert parity.size > 6.9  # the camera's scale is among the codes
    assert parity.largest < 1e-4
    session = OnnxSession(out)
    assert session.metadata["n2fnet_peer"] == "smirk"
    assert session.inputs["image"].shape == (1, 3, 224, 224)
    assert session.outputs["codes"].shape == (1, 361)
    with pytest.raises(AssetError, match="is a network of smirk, expected one of mica"):
        open_network(PEERS["mica"], out)


# Which file.


def test_of_emocas_folder_the_checkpoint_with_the_least_loss_is_taken(tmp_path: Path) -> None:
    for name in ("coarse/checkpoints/deca-epoch=01-val_loss=1.5.ckpt",
                 "detail/checkpoints/deca-epoch=07-val_loss=3.25.ckpt",
                 "detail/checkpoints/deca-epoch=09-val_loss=10.5.ckpt",
                 "detail/checkpoints/last.ckpt"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert checkpoint_file(tmp_path).name == "deca-epoch=07-val_loss=3.25.ckpt"
    assert checkpoint_file(tmp_path / "coarse/checkpoints").name.endswith("1.5.ckpt")
    with pytest.raises(AssetError, match="is a folder without checkpoints"):
        checkpoint_file(tmp_path / "detail")
    with pytest.raises(AssetError, match=r"nothing\.tar does not exist"):
        checkpoint_file(tmp_path / "nothing.tar")


def test_without_a_checkpoint_it_is_said_which_is_needed_from_where_under_which_licence() -> None:
    for peer in PEERS.values():
        with pytest.raises(AssetError) as refused:
            open_network(peer, None)
        assert needs_checkpoint(peer) in str(refused.value)
        assert peer.files[0] in str(refused.value)
        assert peer.source in str(refused.value)
        assert peer.licence in str(refused.value)


# What a network is given.


@pytest.mark.parametrize(("low", "wanted"), [(0.0, [0.0, 0.5, 1.0]), (-1.0, [-1.0, 0.0, 1.0])])
def test_a_picture_is_given_red_first_from_its_least_value_to_one(
    low: float, wanted: list[float]
) -> None:
    image = np.zeros((4, 4, 3), np.float32)
    image[1, 2] = (0.0, 127.5, 255.0)
    picture = network_picture(PeerCrop(image, np.eye(2, 3)), low)
    assert picture.shape == (1, 3, 4, 4)
    np.testing.assert_allclose(picture[0, :, 1, 2], wanted, atol=1e-6)
    assert picture[0, 2, 2, 1] == low


# SHeaP.


def test_torchscript_runs_only_where_it_is_trusted(tmp_path: Path) -> None:
    path = save_sheap(tmp_path / "model_paper.pt")
    sheap = PEERS["sheap"]
    with pytest.raises(AssetError, match=r"it brings its own code, which would run here.*--trust"):
        open_network(sheap, path)
    with pytest.raises(AssetError, match="is TorchScript, which brings its own code"):
        read_tensors(path)
    assert open_network(sheap, path, trust=True) is not None
    plain = tmp_path / "plain.pt"
    torch.save({"a": torch.zeros(1)}, plain)
    with pytest.raises(AssetError, match=r"plain.pt is not TorchScript; expected model_paper.pt"):
        open_network(sheap, plain, trust=True)
