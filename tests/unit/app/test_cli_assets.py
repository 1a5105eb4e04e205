"""`n2f assets` on a small made-up head in place of the bundled one."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.assets import assets_app
from engine.errors import AssetError
from engine.flame.model import save_head_model
from tests.bumpy_head import bumpy_head
from tests.flame_files import (
    Python2Pickler,
    flame_content,
    write_flame_pickle,
    write_flame_zip,
)

RUN = CliRunner()


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An assets folder with a manifest of one file, the made-up head."""
    folder = tmp_path_factory.mktemp("assets")
    path = folder / "openhead.npz"
    save_head_model(bumpy_head(level=3), path)
    data = path.read_bytes()
    (folder / "manifest.toml").write_text(
        "[[asset]]\n"
        'file = "openhead.npz"\n'
        f'sha256 = "{hashlib.sha256(data).hexdigest()}"\n'
        f"size = {len(data)}\n"
        'licence = "CC0-1.0"\n'
        'source = "made up"\n'
        'command = "make the head again"\n'
        'notice = "nobody is meant"\n'
    )
    return folder


@pytest.fixture(autouse=True)
def _places(bundled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("N2F_ASSETS", str(bundled))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def pickled(tmp_path: Path) -> Path:
    return write_flame_pickle(tmp_path / "flame2023_Open.pkl", flame_content(bumpy_head(level=3)))


def test_import_tells_release_licence_use_counts_and_place(pickled: Path, tmp_path: Path) -> None:
    result = RUN.invoke(assets_app, ["import", str(pickled)])
    assert result.exit_code == 0, result.output
    assert "FLAME 2023 Open (recognised by file name)" in result.stdout
    assert "licence:  Max Planck Society FLAME licence, non-commercial" in result.stdout
    assert "if this really is FLAME 2023 Open, it is CC-BY-4.0" in result.stdout
    assert "Tianye Li" in result.stdout
    assert "6 shape and 4 expression components" in result.stdout
    assert "judged by file name" in result.stdout
    assert str(tmp_path / "cache" / "n2fnet" / "heads") in result.stdout
    assert f"n2f live --model {pickled}" in result.stdout


def test_import_as_json_is_complete_and_the_second_time_comes_from_the_cache(
    pickled: Path,
) -> None:
    first = json.loads(RUN.invoke(assets_app, ["import", str(pickled), "--json"]).stdout)
    second = json.loads(RUN.invoke(assets_app, ["import", str(pickled), "--json"]).stdout)
    head = bumpy_head(level=3)
    assert (first["key"], first["licence"]) == (
        "2023-open",
        "Max Planck Society FLAME licence, non-commercial",
    )
    assert (first["vertices"], first["triangles"]) == (head.n_vertices, len(head.faces))
    assert (first["shape_components"], first["expression_components"]) == (6, 4)
    assert first["source_sha256"] == hashlib.sha256(pickled.read_bytes()).hexdigest()
    assert Path(first["path"]).is_file()
    assert (first["from_cache"], second["from_cache"]) == (False, True)
    assert first | {"from_cache": True} == second


def test_import_takes_a_named_member_of_a_zip(tmp_path: Path) -> None:
    data = Python2Pickler().dumps(flame_content(bumpy_head(level=3)))
    path = write_flame_zip(
        tmp_path / "FLAME2020.zip", {"generic_model.pkl": data, "male_model.pkl": data}
    )
    result = RUN.invoke(assets_app, ["import", str(path), "--member", "male_model", "--json"])
    assert json.loads(result.stdout)["source_member"] == "male_model.pkl"


def test_import_of_a_hostile_file_fails_by_name(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(f"cposix\nsystem\n(S'touch {canary}'\ntR.".encode())
    result = RUN.invoke(assets_app, ["import", str(path)])
    assert result.exit_code == 1
    assert isinstance(result.exception, AssetError)  # main() turns it into one line on stderr
    assert "posix.system" in str(result.exception)
    assert not canary.exists()


def test_import_without_a_file_is_wrong_usage() -> None:
    assert RUN.invoke(assets_app, ["import"]).exit_code == 2


def test_list_shows_what_is_bundled_and_what_was_imported(pickled: Path) -> None:
    before = RUN.invoke(assets_app, ["list"])
    assert "openhead.npz" in before.stdout
    assert "CC0-1.0" in before.stdout
    assert "nobody is meant" in before.stdout
    assert "FLAME" not in before.stdout
    RUN.invoke(assets_app, ["import", str(pickled)])
    assert "FLAME 2023 Open" in RUN.invoke(assets_app, ["list"]).stdout
    found = json.loads(RUN.invoke(assets_app, ["list", "--json"]).stdout)
    assert [asset["file"] for asset in found["assets"]] == ["openhead.npz"]
    assert [head["source_file"] for head in found["imported"]] == ["flame2023_Open.pkl"]


def test_verify_passes_whole_files_and_names_changed_ones(
    bundled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = RUN.invoke(assets_app, ["verify"])
    assert (good.exit_code, good.stdout) == (0, "ok      openhead.npz\n")
    broken = tmp_path / "assets"
    broken.mkdir()
    (broken / "manifest.toml").write_bytes((bundled / "manifest.toml").read_bytes())
    monkeypatch.setenv("N2F_ASSETS", str(broken))
    missing = RUN.invoke(assets_app, ["verify"])
    assert (missing.exit_code, missing.stdout) == (1, "missing openhead.npz\n")
    assert "make it again (make the head again)" in missing.stderr
    (broken / "openhead.npz").write_bytes(b"other")
    changed = RUN.invoke(assets_app, ["verify", "--json"])
    assert changed.exit_code == 1
    assert [entry["status"] for entry in json.loads(changed.stdout)] == ["changed"]
