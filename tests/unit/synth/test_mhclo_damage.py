"""Damaged garments of MakeHuman are refused by name, on reading or when they are put on."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.synth.mhclo import Binding, read_mhclo, read_obj

_SCALES = "x_scale 0 1 1.0\ny_scale 0 2 1.0\nz_scale 0 3 1.0\n"


def _written(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()))
    return path


def _flipped(path: Path, text: str) -> Path:
    """A compressed file whose header is right and whose contents are not."""
    data = bytearray(gzip.compress(text.encode()))
    data[12:30] = b"\xff" * 18
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("read", [read_mhclo, read_obj])
def test_damaged_compression_is_named(tmp_path: Path, read) -> None:
    path = _flipped(tmp_path / "a.gz", "v 1 2 3\n" * 100)
    with pytest.raises(AssetError, match=r"a\.gz cannot be read: .*fetch it again"):
        read(path)


@pytest.mark.parametrize("read", [read_mhclo, read_obj])
@pytest.mark.parametrize("data", [b"", b"v 1 2 3\n", gzip.compress(b"v 1 2 3\n" * 9)[:-9]])
def test_a_file_that_is_not_or_half_compressed_is_named(tmp_path: Path, read, data) -> None:
    (tmp_path / "a.gz").write_bytes(data)
    with pytest.raises(AssetError, match=r"a\.gz"):
        read(tmp_path / "a.gz")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "no vertices"),
        ("v 1 2\nv 1 2\nv 1 2\n", "expected 3, got 2"),
        ("v 1 2 x\n", "'x'"),
        ("v 1 2 3\nvt 1\n", "expected 2, got 1"),
        ("v 1 2 3\nf 1 2 1\n", r"vertex 1\.\.2, expected 1\.\.1"),
        ("v 1 2 3\nf 0 1 1\n", r"vertex 0\.\.1, expected 1\.\.1"),
        ("v 1 2 3\nvt 0 0\nf 1/1 1/2 1/1\n", r"coordinate 1\.\.2, expected 1\.\.1"),
        ("v 1 2 3\nf\n", "not enough values"),
        ("v 1 2 3\nf 1/ a 1\n", "'a'"),
    ],
)
def test_a_damaged_mesh_is_named_with_what_was_found(tmp_path: Path, text, found) -> None:
    path = _written(tmp_path / "a.obj.gz", text)
    with pytest.raises(AssetError, match=rf"a\.obj\.gz is not a readable \.obj.*{found}"):
        read_obj(path)


def test_faces_without_texture_are_marked_so(tmp_path: Path) -> None:
    mesh = read_obj(_written(tmp_path / "a.obj.gz", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1//1 2 3/\n"))
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2]])
    np.testing.assert_array_equal(mesh.uv_faces, [[-1, -1, -1]])
    assert mesh.uv.shape == (0, 2)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x_scale 0 1 0.0\n", "a distance over 0"),
        ("x_scale 0 1 nan\n", "a distance over 0"),
        ("x_scale -1 1 2.0\n", "expected two vertices"),
        ("x_scale 0 1\n", "out of range"),
        (_SCALES + "verts 0\n-4\n", "base vertex -4"),
        (_SCALES + "verts 0\n1 2 -3 0.2 0.3 0.5\n", "base vertex -3"),
    ],
)
def test_a_damaged_binding_is_named_with_what_was_found(tmp_path: Path, text, found) -> None:
    path = _written(tmp_path / "a.mhclo.gz", text)
    with pytest.raises(AssetError, match=rf"a\.mhclo\.gz is not a readable \.mhclo.*{found}"):
        read_mhclo(path)


def test_a_binding_without_one_scale_is_named(tmp_path: Path) -> None:
    path = _written(tmp_path / "a.mhclo.gz", "x_scale 0 1 1.0\nz_scale 0 3 1.0\nverts 0\n1\n")
    with pytest.raises(AssetError, match=r"a\.mhclo\.gz has 1 vertices and scales.*y_scale"):
        read_mhclo(path)


@pytest.mark.parametrize("line", ["9", "0 1 9 0.2 0.3 0.5"])
def test_a_garment_of_another_base_mesh_is_refused(tmp_path: Path, line: str) -> None:
    binding = read_mhclo(_written(tmp_path / "a.mhclo.gz", f"{_SCALES}verts 0\n{line}\n"))
    with pytest.raises(AssetError, match="hangs on vertex 9 of the base mesh, which has 4"):
        binding.place(np.eye(4)[:, :3])


def test_scales_of_another_base_mesh_are_refused() -> None:
    zero = np.zeros((1, 3))
    binding = Binding(np.zeros((1, 3), np.int32), zero, zero, ((0, 1, 1.0),) * 2 + ((0, 7, 1.0),))
    with pytest.raises(AssetError, match="vertex 7"):
        binding.place(np.eye(4)[:, :3])


def test_six_numbers_are_a_triple_without_offset(tmp_path: Path) -> None:
    text = f"{_SCALES}verts 0\n0 1 2 0.5 0.25 0.25\n"
    placed = read_mhclo(_written(tmp_path / "a.mhclo.gz", text)).place(
        np.array([[0.0, 0, 0], [0.4, 0, 0], [0, 0.8, 0], [0, 0, 0.1]])
    )
    np.testing.assert_allclose(placed, [[0.1, 0.2, 0]], atol=1e-15)
