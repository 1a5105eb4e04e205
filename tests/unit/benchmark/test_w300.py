import numpy as np
import pytest
from PIL import Image

from engine.benchmark.scoring import Scorer
from engine.benchmark.suites.pts import read_pts
from engine.benchmark.suites.w300 import PRESETS, W300Suite
from engine.benchmark.types import SuiteSettings
from engine.errors import AssetError, CaptureError
from tests.bench_made import ball_truth, returned

POINTS = np.random.default_rng(0).uniform(20, 60, (68, 2)).round(3)
"""As in the files: counted from 1."""


def write(folder, stem, suffix=".png", points=POINTS):
    folder.mkdir(parents=True, exist_ok=True)
    if suffix:
        Image.new("RGB", (80, 70), (120, 90, 80)).save(folder / f"{stem}{suffix}")
    if points is not None:
        lines = "\n".join(f"{x:.6f} {y:.6f}" for x, y in points)
        text = f"version: 1\nn_points:  {len(points)}\n{{\n{lines}\n}}\n"
        (folder / f"{stem}.pts").write_text(text)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """The public set's layout with its traps, and as many pictures as made here."""
    write(tmp_path / "lfpw" / "testset", "image_0001")
    write(tmp_path / "lfpw" / "testset", "image_0001_mirror")
    write(tmp_path / "helen" / "testset", "30427236_1", ".jpg")
    write(tmp_path / "helen" / "trainset", "unused")
    write(tmp_path / "ibug", "image_003_1", ".jpg")
    write(tmp_path / "ibug", "image_092 _01", ".jpg")
    parts = [
        type(part)(part.folder, part.group, 2 if part.folder == ("ibug",) else 1)
        for part in PRESETS["public"]
    ]
    monkeypatch.setitem(PRESETS, "public", tuple(parts))
    return tmp_path


def suite(data, preset=""):
    return W300Suite(SuiteSettings("300w", data, preset))


def test_published_counts_add_up_to_689_and_600():
    totals = {name: sum(p.n_pictures for p in parts) for name, parts in PRESETS.items()}
    assert totals == {"public": 689, "private": 600}


def test_all_pictures_are_found_without_mirrored_and_training_ones(tree):
    found = suite(tree)
    assert [(s.sample_id, s.group) for s in found.samples()] == [
        ("lfpw/testset/image_0001", "common"),
        ("helen/testset/30427236_1", "common"),
        ("ibug/image_003_1", "challenging"),
        ("ibug/image_092 _01", "challenging"),
    ]
    assert found.problems() == []


def test_points_are_counted_from_0(tree):
    sample = suite(tree).samples()[0]
    assert sample.truth().landmarks68_px == pytest.approx(POINTS - 1)
    low, high = POINTS.min(axis=0) - 1, POINTS.max(axis=0) - 1
    assert sample.box == pytest.approx((*low, *high))
    assert sample.load().image.shape == (70, 80, 3)


def test_the_truth_has_nme_0_and_three_pixels_off_has_three_over_the_eyes(tree):
    truth = suite(tree).samples()[3].truth()
    face = returned(ball_truth(), landmarks68_px=truth.landmarks68_px)
    assert Scorer("landmarks")(truth, face).values["nme_interocular_percent"] == 0.0
    off = returned(ball_truth(), landmarks68_px=truth.landmarks68_px + np.array([0.0, 3.0]))
    values = Scorer("landmarks")(truth, off).values
    eyes = np.linalg.norm(POINTS[36] - POINTS[45])
    assert values["nme_interocular_percent"] == pytest.approx(300 / eyes)
    assert values["nme51_interocular_percent"] == pytest.approx(300 / eyes)


def test_the_private_set_may_lie_in_a_folder_300w(tmp_path, monkeypatch):
    write(tmp_path / "300W" / "01_Indoor", "indoor_001")
    write(tmp_path / "300W" / "02_Outdoor", "outdoor_001")
    found = suite(tmp_path, "private")
    assert [s.group for s in found.samples()] == ["indoor", "outdoor"]
    assert "01_Indoor holds 1 pictures, expected 300" in found.problems()[0]
    assert "research only" in found.problems()[0]


def test_what_is_missing_is_said_with_address_and_licence(tmp_path):
    found = suite(tmp_path)
    assert found.samples() == ()
    assert len(found.problems()) == 3
    assert "ibug with 135 pictures is not in" in found.problems()[2]
    assert "https://ibug.doc.ic.ac.uk" in found.problems()[2]
    for data, words in ((None, "no folder was named"), (tmp_path / "no", "is no folder")):
        (problem,) = suite(data).problems()
        assert words in problem
        assert "--data" in problem


def test_pictures_without_points_and_points_without_picture_are_named(tree):
    write(tree / "ibug", "lonely", ".jpg", points=None)
    write(tree / "ibug", "blind", "")
    found = suite(tree)
    assert len(found.samples()) == 4
    assert found.problems() == [
        "ibug/lonely has a picture but no .pts file; copy the folder again",
        "ibug/blind has a .pts file but no picture; copy the folder again",
    ]


def test_pictures_stay_as_stored_where_points_were_marked(tree):
    sample = suite(tree).samples()[1]
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter when shown
    Image.new("RGB", (80, 70)).save(sample.picture, exif=exif)
    assert sample.load().image.shape == (70, 80, 3)


def test_of_two_faces_in_a_picture_the_box_tells_the_marked_one(tree):
    left, right = suite(tree).samples()[2:]
    lines = [f"{x + 300:.3f} {y:.3f}" for x, y in POINTS]
    right.points.write_text("version: 1\nn_points: 68\n{\n" + "\r\n".join(lines) + "\n}\n")
    assert right.box == pytest.approx(np.array(left.box) + np.array([300, 0, 300, 0]))


def test_a_corrupt_picture_is_an_error_of_its_own(tree):
    sample = suite(tree).samples()[1]
    sample.picture.write_bytes(sample.picture.read_bytes()[:200])
    with pytest.raises(CaptureError, match="30427236_1"):
        sample.load()
    assert sample.truth().landmarks68_px is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1", "is no .pts file"),
        ("{\n1 2\n3 x\n}", "is no .pts file"),
        ("{\n1 2\n3 4\n}", "shape \\(2, 2\\), expected 68"),
    ],
)
def test_damaged_points_are_named(tmp_path, text, message):
    (tmp_path / "bad.pts").write_text(text)
    with pytest.raises(AssetError, match=message):
        read_pts(tmp_path / "bad.pts")


def test_unknown_presets_are_refused(tmp_path):
    with pytest.raises(ValueError, match="has public, private"):
        suite(tmp_path, "hidden")
