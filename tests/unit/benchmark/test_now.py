import pickle

import numpy as np
import pytest
import trimesh
from PIL import Image

from engine.benchmark.scoring import Scorer
from engine.benchmark.suites.now import PRESETS, NowSuite
from engine.benchmark.suites.now_files import read_box, read_picked_points
from engine.benchmark.types import LANDMARKS7, SuiteSettings
from engine.errors import AssetError, CaptureError
from tests.bench_made import ball_truth, returned

BOX = {"left": 12.5, "top": 10, "right": np.float64(50.0), "bottom": np.float32(61.5)}
SUBJECTS = ("FaMoS_180424_03335_TA", "FaMoS_180426_03336_TA")
CHALLENGES = ("multiview_neutral", "selfie")


def picked_points(points):
    """A file as MeshLab writes it; its attributes come in another order in every other line."""
    lines = ["<!DOCTYPE PickedPoints>", "<PickedPoints>", " <DocumentData>"]
    lines += ['  <DateTime date="2018-06-19" time="11:12:13"/>', '  <User name="nobody"/>']
    lines += ['  <DataFileName name="scan.obj"/>', '  <templateName name=""/>', " </DocumentData>"]
    for i, (x, y, z) in enumerate(points):
        axes = [f'x="{x}"', f'y="{y}"', f'z="{z}"']
        order = " ".join(axes if i % 2 else axes[::-1])
        lines.append(f' <point {order} active="1" name="{i}"/>')
    return "\n".join([*lines, "</PickedPoints>", ""])


def write(data, subjects=SUBJECTS, listed="imagepathsvalidation.txt"):
    truth = ball_truth()
    lines = []
    for subject in subjects:
        for challenge in CHALLENGES:
            below = f"{subject}/{challenge}/IMG_0041.jpg"
            release = data / "NoW_Dataset" / "final_release_version"
            photo, box = release / "iphone_pictures" / below, release / "detected_face" / below
            for path in (photo, box):
                path.parent.mkdir(parents=True)
            Image.new("RGB", (70, 80), (90, 100, 110)).save(photo)
            np.save(box.with_suffix(".npy"), BOX)
            lines.append(below)
        for folder in ("scans", "scans_lmks_onlypp"):
            (data / folder / subject).mkdir(parents=True)
        mesh = trimesh.Trimesh(1e3 * truth.vertices, truth.faces, process=False)
        mesh.export(data / "scans" / subject / "natural_head_rotation.000001.obj", digits=12)
        text = picked_points(1e3 * truth.landmarks7)
        (data / "scans_lmks_onlypp" / subject / "natural_head_rotation.pp").write_text(text)
    (data / listed).write_text("\n".join(lines) + "\n")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    write(tmp_path)
    monkeypatch.setitem(PRESETS, "validation", ("imagepathsvalidation.txt", 4))
    return tmp_path


def suite(data, preset=""):
    return NowSuite(SuiteSettings("now", data, preset))


def test_pictures_are_those_of_the_list(tree):
    found = suite(tree)
    assert [(s.subject, s.group) for s in found.samples()] == [
        (subject, challenge) for subject in SUBJECTS for challenge in CHALLENGES
    ]
    assert found.samples()[0].sample_id == "FaMoS_180424_03335_TA/multiview_neutral/IMG_0041"
    assert found.problems() == []
    assert found.samples()[0].load().image.shape == (80, 70, 3)
    assert found.samples()[0].box == (12.5, 10.0, 50.0, 61.5)


@pytest.mark.parametrize("alignment", ["A", "C"])
def test_the_scan_itself_has_no_error(tree, alignment):
    truth = suite(tree).samples()[0].truth()
    assert truth.mesh.landmarks7 == pytest.approx(ball_truth().landmarks68[list(LANDMARKS7)])
    score = Scorer("now", alignment)(truth, returned(ball_truth()))
    assert score.values["now_median_mm"] == pytest.approx(0.0, abs=1e-4)
    assert score.values["now_mean_mm"] == pytest.approx(0.0, abs=1e-4)


def test_the_test_set_has_no_truth(tmp_path):
    write(tmp_path, listed="imagepathstest.txt")
    found = suite(tmp_path, "test")
    assert len(found.samples()) == 4
    assert found.samples()[0].truth().mesh is None
    assert "the list has 4 pictures, 1702 were published" in found.problems()[0]


def test_what_is_missing_is_said_and_the_rest_stays(tree):
    release = tree / "NoW_Dataset" / "final_release_version"
    gone = release / "iphone_pictures" / SUBJECTS[0] / "selfie" / "IMG_0041.jpg"
    gone.unlink()
    next((tree / "scans" / SUBJECTS[1]).glob("*.obj")).unlink()
    found = suite(tree)
    assert [s.sample_id for s in found.samples()] == [f"{SUBJECTS[0]}/multiview_neutral/IMG_0041"]
    first, second = found.problems()
    assert f"{gone} is missing" in first
    assert f"scans/{SUBJECTS[1]} has no .obj file" in second
    assert "https://now.is.tue.mpg.de" in second
    assert "non-commercial" in second


def test_a_missing_list_or_folder_is_said(tmp_path):
    assert "imagepathsvalidation.txt is missing" in suite(tmp_path).problems()[0]
    assert "--data" in suite(None).problems()[0]
    assert suite(tmp_path).samples() == ()
    with pytest.raises(ValueError, match="has validation, test"):
        suite(tmp_path, "train")


def test_a_corrupt_picture_is_an_error_of_its_own(tree):
    sample = suite(tree).samples()[0]
    sample.picture.write_bytes(b"no picture")
    with pytest.raises(CaptureError, match="IMG_0041"):
        sample.load()


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_boxes_of_all_pickle_protocols_are_read(tmp_path, protocol):
    path = tmp_path / "box.npy"
    array = np.array(BOX, dtype=object)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        pickle.dump(array, file, protocol=protocol)
    assert read_box(path) == (12.5, 10.0, 50.0, 61.5)


class Malicious:
    """Would write a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_in_a_box_is_run(tmp_path):
    np.save(tmp_path / "box.npy", {"left": Malicious(tmp_path / "owned")})
    with pytest.raises(AssetError, match=r"it asks for .*open, which no face box needs"):
        read_box(tmp_path / "box.npy")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"left": 1.0}, "'top'"),
        ({**BOX, "left": "one"}, "no numbers"),
        ({**BOX, "left": 90.0}, "its sides are 90.0"),
        ([1, 2], "no dictionary"),
        (np.zeros(4), "numbers instead of a dictionary"),
    ],
)
def test_other_boxes_are_refused(tmp_path, content, message):
    array = content if isinstance(content, np.ndarray) else np.array(0, dtype=object)
    if not isinstance(content, np.ndarray):
        array[()] = content
    np.save(tmp_path / "box.npy", array)
    with pytest.raises(AssetError, match=message):
        read_box(tmp_path / "box.npy")


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\x10\x00{'descr': '|O'"])
def test_damaged_boxes_are_refused(tmp_path, data):
    (tmp_path / "box.npy").write_bytes(data)
    with pytest.raises(AssetError, match="was refused"):
        read_box(tmp_path / "box.npy")


def test_picked_points_are_seven_with_all_coordinates(tmp_path):
    points = np.arange(21.0).reshape(7, 3)
    path = tmp_path / "scan.pp"
    path.write_text(picked_points(points))
    assert np.array_equal(read_picked_points(path), points)
    path.write_text(picked_points(points[:6]))
    with pytest.raises(AssetError, match="holds 6 points, expected NoW's 7"):
        read_picked_points(path)
    path.write_text(picked_points(points).replace('y="4.0"', 'y="four"'))
    with pytest.raises(AssetError, match="a point has no numbers"):
        read_picked_points(path)
