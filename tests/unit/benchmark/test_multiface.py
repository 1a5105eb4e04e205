import tarfile
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial.transform import Rotation

from engine.benchmark.foreign import Labels
from engine.benchmark.scoring import Scorer
from engine.benchmark.suites.multiface import MultifaceSuite
from engine.benchmark.suites.multiface_choice import thinned
from engine.benchmark.suites.multiface_files import parse_krt
from engine.benchmark.types import SuiteSettings
from engine.errors import AssetError, CaptureError
from engine.flame.model import Landmarks
from engine.frames import project
from tests.bench_made import PLATE_SHARE, plate_moved, plated_truth, returned

NAME = "m--20180227--0000--6795937--GHS"
R_HEAD = Rotation.from_euler("xyz", [170, 20, 5], degrees=True).as_matrix()
T_HEAD = np.array([30.0, -20.0, 1000.0])
YAWS = {"400002": 0.0, "400004": 28.0, "400006": -31.0, "400007": 62.0, "400008": 180.0}
"""Cameras and where they stand around the head, degrees to the subject's left."""
FRAMES = {
    "E001_Neutral_Eyes_Open": ("000102", "000105", "000108"),
    "E057_Cheeks_Puffed": ("000200", "000203", "000206"),
    "SEN_a_good_morrow": ("000300",),
}
K = np.array([[7000.0, 0.0, 667.0], [0.0, 7000.0, 1024.0], [0.0, 0.0, 1.0]])


def extrinsics(yaw):
    """(3, 4) world mm to an OpenCV camera 1 m from the head that looks at it."""
    z_head = -np.array([np.sin(np.radians(yaw)), 0.0, np.cos(np.radians(yaw))])
    y_head = np.array([0.0, -1.0, 0.0])
    in_head = np.stack([np.cross(y_head, z_head), y_head, z_head])
    R = in_head @ R_HEAD.T
    centre = R_HEAD @ (-1000.0 * z_head) + T_HEAD
    return np.column_stack([R, -R @ centre])


def rows(matrix):
    return "\n".join(" ".join(f"{x:.10f}" for x in row) for row in matrix)


def write(folder):
    truth = plated_truth()
    folder.mkdir(parents=True)
    blocks = [
        f"{name}\n{rows(K)}\n0.0 0.0 0.0 0.0 0.0\n{rows(extrinsics(yaw))}\n\n"
        for name, yaw in YAWS.items()
    ]
    (folder / "KRT").write_text("".join(blocks))
    listed = [f"{segment} {frame}" for segment, frames in FRAMES.items() for frame in frames]
    (folder / "frame_list.txt").write_text("\n".join(listed) + "\n")
    vertices = (1e3 * truth.vertices).astype(np.float32)
    vertices.tofile(folder / "vert_mean.bin")
    mesh = trimesh.Trimesh(vertices, truth.faces, process=False)
    for segment, frames in FRAMES.items():
        meshes = folder / "tracked_mesh" / segment
        meshes.mkdir(parents=True)
        for frame in frames:
            mesh.export(meshes / f"{frame}.obj")
            vertices.tofile(meshes / f"{frame}.bin")
            (meshes / f"{frame}_transform.txt").write_text(
                rows(np.column_stack([R_HEAD, T_HEAD])) + "\n"
            )
            for camera in YAWS:
                picture = folder / "images" / segment / camera / f"{frame}.png"
                picture.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (13, 20), (50, 60, 70)).save(picture)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A capture, and labels as the transfer would find them."""
    write(tmp_path / NAME)
    truth = plated_truth()
    nearest = [
        int(np.linalg.norm(truth.vertices[truth.faces[:, 0]] - mark, axis=1).argmin())
        for mark in truth.landmarks68
    ]
    corner = np.tile(np.array([1, 0, 0], np.float32), (68, 1))
    marks = Landmarks(np.array(nearest, np.int32), corner)
    labels = Labels(dict(truth.regions), marks, truth.faces)
    monkeypatch.setattr("engine.benchmark.suites.multiface.labels_of", lambda *_: labels)
    return tmp_path


def suite(data, preset=""):
    return MultifaceSuite(SuiteSettings("multiface", data, preset))


def ids(found):
    return [(s.sample_id, s.group) for s in found.samples()]


def test_cameras_are_chosen_by_place_and_frames_from_the_middle(tree):
    found = suite(tree)
    assert found.problems() == []
    assert ids(found)[:4] == [
        ("6795937/E001_Neutral_Eyes_Open/400002/000105", "front"),
        ("6795937/E001_Neutral_Eyes_Open/400006/000105", "side 30"),
        ("6795937/E001_Neutral_Eyes_Open/400004/000105", "side 30"),
        ("6795937/E001_Neutral_Eyes_Open/400007/000105", "side 60"),
    ]
    assert len(found.samples()) == 8  # no sentences, no camera at -60, none behind
    assert found.samples()[0].load().image.shape == (20, 13, 3)
    assert [group for _, group in ids(suite(tree, "front"))] == ["front", "front"]


def test_a_capture_itself_may_be_named(tree):
    assert ids(suite(tree / NAME)) == ids(suite(tree))


def test_the_mesh_lies_where_the_camera_sees_it(tree):
    sample = suite(tree).samples()[2]
    truth = sample.truth()
    in_head = 1e3 * plated_truth().vertices
    pose = extrinsics(YAWS["400004"])
    ahead = (in_head @ R_HEAD.T + T_HEAD) @ pose[:, :3].T + pose[:, 3]
    pixels = (ahead / ahead[:, 2:]) @ K.T
    assert project(truth.mesh.vertices, truth.camera.K) == pytest.approx(pixels[:, :2], abs=1e-2)
    assert truth.mesh.vertices.mean(axis=0)[2] == pytest.approx(-1.0, abs=0.02)
    low, high = pixels[:, :2].min(axis=0), pixels[:, :2].max(axis=0)
    assert sample.box == pytest.approx((*low, *high), abs=1e-2)


def prediction(truth, vertices=None):
    marks = np.full((68, 3), np.nan)
    marks[17:] = truth.mesh.landmarks51
    face = returned(truth.mesh, landmarks68=marks, model_id=None, vertices=truth.mesh.vertices)
    return face if vertices is None else replace(face, vertices=vertices)


def test_the_truth_has_no_error_and_a_known_error_its_figure(tree):
    truth = suite(tree).samples()[1].truth()
    values = Scorer("mesh", "A")(truth, prediction(truth)).values
    assert values["cd_mm"] == pytest.approx(0.0, abs=1e-6)
    assert values["mne_rad"] == pytest.approx(0.0, abs=1e-6)
    assert values["cr"] == 1.0
    back = np.linalg.inv(similarity(truth))
    moved = plate_moved(plated_truth(), 3e-3) @ back[:3, :3].T + back[:3, 3]
    values = Scorer("mesh", "A")(truth, prediction(truth, moved)).values
    # Meshes come as float32 mm: a plate is flat to 1e-5 mm.
    assert values["nose_cd_mm"] == pytest.approx(3.0, abs=1e-3)
    assert values["cd_mm"] == pytest.approx(3.0 * PLATE_SHARE, abs=1e-3)
    assert values["cr"] == pytest.approx(1 - PLATE_SHARE)


def similarity(truth):
    """(4, 4) from the view frame back to the ball's own."""
    own, view = plated_truth().vertices, truth.mesh.vertices
    solved = np.linalg.lstsq(np.column_stack([view, np.ones(len(view))]), own, rcond=None)[0]
    return np.vstack([solved.T, [0, 0, 0, 1]])


def pack(tree, prefix):
    """The capture as archives, the way they are published."""
    folder = tree / NAME
    groups = {"metadata": ["KRT", "frame_list.txt", "vert_mean.bin"]}
    for part in ("images", "tracked_mesh"):
        for segment in sorted((folder / part).iterdir()):
            groups[f"{part}--{segment.name}"] = [f"{part}/{segment.name}"]
    for name, members in groups.items():
        with tarfile.open(tree / f"{NAME}--{name}.tar", "w") as tar:
            for member in members:
                tar.add(folder / member, f"{prefix}{member}")
    return folder


@pytest.mark.parametrize("prefix", ["", f"./{NAME}/"])
def test_archives_are_read_without_unpacking(tree, prefix):
    expected = ids(suite(tree))
    vertices = suite(tree).samples()[0].truth().mesh.vertices
    folder = pack(tree, prefix)
    folder.rename(tree / "elsewhere")
    found = suite(tree)
    assert ids(found) == expected
    assert found.problems() == []
    assert np.array_equal(found.samples()[0].truth().mesh.vertices, vertices)
    assert found.samples()[0].load().image.shape == (20, 13, 3)


def test_a_cut_archive_is_named_and_the_rest_stays(tree):
    folder = pack(tree, "")
    folder.rename(tree / "elsewhere")
    cut = tree / f"{NAME}--images--E057_Cheeks_Puffed.tar"
    cut.write_bytes(cut.read_bytes()[:700])
    found = suite(tree)
    assert {s.sample_id.split("/")[1] for s in found.samples()} == {"E001_Neutral_Eyes_Open"}
    assert any(f"{cut} is damaged or cut short" in problem for problem in found.problems())


def test_missing_frames_are_counted_and_the_next_is_taken(tree):
    images = tree / NAME / "images" / "E001_Neutral_Eyes_Open"
    (images / "400002" / "000105.png").unlink()
    (tree / NAME / "tracked_mesh" / "E057_Cheeks_Puffed" / "000200.bin").unlink()
    found = suite(tree, "front")
    assert ids(found) == [
        ("6795937/E001_Neutral_Eyes_Open/400002/000108", "front"),
        ("6795937/E057_Cheeks_Puffed/400002/000206", "front"),
    ]
    (problem,) = found.problems()
    assert "images/E001_Neutral_Eyes_Open/400002/000105.png" in problem
    assert "tracked_mesh/E057_Cheeks_Puffed/000200.bin" in problem
    assert "CC BY-NC 4.0" in problem


def test_without_a_list_frames_are_those_with_meshes(tree):
    expected = ids(suite(tree))
    (tree / NAME / "frame_list.txt").unlink()
    assert ids(suite(tree)) == expected


def test_damaged_files_are_errors_of_their_sample(tree):
    sample = suite(tree).samples()[0]
    picture = tree / NAME / "images" / "E001_Neutral_Eyes_Open" / "400002" / "000105.png"
    picture.write_bytes(picture.read_bytes()[:40])
    with pytest.raises(CaptureError, match="000105"):
        sample.load()
    stem = tree / NAME / "tracked_mesh" / "E001_Neutral_Eyes_Open"
    (stem / "000105.bin").write_bytes(b"12345")
    with pytest.raises(AssetError, match="5 bytes, expected float32 for 2731 vertices"):
        sample.truth()


def test_a_capture_without_calibration_is_left_out_by_name(tree):
    (tree / NAME / "KRT").write_text("400002\n1 0 0\n")
    found = suite(tree)
    assert found.samples() == ()
    assert f"{NAME} is left out: calibration {NAME}/KRT is damaged" in found.problems()[0]


def test_what_is_missing_is_said_with_address_and_licence(tmp_path):
    found = suite(tmp_path)
    assert found.samples() == ()
    (problem,) = found.problems()
    assert "no capture" in problem
    assert "https://github.com/facebookresearch/multiface" in problem
    assert "--data" in suite(None).problems()[0]
    with pytest.raises(ValueError, match="has standard, front, quick"):
        suite(tmp_path, "all")


def test_calibration_is_read_without_the_blank_lines(tmp_path):
    text = f"400002\n{rows(K)}\n0 0 0 0 0\n{rows(extrinsics(0.0))}\n"
    camera = parse_krt(text, "KRT")["400002"]
    assert np.array_equal(camera.K, K)
    assert camera.R @ camera.centre + camera.t == pytest.approx(
        np.zeros(3), abs=1e-6
    )  # text of ten digits
    with pytest.raises(AssetError, match="7 lines, expected 8"):
        parse_krt(text.replace("0 0 0 0 0\n", ""), "KRT")


def test_a_quick_set_is_spread_over_all():
    assert thinned(5, None) == thinned(5, 100) == [0, 1, 2, 3, 4]
    assert thinned(9, 3) == [0, 4, 8]
    assert len(set(thinned(2500, 100))) == 100
