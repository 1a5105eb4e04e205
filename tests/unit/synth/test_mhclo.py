"""Reading MakeHuman's garments from files made here."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.synth.mhclo import read_mhclo, read_obj

_CLOTHES = """# a comment with numbers 1 2 3
name hair
x_scale 0 1 2.0
z_scale 0 3 1.0
y_scale 0 2 4.0
z_depth 50
verts 0
material hair.mhmat
  0     1     2 0.25 0.25 0.50 0.1 0.2 -0.3
tag young
3
delete_verts
7 8 9
"""


def _written(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_vertices_follow_triples_with_scaled_offsets(tmp_path: Path) -> None:
    binding = read_mhclo(_written(tmp_path / "a.mhclo.gz", _CLOTHES))
    # Base points 0.2, 0.4 and 0.1 m apart give scales 1; the x axis is stretched twofold.
    base = np.array([[0, 0, 0], [0.4, 0, 0], [0, 0.4, 0], [0, 0, 0.1]])
    placed = binding.place(base)
    np.testing.assert_allclose(placed[0], [0.1 + 2 * 0.01, 0.2 + 0.02, -0.03], atol=1e-12)
    np.testing.assert_allclose(placed[1], base[3])
    assert len(placed) == 2


def test_file_without_vertices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="0 vertices"):
        read_mhclo(_written(tmp_path / "a.mhclo.gz", "x_scale 0 1 1.0\n"))


def test_odd_vertex_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="2 numbers"):
        read_mhclo(_written(tmp_path / "a.mhclo.gz", "verts 0\n1 2\n"))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"a\.mhclo\.gz cannot be read"):
        read_mhclo(tmp_path / "a.mhclo.gz")


def test_quads_become_two_triangles_in_metres(tmp_path: Path) -> None:
    text = "v 10 0 0\nv 0 10 0\nv 0 0 10\nv 1 1 1\nvt 0 0\nvt 1 0\nf 1/1 2/2 3/1 4/2\n"
    mesh = read_obj(_written(tmp_path / "a.obj.gz", text))
    np.testing.assert_allclose(mesh.vertices[0], [1, 0, 0])
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_array_equal(mesh.uv_faces, [[0, 1, 0], [0, 0, 1]])
