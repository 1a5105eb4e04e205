"""Reading official checkpoints: whole, damaged, and dangerous ones."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import AssetError
from engine.peers.pixel3dmm_checkpoint import read_checkpoint, write_safetensors
from tests.pixel3dmm_files import lightning_bytes, settings, weights, with_pickle


def saved(folder: Path, content: bytes, name: str = "normals.ckpt") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_every_tensor_and_setting_is_read_as_it_was_written(tmp_path: Path) -> None:
    tensors, config = weights(), settings(encoder_backbone="vit_tiny_patch16_224.dino")
    found = read_checkpoint(saved(tmp_path, lightning_bytes(tensors, config)))
    assert found.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found.tensors[name], tensor.numpy())
    assert found.settings == config


def test_other_types_strides_and_shared_storages_are_read(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "turned": base.T,
        "part": base[1:, ::2],
        "half": torch.tensor([0.5, -2.0], dtype=torch.float16),
        "brain": torch.tensor([1.5, -3.0], dtype=torch.bfloat16),
        "whole": torch.tensor([1, 2**40]),
        "one": torch.tensor(7.0),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    found = read_checkpoint(saved(tmp_path, lightning_bytes(tensors, None))).tensors
    np.testing.assert_array_equal(found["turned"], base.numpy().T)
    np.testing.assert_array_equal(found["part"], base.numpy()[1:, ::2])
    assert found["half"].tolist() == [0.5, -2.0]
    assert found["brain"].tolist() == [1.5, -3.0]
    assert found["brain"].dtype == np.float32
    assert found["whole"].tolist() == [1, 2**40]
    assert found["one"].shape == ()
    assert found["parameter"].tolist() == [1.0, 1.0]


def test_safetensors_hold_the_same(tmp_path: Path) -> None:
    found = read_checkpoint(saved(tmp_path, lightning_bytes(weights(), settings())))
    write_safetensors(found, tmp_path / "n.safetensors")
    again = read_checkpoint(tmp_path / "n.safetensors")
    assert again.settings == found.settings
    assert again.tensors.keys() == found.tensors.keys()
    for name, tensor in found.tensors.items():
        np.testing.assert_array_equal(again.tensors[name], tensor)


class Calls:
    """Pickles into a call."""

    def __init__(self, function, *args) -> None:
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [2, 4])
def test_code_in_a_checkpoint_is_refused_by_name_and_not_run(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "mark"
    pickled = pickle.dumps({"state_dict": {}, "evil": Calls(open, str(mark), "w")}, protocol)
    path = saved(tmp_path, with_pickle(lightning_bytes(weights(), None), pickled))
    with pytest.raises(AssetError, match=r"refused: .*io\.open.*nothing was run"):
        read_checkpoint(path)
    assert not mark.exists()


@pytest.mark.parametrize("function", [eval, getattr, __import__, torch.load])
def test_no_other_function_is_accepted(tmp_path: Path, function) -> None:
    pickled = pickle.dumps({"state_dict": {}, "evil": Calls(function, "1")}, 2)
    path = saved(tmp_path, with_pickle(lightning_bytes(weights(), None), pickled))
    with pytest.raises(AssetError, match="refused"):
        read_checkpoint(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_told(tmp_path: Path, share: float) -> None:
    content = lightning_bytes(weights(), settings())
    path = saved(tmp_path, content[: int(share * len(content))])
    with pytest.raises(AssetError, match=r"cut off"):
        read_checkpoint(path)


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    content = bytearray(lightning_bytes(weights(), None))
    content[len(content) // 2] ^= 1
    with pytest.raises(AssetError, match=r"damaged|refused"):
        read_checkpoint(saved(tmp_path, bytes(content)))


def rewritten(checkpoint: bytes, change, compression: int = zipfile.ZIP_STORED) -> bytes:
    """The archive with a function applied to each part."""
    out = io.BytesIO()
    old = zipfile.ZipFile(io.BytesIO(checkpoint))
    with old, zipfile.ZipFile(out, "w", compression) as new:
        for info in old.infolist():
            new.writestr(info.filename, change(info.filename, old.read(info)))
    return out.getvalue()


def test_a_storage_of_another_length_is_refused(tmp_path: Path) -> None:
    shorter = rewritten(
        lightning_bytes({"a": torch.ones(5)}, None),
        lambda name, data: data[:-4] if name.endswith("data/0") else data,
    )
    with pytest.raises(AssetError, match="storage 0 claims 20 bytes and has 16"):
        read_checkpoint(saved(tmp_path, shorter))


def test_compressed_parts_are_refused(tmp_path: Path) -> None:
    bomb = rewritten(lightning_bytes({"a": torch.zeros(9)}, None), lambda name, data: data,
                     zipfile.ZIP_DEFLATED)  # fmt: skip
    with pytest.raises(AssetError, match="is compressed"):
        read_checkpoint(saved(tmp_path, bomb))


def test_tensors_stay_within_their_storage(tmp_path: Path) -> None:
    content = lightning_bytes({"a": torch.ones(5)}, None)
    # BININT1 5 is the number of elements, then of the shape: make the latter 6.
    longer = rewritten(
        content,
        lambda name, data: (
            data.replace(b"K\x05\x85", b"K\x06\x85") if name.endswith(".pkl") else data
        ),
    )
    with pytest.raises(AssetError, match="lies outside of its storage"):
        read_checkpoint(saved(tmp_path, longer))


def test_settings_that_unfold_without_end_are_refused(tmp_path: Path) -> None:
    tree: list[object] = []
    for _ in range(12):
        tree = [tree] * 10
    content = lightning_bytes({}, None, hyper_parameters=tree)
    with pytest.raises(AssetError, match="nested too deeply"):
        read_checkpoint(saved(tmp_path, content))


def test_tensors_that_swell_are_refused(tmp_path: Path) -> None:
    shared = torch.zeros(10**6)
    content = lightning_bytes({f"t{k}": shared for k in range(1001)}, None)
    with pytest.raises(AssetError, match="far more than theirs"):
        read_checkpoint(saved(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html>", "no checkpoint of torch's"),
        (b"", "no checkpoint of torch's"),
        (with_pickle(lightning_bytes({}, None), pickle.dumps([1], 2)), "no state_dict"),
        (lightning_bytes({"a": 3}, None), "'a' in its state_dict is no tensor"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(AssetError, match=words):
        read_checkpoint(saved(tmp_path, content))


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flame.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("generic_model.pkl", b"x")
    with pytest.raises(AssetError, match="not one of torch's"):
        read_checkpoint(path)


def test_foreign_safetensors_and_missing_files_are_told(tmp_path: Path) -> None:
    from safetensors.numpy import save

    other = saved(tmp_path, save({"a": np.ones(3, np.float32)}), "a.safetensors")
    with pytest.raises(AssetError, match="holds no Pixel3DMM network"):
        read_checkpoint(other)
    with pytest.raises(AssetError, match="holds no Pixel3DMM network"):
        read_checkpoint(saved(tmp_path, b"\xff" * 100, "b.safetensors"))
    with pytest.raises(AssetError, match="cannot be read: No such file"):
        read_checkpoint(tmp_path / "none.ckpt")
