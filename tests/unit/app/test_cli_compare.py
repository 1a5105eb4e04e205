"""`n2f compare` without a window: what it writes, and what it says of bad input."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import engine.compare.plan
import engine.compare.ways
import engine.head_choice
import engine.pipeline
from app.__main__ import main
from engine.types import Frame, Reconstruction
from tests.bad_files import gradient
from tests.compare_fakes import moved_head
from tests.live_fakes import FakeFitter, FakeSource, triangle_head, triangle_model

pytestmark = pytest.mark.gl

Run = Callable[..., tuple[int, str, str]]
TWO = ("--methods", "landmarks,rgb", "--normals", "none")


class FakeReconstructor(FakeFitter):
    """Sees one face in every picture that is not all black."""

    interrupted_at: int | None = None

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()

    def run_all(self, frame: Frame) -> list[Reconstruction]:
        if frame.index == self.interrupted_at:
            raise KeyboardInterrupt
        return [triangle_head(frame)] if frame.image.any() else []


@pytest.fixture
def n2f(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line on the triangle head; gives exit code, stdout, stderr."""
    monkeypatch.setattr(engine.head_choice, "chosen_head_model", lambda path: triangle_model())
    monkeypatch.setattr(engine.pipeline, "Reconstructor", FakeReconstructor)
    monkeypatch.setattr(engine.compare.ways, "obstacle", lambda *needed: "")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["n2f", "compare", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three pictures; the second is black, the third higher than the others."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, factor, height in (("1", 1, 360), ("2", 0, 360), ("3", 1, 500)):
        Image.fromarray(factor * gradient(height, 480)).save(folder / f"{name}.png")
    return folder


def test_film_picture_rows_and_summary_are_written(n2f: Run, photos: Path, tmp_path: Path):
    out = tmp_path / "out"
    code, stdout, stderr = n2f(photos, *TWO, "--out", out)
    assert code == 0
    pictures = [f"compare_{index:04}.png" for index in range(3)]
    names = ["compare.mp4", *pictures, "differences.csv", "summary.json"]
    assert sorted(stdout.split()) == [str(out / name) for name in names]
    assert sorted(path.name for path in out.iterdir()) == names
    assert "2 of 3 frames compared" in stderr
    with (out / "differences.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["left_found"] for row in rows] == ["1", "0", "1"]
    assert [row["aligned_mean_mm"] == "" for row in rows] == [False, True, False]
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["left"]["method"], summary["right"]["method"]) == ("landmarks", "rgb")
    assert summary["settings"]["model_id"] == "0" * 64


def test_the_sheet_has_three_panels_and_a_legend(n2f: Run, photos: Path, tmp_path: Path):
    n2f(photos, *TWO, "--out", tmp_path / "out", "--whole")
    sheet = np.asarray(Image.open(tmp_path / "out" / "compare_0000.png"))
    assert sheet.shape[1] == 3 * 480 + 2 * 4
    assert sheet.shape[0] > 360
    photo = gradient(360, 480)
    for panel in range(3):  # the photo's corner is in each, untouched
        left = panel * (480 + 4)
        assert np.array_equal(sheet[0:4, left : left + 4], photo[0:4, 0:4])
    # The same head, shaded and as an error map; below it the legend with its yellow end.
    middles = sheet[180, [240, 484 + 240, 2 * 484 + 240]].astype(int)
    assert np.array_equal(middles[0], middles[1])
    assert np.abs(middles[1] - middles[2]).max() > 20
    assert (np.abs(sheet[360:].astype(int) - [253, 231, 37]).sum(axis=2) < 30).any()
    with av.open(str(tmp_path / "out" / "compare.mp4")) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert [frame.shape for frame in frames] == [sheet.shape] * 3
    assert frames[2][:, :20].std() < 3  # the higher one is made to fit, with room beside it


def test_sheets_show_the_face_unless_asked_for_whole_frames(n2f: Run, photos: Path, tmp_path: Path):
    n2f(photos, *TWO, "--out", tmp_path / "out")
    for index in range(3):  # the second, without a face, is shown where the first one's was
        with Image.open(tmp_path / "out" / f"compare_{index:04}.png") as sheet:
            assert sheet.width == 3 * 540 + 2 * 4


def test_a_clip_gets_the_picture_where_methods_differ_most(
    n2f: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Differing(FakeReconstructor):
        """Its head has one corner elsewhere in frame 2 on one of the sides."""

        def __init__(self, *args: object, method: str, **kwargs: object) -> None:
            super().__init__()
            self._moves = method == "rgb"

        def run_all(self, frame: Frame) -> list[Reconstruction]:
            away = self._moves and frame.index == 2
            return [moved_head(frame) if away else triangle_head(frame)]

    source = FakeSource(4)
    monkeypatch.setattr(engine.compare.plan, "open_source", lambda spec, model: source)
    monkeypatch.setattr(engine.pipeline, "Reconstructor", Differing)
    code, _, _ = n2f("clip.mp4", *TWO, "--out", tmp_path / "out")
    assert code == 0
    assert source.closed_in is not None
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["largest_aligned_mean_mm"] > 0.3 > summary["median_aligned_mean_mm"]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["compare.mp4", "compare.png", "differences.csv", "summary.json"]


def test_json_goes_to_stdout_alone(n2f: Run, photos: Path, tmp_path: Path):
    code, stdout, _ = n2f(photos, *TWO, "--out", tmp_path / "out", "--json", "--frames", 1)
    assert (code, json.loads(stdout)["n_compared"]) == (0, 1)


def test_no_face_at_all_is_a_failure_that_says_so(n2f: Run, photos: Path, tmp_path: Path):
    code, _, stderr = n2f(photos / "2.png", *TWO, "--out", tmp_path / "out")
    assert code == 1
    assert "landmarks and rgb found no face in 1 frames of 2.png" in stderr


def test_ctrl_c_keeps_what_is_done(
    n2f: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(FakeReconstructor, "interrupted_at", 2)
    code, _, stderr = n2f(photos, *TWO, "--out", tmp_path / "out")
    assert code == 130
    assert "stopped; writing what is done" in stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["stopped"], summary["n_frames"]) == (True, 2)
    assert (tmp_path / "out" / "compare.mp4").stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--methods", "landmarks,rbg"), "rbg; choose two from: n2fnet-refined"),
        (("--methods", "landmarks"), "takes two different methods"),
        (("--methods", "rgb,rgb"), "takes two different methods"),
        (("--methods", "landmarks,rgb", "--json"), "--json needs --out"),
        (
            ("--methods", "landmarks,rgb", "--iters", "5"),
            "pixel3dmm-net is not compared",
        ),
        (("--methods", "landmarks,rgb", "--trust"), "only sheap's file"),
        (("--methods", "deca,smirk", "--checkpoint", "a.tar"), "say whose it is"),
        (("--methods", "deca,rgb", "--checkpoint", "smirk=a.pt"), "smirk is not compared"),
        (("--optimizer", "sgd"), "optimizer 'sgd'"),
    ],
)
def test_wrong_usage_exits_2(n2f: Run, photos: Path, arguments: tuple[str, ...], said: str):
    code, _, stderr = n2f(photos, *arguments)
    assert code == 2
    assert said in " ".join(stderr.replace("│", " ").split())


def test_a_method_that_lacks_something_says_what(
    n2f: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(engine.compare.ways, "obstacle", lambda *needed: "no file, train it")
    code, _, stderr = n2f(photos, *TWO, "--out", tmp_path / "out")
    assert code == 1
    assert "method landmarks cannot be used: no file, train it" in stderr


def test_an_offline_method_without_normals_says_so(n2f: Run, photos: Path, tmp_path: Path):
    methods = ("--methods", "pixel3dmm,landmarks", "--normals", "none")
    code, _, stderr = n2f(photos, *methods, "--out", tmp_path / "out")
    assert code == 1
    assert "method pixel3dmm cannot be used: no normal network" in stderr


def test_a_peer_without_its_checkpoint_says_which_and_where_from(
    n2f: Run, photos: Path, tmp_path: Path
):
    methods = ("--methods", "deca,landmarks", "--normals", "none")
    code, _, stderr = n2f(photos, *methods, "--out", tmp_path / "out")
    assert code == 1
    assert "method deca cannot be used: it needs checkpoint: deca_model.tar" in stderr
    missing = tmp_path / "loss=0.5.ckpt"
    code, _, stderr = n2f(
        photos, *methods, "--checkpoint", f"deca={missing}", "--out", tmp_path / "out"
    )
    assert (code, f"checkpoint {missing} does not exist" in stderr) == (1, True)


def test_an_input_that_is_not_there_says_so(n2f: Run, tmp_path: Path):
    code, _, stderr = n2f(tmp_path / "nothing.mp4", *TWO, "--out", tmp_path / "out")
    assert code == 1
    assert "nothing.mp4 does not exist" in stderr
