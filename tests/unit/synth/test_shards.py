"""Shards: what is written comes back bit by bit; damage is found and named."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.errors import AssetError
from engine.synth.manifest import Manifest, ShardEntry
from engine.synth.sample import Sample
from engine.synth.settings import SynthSettings
from engine.synth.shards import (
    params_from_json,
    params_to_json,
    read_manifest,
    read_shard,
    shard_bytes,
    write_shard,
)
from tests.synth_fakes import made_sample

SETTINGS = SynthSettings(seed=3, size_px=16)


def samples(n: int) -> list[Sample]:
    return [made_sample(SETTINGS, i) for i in range(n)]


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "train-000000.tar"
    write_shard(path, samples(2))
    return path


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The tar with members changed; None leaves one out."""
    buffer = io.BytesIO()
    with tarfile.open(path) as source, tarfile.open(fileobj=buffer, mode="w") as target:
        for info in source:
            data = change(info.name, source.extractfile(info).read())
            if data is not None:
                info.size = len(data)
                target.addfile(info, io.BytesIO(data))
    path.write_bytes(buffer.getvalue())
    return path


def test_a_sample_comes_back_bit_by_bit(shard: Path):
    for before, after in zip(samples(2), read_shard(shard), strict=True):
        assert (after.key, after.meta) == (before.key, before.meta)
        for name in ("image", "head_normals", "view_normals", "parsing", "depth", "points"):
            assert np.array_equal(getattr(after, name), getattr(before, name)), name
        assert np.array_equal(after.landmarks68, before.landmarks68)
        assert np.array_equal(after.camera.K, before.camera.K)
        assert (after.camera.width, after.camera.height) == (16, 16)
        assert np.array_equal(after.params.shape, before.params.shape)
        assert np.array_equal(after.params.t, before.params.t)


def test_members_are_named_for_webdataset_and_carry_no_time_or_owner(shard: Path):
    with tarfile.open(shard) as tar:
        infos = tar.getmembers()
    extensions = ["json", *(f"{n}.png" for n in ("rgb", "head", "view", "parsing", "depth"))]
    assert [i.name for i in infos[:7]] == [
        f"train-00000000.{e}" for e in [*extensions, "points.npy"]
    ]
    assert {(i.mtime, i.uid, i.gid, i.uname, i.gname, i.mode) for i in infos} == {
        (0, 0, 0, "", "", 0o644)
    }


def test_red_is_x_in_the_pictures_of_normals(shard: Path):
    with tarfile.open(shard) as tar:
        data = tar.extractfile("train-00000000.head.png").read()
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(bgr[..., ::-1], samples(1)[0].head_normals)


def test_equal_samples_give_equal_bytes_and_their_hash():
    data, entry = shard_bytes(samples(2))
    assert shard_bytes(samples(2)) == (data, entry)
    assert (entry.count, entry.model_ids) == (2, ("made",))


def test_params_survive_json_bit_by_bit():
    params = samples(1)[0].params
    back = params_from_json(json.loads(json.dumps(params_to_json(params))))
    assert back.model_id == params.model_id
    for name in ("shape", "expr", "neck", "jaw", "eyes", "eyelids", "R", "t"):
        assert np.array_equal(getattr(back, name), getattr(params, name))
        assert getattr(back, name).dtype == getattr(params, name).dtype


def test_a_key_that_webdataset_would_split_is_refused(tmp_path: Path):
    dotted = made_sample(SETTINGS, 0)
    object.__setattr__(dotted, "key", "a.b")
    with pytest.raises(ValueError, match=r"'a\.b', expected one of its own"):
        write_shard(tmp_path / "x.tar", [dotted])
    with pytest.raises(ValueError, match="expected one of its own"):
        write_shard(tmp_path / "x.tar", [*samples(1), *samples(1)])
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_is_not_finite_is_refused():
    sample = made_sample(SETTINGS, 0)
    sample.landmarks68[3, 1] = np.nan
    with pytest.raises(ValueError, match="JSON"):
        shard_bytes([sample])


@pytest.mark.parametrize(
    ("extension", "data", "why"),
    [
        ("head.png", None, "it is not there"),
        ("depth.png", b"no picture", "no PNG"),
        ("points.npy", b"\x93NUMPY", "EOF"),
        ("json", b"{", "Expecting"),
        ("json", b"{}", "KeyError: 'image_size'"),
    ],
)
def test_a_broken_member_is_named(shard: Path, extension: str, data: bytes | None, why: str):
    broken = f"train-00000001.{extension}"
    rewritten(shard, lambda name, content: data if name == broken else content)
    with pytest.raises(AssetError, match=rf"{shard} is damaged at .*train-00000001.*{why}"):
        list(read_shard(shard))


def test_a_picture_of_another_size_is_named(shard: Path):
    small = cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes()
    rewritten(shard, lambda name, data: small if name.endswith("1.parsing.png") else data)
    with pytest.raises(AssetError, match=r"sample train-00000001.*Sample\.parsing: shape \(8, 8\)"):
        list(read_shard(shard))


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.3, 0.6])
def test_a_file_cut_short_is_damaged(shard: Path, kept: float):
    data = shard.read_bytes()
    shard.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(AssetError, match="is damaged at"):
        list(read_shard(shard))


def test_a_file_cut_between_two_members_is_damaged(shard: Path):
    with tarfile.open(shard) as tar:
        end = tar.getmember("train-00000000.rgb.png").offset
    shard.write_bytes(shard.read_bytes()[:end])
    with pytest.raises(AssetError, match=r"what follows train-00000000\.json"):
        list(read_shard(shard))


def test_a_missing_file_is_told(tmp_path: Path):
    with pytest.raises(AssetError, match=r"none\.tar cannot be read: No such file"):
        list(read_shard(tmp_path / "none.tar"))


def test_a_manifest_comes_back(tmp_path: Path):
    manifest = Manifest("val", 7, 64, 5, 2, SETTINGS.to_dict()).with_shard(
        "val-000000.tar", ShardEntry("ab", 2, ("made",))
    )
    manifest.write(tmp_path)
    assert read_manifest(tmp_path, "val") == manifest
    assert (manifest.n_done, manifest.model_ids) == (2, ("made",))
    with pytest.raises(AssetError, match=r"manifest-train\.json is not there; make samples with"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "split": "train", "shards": 3}'])
def test_a_damaged_manifest_is_told(tmp_path: Path, text: str):
    (tmp_path / "manifest-train.json").write_text(text)
    with pytest.raises(AssetError, match="is damaged"):
        read_manifest(tmp_path)


def test_settings_survive_json():
    settings = SynthSettings(seed=5, split="val", population="makehuman", pack=Path("a/b.npz"))
    assert SynthSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
    assert SynthSettings.from_dict({}) == SynthSettings()


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"seed": 1.5},
        {"size_px": 8},
        {"split": "test"},
        {"population": "all"},
        {"mediapipe_share": 1.1},
        {"mediapipe_share": float("nan")},
        {"colour": "red"},
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, object]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SynthSettings.from_dict(wrong)
