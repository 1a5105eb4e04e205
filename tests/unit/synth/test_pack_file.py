from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.flame.model import load_head_model
from engine.synth.pack import Attachment, Skin, SynthHead, SynthLight, SynthPack
from engine.synth.pack_file import load_pack, save_pack

_OPENHEAD = Path("assets/openhead.npz")


def _pack() -> SynthPack:
    model = load_head_model(_OPENHEAD)
    F = len(model.faces)
    rng = np.random.default_rng(0)
    head = SynthHead(
        "openhead", model, np.arange(F).astype(np.uint8), np.zeros(F, np.uint8),
        np.float32(rng.random((9, 2))), np.zeros((F, 3), np.int32), None,
        np.float32(rng.random((4, model.n_expr + 11))),
    )  # fmt: skip
    brows = Attachment(
        "brow1", "brows", np.array([[0, 1, 2]], np.int32), np.float32(rng.random((3, 2))),
        np.array([[0, 1, 2]], np.int32), np.full((4, 5, 4), 7, np.uint8),
        {"openhead": np.float32(rng.random((3, 3)))}, {"openhead": np.zeros((3, 4), np.int32)},
        {"openhead": np.full((3, 4), 0.25, np.float32)},
    )  # fmt: skip
    light = SynthLight(
        "sky", np.float32(rng.random((9, 3))), np.ones((64, 128, 3), np.float32),
        np.full((512, 1024, 3), 9, np.uint8),
    )  # fmt: skip
    skins = tuple(Skin(f"skin{i}", np.full((3, 2, 3), i, np.uint8)) for i in range(11))
    masks = {"lips": np.eye(4, dtype=np.uint8)}
    return SynthPack({"openhead": head}, skins, masks, (brows,), (light,), frozenset({"skin3"}))


def test_a_pack_comes_back_as_it_was_written(tmp_path: Path) -> None:
    pack = _pack()
    save_pack(pack, tmp_path / "pack.npz")
    back = load_pack(tmp_path / "pack.npz")
    head, own = back.heads["openhead"], pack.heads["openhead"]
    assert head.model.model_id == own.model.model_id
    np.testing.assert_array_equal(head.model.shapedirs, own.model.shapedirs)
    np.testing.assert_array_equal(head.face_class, own.face_class)
    assert head.shape_samples is None
    np.testing.assert_array_equal(head.expr_samples, own.expr_samples)
    assert [int(skin.albedo[0, 0, 0]) for skin in back.skins] == list(range(11))
    assert back.held_back == {"skin3"}
    np.testing.assert_array_equal(back.skin_masks["lips"], np.eye(4))
    for item, wanted in ((back.attachments[0], pack.attachments[0]),
                         (back.lights[0], pack.lights[0])):  # fmt: skip
        for field in fields(wanted):
            np.testing.assert_equal(getattr(item, field.name), getattr(wanted, field.name))


def test_the_same_pack_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        save_pack(_pack(), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_missing_pack_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"gone\.npz cannot be read"):
        load_pack(tmp_path / "gone.npz")


def test_a_head_model_is_no_pack() -> None:
    with pytest.raises(AssetError, match="not a readable synthesis pack"):
        load_pack(_OPENHEAD)


def test_a_text_file_is_no_pack(tmp_path: Path) -> None:
    path = tmp_path / "pack.npz"
    path.write_text("no pack")
    with pytest.raises(AssetError, match="build_pack"):
        load_pack(path)
