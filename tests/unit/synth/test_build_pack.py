"""The command that makes a pack: what it writes, what it says, and how it ends."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.flame.model import HeadModel
from engine.synth import build_pack
from engine.synth.pack import PARTS
from engine.synth.pack_file import load_pack
from engine.synth.sample import PARSING
from tests.unit.synth.makehuman_files import N_SKIN, at, openhead, synth_head, write_source

_FOLDERS = ("ict_facekit", "makehuman", "registration", "hdri")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("pack"))


@pytest.fixture
def made_heads(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One population instead of both: openhead needs the real source."""
    heads = {"makehuman": synth_head(source)}
    monkeypatch.setattr(build_pack, "build_heads", lambda _: heads)


def _run(source: Path, out: Path) -> int:
    return build_pack.main(["--source", str(source), "--out", str(out)])


def test_a_pack_is_written_and_its_size_told(
    source: Path, made_heads: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "pack.npz"
    assert _run(source, out) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{out}: ")
    assert said.out.endswith(" MiB\n")
    assert said.err == ""
    pack = load_pack(out)
    assert list(pack.heads) == ["makehuman"]
    assert [light.name for light in pack.lights] == ["lobby", "sunset"]
    assert "lobby" in pack.held_back
    head = pack.heads["makehuman"]
    assert head.shape_samples is not None
    assert head.val_shape_samples is not None
    assert head.shape_samples.shape[1] == head.val_shape_samples.shape[1] == head.model.n_shape
    assert [p.name for p in out.parent.iterdir()] == ["pack.npz"]  # no temporary is left


def test_labels_of_the_made_head_are_right(source: Path) -> None:
    head = synth_head(source)
    model = head.model

    def labels_of(vertices: np.ndarray) -> tuple[set[str], set[str]]:
        rows = np.isin(model.faces, vertices).all(axis=1)
        assert rows.any()
        parts = {PARTS[k] for k in head.part[rows]}
        return {PARSING[k] for k in head.face_class[rows]}, parts

    assert labels_of(model.regions["eyeballs"]) == ({"eyes"}, {"eye"})
    assert labels_of(model.regions["teeth"]) == ({"mouth_inside"}, {"teeth"})
    assert labels_of(np.array([at(18, k) for k in range(-3, 4)] + [at(19, 0)])) == (
        {"skin"}, {"skin"},
    )  # fmt: skip
    assert labels_of(np.array([at(r, k) for r in (0, 1) for k in (7, 8, 9)]))[0] == {"neck"}


def test_faces_are_drawn_for_the_head_they_belong_to(source: Path) -> None:
    head = synth_head(source)
    assert head.expr_samples is not None
    assert head.expr_samples.shape == (600, head.model.n_expr + 11)
    assert head.uv.min() > -1.5  # in the skins' crop, v down: texture 0.4..0.6 lies about it
    assert head.uv_faces[(head.model.faces < N_SKIN).all(axis=1)].max() < len(head.uv)


@pytest.mark.parametrize("lacks", ["uv", "uv_faces", "arkit"])
def test_a_head_that_cannot_be_textured_or_moved_is_refused(lacks: str) -> None:
    model: HeadModel = replace(openhead(), **{lacks: None})
    with pytest.raises(ValueError, match="openhead: texture coordinates and the ARKit map"):
        build_pack._synth_head("openhead", model, None, None, seed=1)


def test_a_folder_that_is_not_there_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(tmp_path / "nowhere", tmp_path / "pack.npz") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith(f"Error: {tmp_path / 'nowhere'} has no folder ict_facekit, ")
    assert "give the data pack's folder" in said.err


@pytest.mark.parametrize("gone", _FOLDERS)
def test_a_missing_part_is_told_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    monkeypatch.setattr(build_pack, "build_heads", None)
    for name in _FOLDERS:
        (tmp_path / name).mkdir()
    (tmp_path / gone).rmdir()
    assert _run(tmp_path, tmp_path / "pack.npz") == 1
    assert f"has no folder {gone}; " in capsys.readouterr().err


def test_a_folder_in_place_of_the_pack_is_told_before_any_work(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setattr(build_pack, "build_heads", None)
    assert _run(source, tmp_path) == 1
    assert f"Error: {tmp_path} is a folder; name a file in it" in capsys.readouterr().err


def test_a_damaged_skin_is_told_and_an_old_pack_stays(
    source: Path, made_heads: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(source, tmp_path / "pack")
    path = tmp_path / "pack" / "makehuman/textures/skins/young_skin_headcrop.jpg"
    path.write_bytes(b"damaged")
    out = tmp_path / "pack.npz"
    out.write_bytes(b"old")
    assert _run(tmp_path / "pack", out) == 1
    assert f"Error: {path} is not a readable picture" in capsys.readouterr().err
    assert out.read_bytes() == b"old"


def test_a_pack_that_cannot_be_written_is_told(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setattr(build_pack, "build_heads", lambda source: {})
    monkeypatch.setattr(build_pack, "build_assets", lambda *_: ((), {}, (), (), frozenset()))
    (tmp_path / "file").write_bytes(b"")
    assert _run(source, tmp_path / "file" / "pack.npz") == 1
    assert "pack.npz cannot be written" in capsys.readouterr().err


def test_an_empty_ict_folder_is_told(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(source, tmp_path / "pack")
    shutil.rmtree(tmp_path / "pack" / "ict_facekit")
    (tmp_path / "pack" / "ict_facekit").mkdir()
    assert _run(tmp_path / "pack", tmp_path / "pack.npz") == 1
    assert "ict_facekit does not hold the ICT source" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--source", "a"], ["--out", "a"], ["--what"]])
def test_wrong_usage_ends_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_pack.main(arguments)
    assert ended.value.code == 2


def test_the_module_runs_as_a_command_and_ends_with_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "engine.synth.build_pack", "--source", str(tmp_path)]
    ended = subprocess.run(
        [*command, "--out", str(tmp_path / "pack.npz")], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "has no folder ict_facekit" in ended.stderr
