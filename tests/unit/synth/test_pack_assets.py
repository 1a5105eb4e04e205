"""The looks of a pack, from a made data pack: what comes out, and what is held back."""

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.errors import AssetError
from engine.synth.attachments import build_attachments
from engine.synth.base_warps import base_warps
from engine.synth.pack import SynthHead, SynthPack
from engine.synth.pack_assets import HELD_BACK, build_assets
from engine.synth.wardrobe import Wardrobe
from tests.unit.synth.makehuman_files import N_SKIN, skin, synth_head, write_source


@dataclass
class _Made:
    source: Path
    heads: dict[str, SynthHead]
    pack: SynthPack


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> _Made:
    source = write_source(tmp_path_factory.mktemp("pack"))
    heads = {"makehuman": synth_head(source)}
    return _Made(source, heads, SynthPack(heads, *build_assets(source, heads)))


@pytest.fixture
def copied(made: _Made, tmp_path: Path) -> Path:
    """The source again, to be damaged."""
    shutil.copytree(made.source, tmp_path / "pack")
    return tmp_path / "pack"


def test_looks_go_by_the_names_of_their_files(made: _Made) -> None:
    pack = made.pack
    assert [s.name for s in pack.skins] == ["middleage_lightskinned_male2", "young_skin"]
    assert [light.name for light in pack.lights] == ["lobby", "sunset"]
    found = [(a.kind, a.name) for a in pack.attachments]
    assert found == [
        ("hair", "afro01"), ("hair", "short02"), ("brows", "eyebrow001"), ("brows", "eyebrow004"),
        ("lashes", "eyelashes01"),
    ]  # fmt: skip


def test_a_skin_with_painted_hair_is_left_out(made: _Made) -> None:
    name = "young_caucasian_female_special_suit"
    assert (made.source / f"makehuman/textures/skins/{name}_headcrop.jpg").exists()
    assert name not in [s.name for s in made.pack.skins]


def test_skins_are_rgb_of_one_size(made: _Made) -> None:
    for i, one in enumerate(made.pack.skins):
        assert one.albedo.shape == (988, 512, 3)
        # JPEG keeps a flat colour to a few steps.
        np.testing.assert_allclose(one.albedo.mean(axis=(0, 1)), [60 + 10 * i, 40, 20], atol=3)


def test_a_light_is_scaled_to_mean_radiance_one(made: _Made) -> None:
    for light in made.pack.lights:
        np.testing.assert_allclose(light.radiance, 1, rtol=0.02)  # RGBE keeps 8 bits


def test_masks_share_the_skins_crop(made: _Made) -> None:
    masks = made.pack.skin_masks
    assert set(masks) == {"lips", "lids", "brows", "beard", "cheeks", "nose", "scalp"}
    assert {mask.shape for mask in masks.values()} == {(494, 256)}


def test_garments_lie_on_the_head_where_the_base_mesh_has_them(made: _Made) -> None:
    for one in made.pack.attachments:
        placed = one.vertices["makehuman"]
        assert placed.shape == (4, 3)
        # They hang on ring 14's front; people's mean moves the base by a few millimetres.
        expected = skin()[[14 * 16, 14 * 16 + 1, 15 * 16 + 1, 15 * 16]]
        assert np.linalg.norm(placed - expected, axis=1).max() < 0.012
        followed = one.bind_idx["makehuman"]
        assert followed.max() < N_SKIN
        np.testing.assert_allclose(one.bind_weights["makehuman"].sum(axis=1), 1, atol=1e-6)
        np.testing.assert_array_equal(one.faces, [[0, 1, 2], [0, 2, 3]])


def test_texture_coordinates_are_turned_to_v_down(made: _Made) -> None:
    for one in made.pack.attachments:
        np.testing.assert_array_equal(one.uv, [[0, 1], [1, 1], [1, 0], [0, 0]])


def test_textures_cover_where_the_sources_do(made: _Made) -> None:
    for one in made.pack.attachments:
        size = 512 if one.kind == "hair" else 256
        assert one.texture.shape == (size, size, 4)
        assert (one.texture[:, : size // 2 - 1, 3] == 255).all()
        assert (one.texture[:, size // 2 + 1 :, 3] == 0).all()
    lashes = made.pack.attachments[-1].texture
    assert (lashes[..., :3] == 128).all()  # flat grey, to be coloured


def test_strands_are_made_where_the_source_has_no_texture(made: _Made, copied: Path) -> None:
    makehuman = copied / "makehuman"
    (makehuman / "textures/eyebrows/eyebrow001.png").unlink()
    warps = base_warps(copied, made.heads)
    texture = {a.name: a.texture for a in build_attachments(makehuman, made.heads, warps)}
    own = {a.name: a.texture for a in made.pack.attachments}
    np.testing.assert_array_equal(texture["eyebrow004"], own["eyebrow004"])
    assert texture["eyebrow001"].shape == (256, 256, 4)
    assert np.ptp(texture["eyebrow001"][..., 0]) > 30  # lighter and darker strands


def test_training_and_validation_share_no_look_that_is_held_back(made: _Made) -> None:
    train, val = (Wardrobe.of_split(made.pack, split) for split in ("train", "val"))
    assert not set(train.skins) & set(val.skins)
    assert {made.pack.skins[i].name for i in val.skins} == {"middleage_lightskinned_male2"}
    assert [light.name for light in train.lights] == ["sunset"]
    assert [light.name for light in val.lights] == ["lobby"]
    for kind, held in (("hair", "short02"), ("brows", "eyebrow004")):
        names = [{a.name for a in of.attachments[kind]} for of in (train, val)]
        assert names[1] == {held}
        assert not names[0] & names[1]
    # Of lashes none is held back: they serve both.
    assert len(train.attachments["lashes"]) == len(val.attachments["lashes"]) == 1


def test_what_is_held_back_is_told_with_the_pack(made: _Made) -> None:
    assert made.pack.held_back == HELD_BACK
    assert {"short02", "eyebrow004", "lobby", "middleage_lightskinned_male2"} <= HELD_BACK


def test_the_same_source_gives_the_same_looks(made: _Made) -> None:
    skins, masks, attachments, lights, _ = build_assets(made.source, made.heads)
    for own, again in zip(made.pack.attachments, attachments, strict=True):
        np.testing.assert_array_equal(own.texture, again.texture)
        np.testing.assert_array_equal(own.vertices["makehuman"], again.vertices["makehuman"])
    np.testing.assert_array_equal(skins[0].albedo, made.pack.skins[0].albedo)
    np.testing.assert_array_equal(lights[0].sh, made.pack.lights[0].sh)
    np.testing.assert_array_equal(masks["lips"], made.pack.skin_masks["lips"])


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("makehuman/textures/skins", r"skins holds no \*_headcrop\.jpg"),
        ("registration", "registration does not hold the registered head"),
        ("makehuman/assets/hair", r"hair holds no \.mhclo\.gz; fetch it again"),
        ("makehuman/assets/eyebrows", r"eyebrows holds no \.mhclo\.gz"),
        ("makehuman/assets/eyelashes", r"eyelashes holds no \.mhclo\.gz"),
        ("hdri", r"hdri holds no \.hdr pictures"),
    ],
)
def test_a_missing_folder_is_named(made: _Made, copied: Path, folder: str, found: str) -> None:
    shutil.rmtree(copied / folder)
    with pytest.raises(AssetError, match=found):
        build_assets(copied, made.heads)


@pytest.mark.parametrize(
    "name",
    [
        "makehuman/base.obj.gz",
        "makehuman/assets/hair/afro01/afro01.obj.gz",
        "makehuman/assets/eyebrows/eyebrow001/eyebrow001.mhclo.gz",
        "makehuman/textures/skins/young_skin_headcrop.jpg",
        "makehuman/textures/eyelashes/eyelashes01.png",
        "hdri/sunset.hdr",
    ],
)
def test_a_damaged_file_is_named(made: _Made, copied: Path, name: str) -> None:
    (copied / name).write_bytes(b"damaged")
    with pytest.raises(AssetError, match=rf"{Path(name).name}.*fetch it again"):
        build_assets(copied, made.heads)


def test_a_missing_mesh_of_a_garment_is_named(made: _Made, copied: Path) -> None:
    (copied / "makehuman/assets/hair/afro01/afro01.obj.gz").unlink()
    with pytest.raises(AssetError, match=r"afro01\.obj\.gz cannot be read"):
        build_assets(copied, made.heads)


def test_a_mesh_that_is_not_the_bindings_is_told(made: _Made, copied: Path) -> None:
    path = copied / "makehuman/assets/hair/afro01/afro01.obj.gz"
    path.write_bytes(gzip.compress(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"))
    with pytest.raises(AssetError, match=r"afro01\.mhclo\.gz places 4 vertices, its \.obj has 3"):
        build_attachments(copied / "makehuman", made.heads, {})


def test_a_texture_without_coverage_is_refused(made: _Made, copied: Path) -> None:
    path = copied / "makehuman/textures/hair/afro01_diffuse.png"
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(AssetError, match=r"afro01_diffuse\.png is not a readable RGBA picture"):
        build_assets(copied, made.heads)
