import numpy as np
import pytest
import trimesh

from engine.errors import AssetError
from engine.io.mesh_import import parse_obj, read_obj


def test_all_ways_to_name_corners_are_read():
    text = """# comment
mtllib none.mtl
v 0 0 0
v 1 0 0 0.5 0.5 0.5
vt 0 0
v 0 1.5e0 0
vn 0 0 1
v 1 1 0
f 1 2 3
f 2/1 4/1 3/1
f 1//1 2//1 3//1
f -4/1/1 -3/1/1 -2/1/1
"""
    vertices, faces = parse_obj(text, "made")
    assert vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1.5, 0], [1, 1, 0]]
    assert faces.tolist() == [[0, 1, 2], [1, 3, 2], [0, 1, 2], [0, 1, 2]]


def test_polygons_become_fans():
    text = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv -1 0 0\nf 1 2 3 4 5\n"
    assert parse_obj(text, "made")[1].tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]


def test_what_another_program_wrote_is_read(tmp_path):
    mesh = trimesh.creation.icosphere(subdivisions=1)
    mesh.export(tmp_path / "ball.obj")
    vertices, faces = read_obj(tmp_path / "ball.obj")
    assert vertices == pytest.approx(mesh.vertices, abs=1e-6)
    assert np.array_equal(faces, mesh.faces)


def test_broken_files_are_named(tmp_path):
    with pytest.raises(AssetError, match=r"no\.obj cannot be read"):
        read_obj(tmp_path / "no.obj")
    with pytest.raises(AssetError, match="made is cut short: its faces name vertex 3 of 2"):
        parse_obj("v 0 0 0\nv 1 0 0\nf 1 2 3\n", "made")
    with pytest.raises(AssetError, match="made is not a readable OBJ mesh"):
        parse_obj("v 0 zero 0\n", "made")
    with pytest.raises(AssetError, match="made is not a readable OBJ mesh"):
        parse_obj("v 0 0\nv 1 1 1\n", "made")
