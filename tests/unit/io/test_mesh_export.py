from pathlib import Path

import numpy as np
import pygltflib
import pytest
import trimesh

from engine.errors import OutputError
from engine.io.mesh_export import vertex_normals, write_glb, write_obj, write_ply

# A tetrahedron with a right angle at the origin, 0.1 m long, volume 1/6 * 0.1^3 m^3.
VERTICES = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
UV = np.array([[0, 0], [1, 0], [0.25, 0.75]], np.float32)
UV_FACES = np.array([[0, 1, 2], [2, 1, 0], [0, 0, 1], [1, 2, 2]], np.int32)


def stored_normals(path: Path) -> np.ndarray:
    gltf = pygltflib.GLTF2().load_binary(path)
    accessor = gltf.accessors[gltf.meshes[0].primitives[0].attributes.NORMAL]
    view = gltf.bufferViews[accessor.bufferView]
    blob = gltf.binary_blob()[view.byteOffset or 0 :]
    return np.frombuffer(blob, "<f4", accessor.count * 3).reshape(-1, 3)


@pytest.mark.parametrize("write", [write_obj, write_ply])
def test_obj_and_ply_are_millimetres_in_order_and_face_outwards(
    tmp_path: Path, write: object
) -> None:
    path = tmp_path / f"a.{write.__name__[-3:]}"
    write(path, VERTICES, FACES)
    mesh = trimesh.load(path, process=False, force="mesh")
    np.testing.assert_allclose(mesh.vertices, VERTICES * 1000, atol=1e-4)  # four decimals in mm
    np.testing.assert_array_equal(mesh.faces, FACES)
    assert mesh.volume == pytest.approx(1e6 / 6)


def test_glb_is_metres_with_normals_and_faces_outwards(tmp_path: Path) -> None:
    write_glb(tmp_path / "a.glb", VERTICES, FACES)
    mesh = trimesh.load(tmp_path / "a.glb", process=False, force="mesh")
    np.testing.assert_allclose(mesh.vertices, VERTICES, atol=1e-7)  # stored as float32
    np.testing.assert_array_equal(mesh.faces, FACES)
    assert mesh.volume == pytest.approx(1e-3 / 6, rel=1e-5)
    np.testing.assert_allclose(
        stored_normals(tmp_path / "a.glb"), vertex_normals(VERTICES, FACES), atol=1e-6
    )


def test_same_mesh_gives_the_same_glb(tmp_path: Path) -> None:
    write_glb(tmp_path / "a.glb", VERTICES, FACES)
    write_glb(tmp_path / "b.glb", VERTICES, FACES)
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


def test_normals_are_weighted_by_area() -> None:
    # Vertex 0 joins three faces of equal size that look along -x, -y and -z.
    normals = vertex_normals(VERTICES, FACES)
    np.testing.assert_allclose(normals[0], -np.ones(3) / np.sqrt(3), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-12)


def test_vertex_without_faces_has_a_unit_normal() -> None:
    lonely = np.vstack([VERTICES, [[1, 1, 1]]]).astype(np.float32)
    np.testing.assert_array_equal(vertex_normals(lonely, FACES)[4], [0, 0, 1])


def test_obj_keeps_texture_coordinates_of_each_corner(tmp_path: Path) -> None:
    write_obj(tmp_path / "a.obj", VERTICES, FACES, UV, UV_FACES)
    lines = (tmp_path / "a.obj").read_text().splitlines()
    assert "vt 0.250000 0.750000" in lines
    assert lines[-4:] == ["f 1/1 3/2 2/3", "f 1/3 2/2 4/1", "f 1/1 4/1 3/2", "f 2/2 3/3 4/3"]


def test_faces_beyond_the_vertices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="point to 3, but there are 3 vertices"):
        write_obj(tmp_path / "a.obj", VERTICES[:3], FACES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [write_obj, write_ply, write_glb])
def test_unwritable_folder_is_an_output_error(tmp_path: Path, write: object) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="another folder"):
        write(tmp_path / "file" / "a.mesh", VERTICES, FACES)
