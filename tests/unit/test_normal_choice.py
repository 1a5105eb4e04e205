"""Which normal network is meant, and that it is loaded from there."""

from pathlib import Path
from unittest.mock import Mock

import pytest

from engine import normal_choice
from engine.errors import AssetError
from engine.io.assets import sha256_of
from engine.normal_choice import NormalChoice, choose_normals
from tests.onnx_files import save_normal_net


def test_none_and_files_are_told_apart(tmp_path: Path) -> None:
    assert choose_normals("none") == NormalChoice(None, "switched off with --normals none")
    assert choose_normals("none").load() is None
    net = save_normal_net(tmp_path / "made.onnx")
    chosen = choose_normals(str(net))
    assert (chosen.path, chosen.reason) == (net, "")
    assert chosen.identity == f"made.onnx {sha256_of(net)[:12]}"
    assert choose_normals("none").identity == ""
    loaded = chosen.load()
    assert loaded is not None
    assert loaded.size_px == 32


@pytest.mark.parametrize(
    ("cores", "beside", "threads"), [(2, 0, 2), (2, 2, 1), (4, 2, 2), (1, 0, 1)]
)
def test_other_stages_leave_one_thread_on_few_processors(
    cores: int, beside: int, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = choose_normals(str(save_normal_net(tmp_path / "made.onnx")))
    given = []
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.setattr(
        normal_choice, "NormalEstimator", lambda path, **how: given.append(how) or Mock(fallback="")
    )
    chosen.load("cpu", beside=beside)
    assert given == [{"threads": threads, "provider": "cpu", "may_fall_back": True}]


def test_a_missing_file_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"lost\.onnx does not exist; check --normals"):
        choose_normals(str(tmp_path / "lost.onnx"))


def test_without_a_listed_network_there_is_none_and_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "manifest.toml").write_text("")
    monkeypatch.setenv("N2F_ASSETS", str(tmp_path))
    chosen = choose_normals(None)
    assert chosen.path is None
    assert "choose one with --normals FILE" in chosen.reason


def test_a_listed_network_is_checked_against_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = save_normal_net(tmp_path / "normals.onnx")
    (tmp_path / "manifest.toml").write_text(
        f'[[asset]]\nfile = "normals.onnx"\nsha256 = "{sha256_of(net)}"\n'
        f'size = {net.stat().st_size}\nlicence = "CC0-1.0"\nsource = "test"\ncommand = "make"\n'
    )
    monkeypatch.setenv("N2F_ASSETS", str(tmp_path))
    assert choose_normals(None).path == net
    net.write_bytes(net.read_bytes()[::-1])
    with pytest.raises(AssetError, match="not the file that the manifest records"):
        choose_normals(None)


@pytest.mark.parametrize(
    ("flags", "providers", "file"),
    [
        ("avx2 avx512_vnni", ("auto", "cpu"), "normals_int8.onnx"),
        ("avx2", ("auto", "cpu"), "normals.onnx"),
        ("avx2 avx512_vnni", ("auto", "cpu", "cuda"), "normals.onnx"),
    ],
)
def test_bytes_are_for_processors_that_multiply_them(
    flags: str, providers: tuple[str, ...], file: str, tmp_path: Path, monkeypatch
) -> None:
    net = save_normal_net(tmp_path / "normals.onnx")
    (tmp_path / "normals_int8.onnx").write_bytes(net.read_bytes())
    (tmp_path / "manifest.toml").write_text(
        "".join(
            f'[[asset]]\nfile = "{name}"\nsha256 = "{sha256_of(net)}"\n'
            f'size = {net.stat().st_size}\nlicence = "CC0-1.0"\nsource = "test"\n'
            'command = "make"\n'
            for name in ("normals.onnx", "normals_int8.onnx")
        )
    )
    monkeypatch.setenv("N2F_ASSETS", str(tmp_path))
    monkeypatch.setattr("engine.normal_choice.first_processor", lambda: {"flags": flags})
    monkeypatch.setattr(
        "engine.normal_choice.available_providers", lambda: dict.fromkeys(providers, "")
    )
    chosen = choose_normals(None).path
    assert chosen is not None
    assert chosen.name == file


def test_a_changed_network_has_the_next_one_in_its_place_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = save_normal_net(tmp_path / "normals.onnx")
    record = (
        f'sha256 = "{sha256_of(net)}"\nsize = {net.stat().st_size}\nlicence = "CC0-1.0"\n'
        'source = "test"\ncommand = "make"\n'
    )
    (tmp_path / "manifest.toml").write_text(
        f'[[asset]]\nfile = "normals_int8.onnx"\n{record}[[asset]]\nfile = "normals.onnx"\n{record}'
    )
    monkeypatch.setenv("N2F_ASSETS", str(tmp_path))
    monkeypatch.setattr("engine.normal_choice._is_quicker_in_bytes", lambda: True)
    with pytest.raises(AssetError, match=r"normals_int8\.onnx is missing"):
        choose_normals(None)
    second = choose_normals(None, may_fall_back=True)
    assert (second.path, second.reason) == (net, "")
    assert "normals_int8.onnx is missing" in second.instead
    net.unlink()
    none = choose_normals(None, may_fall_back=True)
    assert none.path is None
    assert "normals_int8.onnx is missing" in none.reason
