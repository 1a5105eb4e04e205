from pathlib import Path

import numpy as np
import pytest
import trimesh

from engine.errors import OutputError
from engine.io.mesh_export import write_obj, write_ply

# A tetrahedron with a right angle at the origin, 0.1 m long, volume 1/6 * 0.1^3 m^3.
VERTICES = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
UV = np.array([[0, 0], [1, 0], [0.25, 0.75]], np.float32)
UV_FACES = np.array([[0, 1, 2], [2, 1, 0], [0, 0, 1], [1, 2, 2]], np.int32)


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


def test_a_note_is_a_comment(tmp_path: Path) -> None:
    write_obj(tmp_path / "a.obj", VERTICES, FACES, note="quality 0.3 of 1 (low)")
    assert (tmp_path / "a.obj").read_text().splitlines()[1] == "# quality 0.3 of 1 (low)"
    write_ply(tmp_path / "a.ply", VERTICES, FACES, note="quality 0.3 of 1 (low)")
    assert b"comment quality 0.3 of 1 (low)\n" in (tmp_path / "a.ply").read_bytes()
    assert len(trimesh.load(tmp_path / "a.ply", process=False).vertices) == 4


def test_obj_keeps_texture_coordinates_of_each_corner(tmp_path: Path) -> None:
    write_obj(tmp_path / "a.obj", VERTICES, FACES, UV, UV_FACES)
    lines = (tmp_path / "a.obj").read_text().splitlines()
    assert "vt 0.250000 0.750000" in lines
    assert lines[-4:] == ["f 1/1 3/2 2/3", "f 1/3 2/2 4/1", "f 1/1 4/1 3/2", "f 2/2 3/3 4/3"]


def test_faces_beyond_the_vertices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="point to 3, but there are 3 vertices"):
        write_obj(tmp_path / "a.obj", VERTICES[:3], FACES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [write_obj, write_ply])
def test_unwritable_folder_is_an_output_error(tmp_path: Path, write: object) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="another folder"):
        write(tmp_path / "file" / "a.mesh", VERTICES, FACES)
