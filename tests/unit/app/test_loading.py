"""What the window begins with where files that were shipped are missing or changed."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from app.live import LiveSettings
from app.loading import load_parts
from app.session import Loaded
from app.settings import Settings
from engine.errors import AssetError
from engine.io.assets import assets_dir

pytestmark = pytest.mark.assets

Damage = Callable[[str], Path]


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Damage:
    """A copy of the assets is in use; gives each file's place in it."""
    for file in assets_dir().iterdir():
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.setenv("N2F_ASSETS", str(tmp_path))
    monkeypatch.setattr(
        "engine.normal_choice.first_processor", lambda: {"flags": "avx2 avx512_vnni"}
    )
    monkeypatch.setattr("engine.normal_choice.available_providers", lambda: {"auto": "", "cpu": ""})
    return lambda name: tmp_path / name


def load(stored: str = "", **settings: str) -> Loaded:
    window = SimpleNamespace(
        providers=Mock(), store=SimpleNamespace(present=Settings(method=stored))
    )
    session = SimpleNamespace(recording=None, window=window)
    return load_parts(LiveSettings(**settings), session, lambda what: None)


def append_a_byte(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()  # the link
    path.write_bytes(data + b"\0")


def test_whole_files_are_not_worth_a_word(copied: Damage):
    loaded = load()
    assert loaded.methods.chosen == "n2fnet-refined"
    assert (loaded.told, loaded.no_normals) == ((), "")


def test_a_changed_network_is_told_with_what_stands_in_for_it(copied: Damage):
    append_a_byte(copied("n2fnet.onnx"))
    loaded = load()
    assert loaded.methods.chosen == "landmarks-refined"
    (told,) = loaded.told
    cause, _, fix = told.partition("; ")
    assert cause.startswith(
        "Heads are fitted by “Landmarks, refined”, as “N2FNet, refined” cannot be used: "
    )
    assert "n2fnet.onnx is not the file that the manifest records" in cause
    assert fix.startswith("take it from a fresh copy of the project, or make it again as ")
    assert fix.endswith("manifest.toml says")


def test_without_the_network_in_bytes_the_float_one_is_taken(copied: Damage):
    copied("normals_int8.onnx").unlink()
    loaded = load()
    assert (loaded.methods.chosen, loaded.no_normals) == ("n2fnet-refined", "")
    (told,) = loaded.told
    assert told.startswith("Normals by normals.onnx, which is slower here: ")
    assert "normals_int8.onnx is missing" in told


def test_without_any_normal_network_landmarks_still_work(copied: Damage):
    append_a_byte(copied("normals_int8.onnx"))
    copied("normals.onnx").unlink()
    loaded = load()
    assert loaded.methods.chosen == "landmarks"
    assert "normals_int8.onnx is not the file" in loaded.no_normals
    (told,) = loaded.told
    assert told.startswith("Heads are fitted by “Landmarks”, as “N2FNet, refined” cannot be used")
    assert "no normal network: " in told


def test_what_was_asked_for_is_no_news(copied: Damage):
    loaded = load(normals="none")
    assert (loaded.methods.chosen, loaded.told) == ("landmarks", ())


def test_a_method_that_was_asked_for_has_nothing_in_its_place(copied: Damage):
    append_a_byte(copied("n2fnet.onnx"))
    with pytest.raises(AssetError, match="not the file that the manifest records"):
        load(method="n2fnet")
