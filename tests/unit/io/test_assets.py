import hashlib
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import AssetError
from engine.io import assets
from engine.io.assets import Asset, asset_path, assets_dir, load_manifest
from engine.io.manifest_write import record_asset, write_manifest

CONTENT = b"head" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An assets folder with one recorded file."""
    file = tmp_path / "head.npz"
    file.write_bytes(CONTENT)
    record_asset(
        file,
        licence="CC-BY-4.0",
        source="a scan",
        command="make-head --out head.npz",
        notice='Made by "us" — 2 lines\nof text',
        figures={"error_mm": 0.05, "n": 3, "note": "mean"},
    )
    return tmp_path


def test_recorded_asset_reads_back(folder: Path) -> None:
    (asset,) = load_manifest(folder)
    assert asset == Asset(
        file="head.npz",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size=400,
        licence="CC-BY-4.0",
        source="a scan",
        command="make-head --out head.npz",
        notice='Made by "us" — 2 lines\nof text',
        figures={"error_mm": 0.05, "n": 3, "note": "mean"},
        folder=folder,
    )
    assert asset.check() == "ok"
    assert asset_path("head.npz", folder) == folder / "head.npz"


def test_one_changed_byte_is_found(folder: Path) -> None:
    (folder / "head.npz").write_bytes(CONTENT[:-1] + b"x")
    assert load_manifest(folder)[0].check() == "changed"
    with pytest.raises(AssetError, match=r"not the file.*fresh copy.*make-head --out head.npz"):
        asset_path("head.npz", folder)


def test_added_byte_is_found(folder: Path) -> None:
    (folder / "head.npz").write_bytes(CONTENT + b"x")
    assert load_manifest(folder)[0].check() == "changed"


def test_missing_file_is_named(folder: Path) -> None:
    (folder / "head.npz").unlink()
    assert load_manifest(folder)[0].check() == "missing"
    with pytest.raises(AssetError, match=r"head.npz is missing.*fresh copy"):
        asset_path("head.npz", folder)


def test_unlisted_name_lists_those_there_are(folder: Path) -> None:
    with pytest.raises(AssetError, match=r"no asset is called nose.npz; there are: head.npz"):
        asset_path("nose.npz", folder)


def test_recording_again_replaces_the_entry_and_keeps_the_others(folder: Path) -> None:
    clip = folder / "clips" / "a.mp4"
    clip.parent.mkdir()
    clip.write_bytes(b"clip")
    record_asset(clip, licence="CC0-1.0", source="us", command="make-clip", folder=folder)
    (folder / "head.npz").write_bytes(b"new")
    record_asset(folder / "head.npz", licence="CC0-1.0", source="us", command="again")
    entries = {a.file: (a.size, a.command) for a in load_manifest(folder)}
    assert entries == {"clips/a.mp4": (4, "make-clip"), "head.npz": (3, "again")}
    assert all(a.check() == "ok" for a in load_manifest(folder))


def test_order_of_recording_does_not_change_the_bytes(folder: Path) -> None:
    one = load_manifest(folder)[0]
    two = Asset("a.bin", "0" * 64, 1, "CC0-1.0", "us", "make")
    write_manifest(folder, [one, two])
    first = (folder / "manifest.toml").read_bytes()
    write_manifest(folder, [two, one])
    assert (folder / "manifest.toml").read_bytes() == first


def test_file_outside_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    with pytest.raises(ValueError, match="inner"):
        record_asset(folder / "head.npz", licence="x", source="x", command="x", folder=inner)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_toml(text: str) -> None:
    from engine.io.manifest_write import _text

    assert tomllib.loads(f"a = {_text(text)}") == {"a": text}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[[asset]\n", "damaged"),
        ('[[asset]]\nfile = "a"\n', "damaged.*missing"),
        ('asset = "a"\n', "damaged"),
        ('[[asset]]\nfile="a"\nsha256=1\nsize=1\nlicence=""\nsource=""\ncommand=""\n', "not text"),
        ('[[asset]]\nfile="a"\ncolour="red"\n', "colour"),
    ],
)
def test_damaged_manifest_is_an_asset_error(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "manifest.toml").write_text(content)
    with pytest.raises(AssetError, match=words):
        load_manifest(tmp_path)


def test_missing_manifest_is_an_asset_error(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="cannot be read"):
        load_manifest(tmp_path)


def test_environment_names_another_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("N2F_ASSETS", str(folder))
    assert assets_dir() == folder
    assert asset_path("head.npz") == folder / "head.npz"
    monkeypatch.setenv("N2F_ASSETS", str(folder / "nowhere"))
    with pytest.raises(AssetError, match=r"N2F_ASSETS is .*nowhere.*correct it"):
        assets_dir()


def test_installed_program_finds_what_the_wheel_put(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Installed:
        def match(self, pattern: str) -> bool:
            return Path("../share/n2fnet/assets/manifest.toml").match(pattern)

        def locate(self) -> Path:
            return folder / "manifest.toml"

    monkeypatch.delenv("N2F_ASSETS", raising=False)
    monkeypatch.setattr(assets, "__file__", str(folder / "lib" / "engine" / "io" / "assets.py"))
    monkeypatch.setattr(assets.metadata, "files", lambda _: [Installed()])
    assert assets_dir() == folder
    monkeypatch.setattr(assets.metadata, "files", lambda _: [])
    with pytest.raises(AssetError, match=r"share/n2fnet/assets.*N2F_ASSETS"):
        assets_dir()
