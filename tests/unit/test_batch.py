"""The batch: every input gets an outcome, work done is kept, nothing is overwritten by accident."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from engine.batch import Batch, BatchSettings, Outcome
from engine.batch_plan import check_output_folder, plan_jobs, read_record, remove_outputs
from engine.errors import CaptureError, OutputError
from engine.io.results import load_fit_npz
from engine.types import Frame, NormalMap, Reconstruction
from tests.bad_files import gradient, make_video
from tests.live_fakes import TRIANGLE_M, FakeFitter, triangle_head, triangle_model
from tests.unprivileged import as_nobody

MODEL = triangle_model()


class CountingFitter(FakeFitter):
    """No face in a black frame; as many others as asked for, the first the best."""

    def __init__(self, n_faces: int = 1, quality: float = 0.9) -> None:
        super().__init__()
        self.n_faces, self.quality, self.n_run = n_faces, quality, 0
        self.n_seen = n_faces

    def run_all(self, frame: Frame) -> list[Reconstruction]:
        self.n_run += 1
        if frame.image.max() < 40:  # h264 keeps black only nearly black
            return []
        return [triangle_head(frame, i, self.quality) for i in range(self.n_faces)]


def picture(path: Path, *, black: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = gradient(48, 64) * (0 if black else 1)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def run(
    inputs: list[Path | str], out: Path, fitter: CountingFitter | None = None, **changes: object
) -> list[Outcome]:
    values = {"method": "landmarks", "n_faces": 1, "exports": ("npz",), "overwrite": False}
    settings = BatchSettings(out=out, **{**values, **changes})
    with closing(Batch(MODEL, settings, lambda tracking: fitter or CountingFitter())) as batch:
        return [batch.run(job) for job in plan_jobs(inputs, out)]


def statuses(outcomes: list[Outcome]) -> list[str]:
    return [outcome.row.status for outcome in outcomes]


def test_a_failing_input_does_not_stop_the_others(tmp_path: Path, out: Path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "bare").mkdir()
    good = picture(tmp_path / "good.png")
    black = picture(tmp_path / "black.png", black=True)
    inputs = [tmp_path / "empty.jpg", tmp_path / "missing.jpg", tmp_path / "bare", black, good]
    outcomes = run(inputs, out)
    assert statuses(outcomes) == ["error", "error", "error", "no-face", "ok"]
    assert [outcome.failed for outcome in outcomes] == [True, True, True, True, False]
    assert "empty (0 bytes)" in outcomes[0].row.message
    assert load_fit_npz(out / "good.npz", MODEL).params(0).t.tolist() == [0.0, 0.0, -1.0]


def test_odd_paths_are_errors_of_their_own_and_the_others_go_on(tmp_path: Path, out: Path):
    loop, closed = tmp_path / "loop.png", tmp_path / "closed"
    loop.symlink_to(loop.name)
    closed.mkdir()
    long = tmp_path / ("x" * 300)
    inputs = [long, loop, Path("a\0b.png"), picture(tmp_path / "good.png")]
    check_output_folder(out, inputs)
    outcomes = run(inputs, out)
    assert statuses(outcomes) == ["error", "error", "error", "ok"]
    assert "File name too long; check the path" in outcomes[0].row.message
    assert "check the path" in outcomes[1].row.message
    with as_nobody(closed, 0o600):
        jobs = plan_jobs([closed / "a.png"], out)
    assert "Permission denied; check the path" in jobs[0].problem


def test_an_output_folder_with_an_odd_name_is_told(tmp_path: Path):
    (tmp_path / "loop").symlink_to("loop")
    for name in ("x" * 300, "loop", "a\0b"):
        with pytest.raises(OutputError, match="another folder with --out"):
            check_output_folder(tmp_path / name, [])


def test_a_second_run_keeps_what_is_done_and_fits_nothing(tmp_path: Path, out: Path):
    inputs = [picture(tmp_path / "a.png"), picture(tmp_path / "b.png", black=True)]
    first = run(inputs, out)
    written = (out / "a.npz").stat().st_mtime_ns
    fitter = CountingFitter()
    second = run(inputs, out, fitter)
    assert fitter.n_run == 0
    assert [outcome.kept for outcome in second] == [True, True]
    assert [outcome.row for outcome in second] == [outcome.row for outcome in first]
    assert (out / "a.npz").stat().st_mtime_ns == written


def test_a_lost_output_or_a_new_kind_of_export_is_made_again(tmp_path: Path, out: Path):
    inputs = [picture(tmp_path / "a.png")]
    run(inputs, out)
    (out / "a.npz").unlink()
    assert not run(inputs, out)[0].kept
    assert (out / "a.npz").exists()
    assert not run(inputs, out, exports=("npz", "csv"))[0].kept
    assert (out / "a.csv").exists()
    assert run(inputs, out)[0].kept


@pytest.mark.parametrize(
    ("n_fitted", "n_seen", "told"),
    [
        (1, 1, ""),
        (1, 2, "2 faces seen, the largest fitted; --faces 2 fits both"),
        (2, 2, "2 faces"),
        (2, 3, "3 faces seen, the 2 largest fitted; --faces 3 fits all of them"),
        (8, 9, "9 faces seen, the 8 largest fitted"),  # --faces takes no more than 8
    ],
)
def test_faces_that_are_left_out_are_told(
    tmp_path: Path, out: Path, n_fitted: int, n_seen: int, told: str
):
    fitter = CountingFitter(n_fitted)
    fitter.n_seen = n_seen
    outcome = run([picture(tmp_path / "a.png")], out, fitter, n_faces=n_fitted)[0]
    assert (outcome.row.status, outcome.row.message) == ("ok", told)


def test_a_face_left_out_and_low_quality_are_both_told(tmp_path: Path, out: Path):
    fitter = CountingFitter(quality=0.2)
    fitter.n_seen = 2
    outcome = run([picture(tmp_path / "a.png")], out, fitter)[0]
    assert outcome.row.status == "low"
    assert "--faces 2 fits both; quality 0.20" in outcome.row.message


@pytest.mark.parametrize(
    ("width", "height", "told"),
    [
        (1, 1, "this picture, which is only 1 x 1 px; use one"),
        (500, 59, "this picture, which is only 500 x 59 px; use one"),
        (60, 60, "not cut by the picture's edge"),
    ],
)
def test_no_face_is_told_with_what_may_be_the_reason(
    tmp_path: Path, out: Path, width: int, height: int, told: str
):
    Image.new("RGB", (width, height)).save(tmp_path / "a.png")
    outcome = run([tmp_path / "a.png"], out)[0]
    assert outcome.row.status == "no-face"
    assert told in outcome.row.message


def test_pictures_of_a_folder_that_cannot_be_read_are_errors_of_their_own(
    tmp_path: Path, out: Path
):
    folder = tmp_path / "phone"
    picture(folder / "1.png")
    (folder / "2.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    (folder / "3.jxl").write_bytes(b"\xff\x0a" + bytes(100))
    outcomes = run([folder], out)
    assert statuses(outcomes) == ["ok", "error", "error"]
    assert "HEIC/HEIF picture, which cannot be read; export it as" in outcomes[1].row.message
    assert "JXL picture, which cannot be read; export it as" in outcomes[2].row.message


@pytest.mark.parametrize("spec", ["rtsp://camera/stream", "http://there/a.mjpg", "webcam:0"])
def test_a_live_source_is_told_where_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str
):
    monkeypatch.chdir(tmp_path)
    check_output_folder(tmp_path, [spec])  # "webcam:0" is no file in the working directory
    job = plan_jobs([spec], tmp_path)[0]
    assert f"this is a live source: use n2f live --source {spec}" in job.problem
    assert run([spec], tmp_path)[0].row.input == spec


def test_a_password_in_an_address_is_not_written_down(tmp_path: Path, out: Path):
    row = run(["rtsp://me:secret@camera/1"], out)[0].row
    assert row.status == "error"
    assert "secret" not in row.input + row.message


def test_an_output_folder_that_is_a_file_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file is a file, expected a folder"):
        check_output_folder(tmp_path / "file", [])


def test_results_of_other_settings_are_replaced_only_with_overwrite(tmp_path: Path, out: Path):
    inputs = [picture(tmp_path / "a.png")]
    run(inputs, out)
    refused = run(inputs, out, n_faces=2)
    assert statuses(refused) == ["error"]
    assert "--overwrite" in refused[0].row.message
    assert statuses(run(inputs, out, n_faces=2, overwrite=True)) == ["ok"]
    assert run(inputs, out, n_faces=2)[0].kept


def test_results_of_an_older_version_of_the_input_are_not_taken_for_new(tmp_path: Path, out: Path):
    inputs = [picture(tmp_path / "a.png")]
    run(inputs, out)
    picture(tmp_path / "a.png", black=True)
    assert "older version" in run(inputs, out)[0].row.message


def test_same_stems_never_share_a_file(tmp_path: Path, out: Path):
    inputs = [
        picture(tmp_path / "one" / "face.png"),
        picture(tmp_path / "two" / "face.png"),
        picture(tmp_path / "two" / "face.jpg"),
    ]
    outcomes = run(inputs, out)
    names = [outcome.outputs[0] for outcome in outcomes]
    assert names[:2] == ["face.npz", "two_face.npz"]
    assert len(set(names)) == 3
    assert all(outcome.kept for outcome in run(inputs, out))


def test_same_stems_of_two_runs_never_share_a_file(tmp_path: Path, out: Path):
    one, two = (picture(tmp_path / name / "face.png") for name in ("one", "two"))
    run([one], out)
    assert run([two], out)[0].outputs == ("two_face.npz",)
    assert read_record(out, "face").input == str(one.resolve())


def test_a_stem_like_that_of_a_second_face_is_renamed(tmp_path: Path, out: Path):
    inputs = [picture(tmp_path / "a.png"), picture(tmp_path / "a.face2.png")]
    outcomes = run(inputs, out, CountingFitter(n_faces=2), n_faces=2)
    assert outcomes[0].outputs == ("a.npz", "a.face2.npz")
    assert outcomes[1].outputs == ("a_face2.npz", "a_face2.face2.npz")


def test_a_folder_stands_for_its_files_in_natural_order_and_each_is_done_once(
    tmp_path: Path, out: Path
):
    folder = tmp_path / "many"
    for name in ("10.png", "2.png", "1.png", ".hidden.png"):
        picture(folder / name)
    (folder / "notes.txt").write_text("not an input")
    jobs = plan_jobs([folder, folder / "2.png"], out)
    assert [job.path.name for job in jobs] == ["1.png", "2.png", "10.png"]


def test_low_quality_is_told(tmp_path: Path, out: Path):
    outcome = run([picture(tmp_path / "a.png")], out, CountingFitter(quality=0.2))[0]
    assert (outcome.row.status, outcome.failed) == ("low", False)
    assert "0.20" in outcome.row.message


def test_a_video_keeps_every_frame_and_says_where_no_face_was(tmp_path: Path, out: Path):
    frames = [np.zeros((48, 64, 3), np.uint8) if i == 1 else gradient(48, 64) for i in range(5)]
    make_video(tmp_path / "clip.mp4", frames)
    seen: list[int] = []
    settings = BatchSettings(out, "landmarks", 1, ("npz", "csv"), overwrite=False)
    with closing(Batch(MODEL, settings, lambda tracking: CountingFitter())) as batch:
        outcome = batch.run(plan_jobs([tmp_path / "clip.mp4"], out)[0], seen.append)
    assert outcome.row.message == "face in 4 of 5 frames"
    assert outcome.row.stage_ms == {"crop": 4.0, "fit": 2.0}
    assert seen == [1, 2, 3, 4, 5]
    saved = load_fit_npz(out / "clip.npz", MODEL)
    assert saved.found.tolist() == [True, False, True, True, True]
    assert np.diff(saved.arrays["t_ns"]).tolist() == [40_000_000] * 4  # 25 frames a second


def test_a_second_face_that_comes_late_has_gaps_before(tmp_path: Path, out: Path):
    class Late(CountingFitter):
        def run_all(self, frame: Frame) -> list[Reconstruction]:
            return [triangle_head(frame, i) for i in range(1 + (frame.index >= 2))]

    make_video(tmp_path / "clip.mp4", [gradient(48, 64)] * 4)
    outcome = run([tmp_path / "clip.mp4"], out, Late(), n_faces=2)[0]
    assert outcome.outputs == ("clip.npz", "clip.face2.npz")
    assert load_fit_npz(out / "clip.npz").found.tolist() == [True] * 4
    assert load_fit_npz(out / "clip.face2.npz").found.tolist() == [False, False, True, True]


@pytest.mark.gl
def test_every_kind_of_export_is_written(tmp_path: Path, out: Path):
    make_video(tmp_path / "clip.mp4", [gradient(48, 64)] * 3)
    kinds = ("npz", "csv", "obj", "ply", "glb", "mp4", "png")  # arkit needs a real head
    outcome = run([tmp_path / "clip.mp4"], out, exports=kinds)[0]
    assert sorted(outcome.outputs) == sorted(f"clip.{kind}" for kind in kinds)
    drawn = np.asarray(Image.open(out / "clip.png")).astype(int)
    plain = gradient(48, 64).astype(int)
    # The triangle covers the middle and leaves the corners; h264 keeps colours within 12 of 255.
    assert np.abs(drawn[0, 0] - plain[0, 0]).max() <= 12
    assert np.abs(drawn[24, 32] - plain[24, 32]).max() > 30


def test_overlays_of_doubtful_fits_are_framed(tmp_path: Path, out: Path):
    source = picture(tmp_path / "a.png")
    assert run([source], out, CountingFitter(quality=0.2), exports=("npz", "png"))
    drawn = np.asarray(Image.open(out / "a.png"))
    plain = gradient(48, 64)
    assert drawn[0, 0].tolist() == drawn[-1, 40].tolist() == [255, 176, 0]
    np.testing.assert_array_equal(drawn[2:-2, 2], plain[2:-2, 2])  # it is two pixels wide here


def test_an_output_folder_that_holds_an_input_is_refused(tmp_path: Path):
    path = picture(tmp_path / "a.png")
    with pytest.raises(OutputError, match="another folder with --out"):
        check_output_folder(tmp_path, [path])
    with pytest.raises(OutputError, match="another folder with --out"):
        check_output_folder(tmp_path, [tmp_path])


def test_an_output_folder_that_cannot_be_made_is_told_before_any_work(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        check_output_folder(tmp_path / "file" / "out", [])


def test_a_damaged_record_counts_as_none(tmp_path: Path, out: Path):
    inputs = [picture(tmp_path / "a.png")]
    run(inputs, out)
    (out / "a.json").write_text('{"input": 3')
    assert read_record(out, "a") is None
    assert statuses(run(inputs, out)) == ["ok"]


def test_an_error_is_tried_again_in_the_next_run(tmp_path: Path, out: Path):
    class Failing(CountingFitter):
        def run_all(self, frame: Frame) -> list[Reconstruction]:
            raise CaptureError("out of luck")

    inputs = [picture(tmp_path / "a.png")]
    assert statuses(run(inputs, out, Failing())) == ["error"]
    assert statuses(run(inputs, out)) == ["ok"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (np.linalg.LinAlgError("SVD did not converge"), "LinAlgError: SVD did not converge; leave"),
        (cv2.error("(-215) size > 0\n in function 'resize'\n"), "> 0 in function 'resize'; leave"),
        (ValueError("shape (0,)"), "ValueError: shape (0,); leave"),
        (RuntimeError(), "RuntimeError; leave it out, or see why with n2f --verbose"),
    ],
)
def test_an_unexpected_error_is_the_outcome_of_its_input_only(
    tmp_path: Path, out: Path, caplog: pytest.LogCaptureFixture, error: Exception, told: str
):
    class Breaking(CountingFitter):
        def run_all(self, frame: Frame) -> list[Reconstruction]:
            raise error

    caplog.set_level("DEBUG", "engine.batch")
    inputs = [picture(tmp_path / "a.png"), picture(tmp_path / "b.png")]
    fitters = iter((Breaking(), CountingFitter()))  # what broke is not used again
    settings = BatchSettings(out, "landmarks", 1, ("npz",), overwrite=False)
    with closing(Batch(MODEL, settings, lambda tracking: next(fitters))) as batch:
        outcomes = [batch.run(job) for job in plan_jobs(inputs, out)]
    assert statuses(outcomes) == ["error", "ok"]
    assert outcomes[0].row.message.startswith(f"{inputs[0]} cannot be fitted: ")
    assert told in outcomes[0].row.message
    assert [record.exc_info[1] for record in caplog.records] == [error]


def test_each_face_of_a_video_has_the_mesh_of_its_own_best_frame(tmp_path: Path, out: Path):
    class Swapping(CountingFitter):
        """Face 7 is the larger one at first, then face 9; x of the first vertex tells which."""

        def run_all(self, frame: Frame) -> list[Reconstruction]:
            order = [(7, 0.5), (9, 0.6)] if frame.index == 0 else [(9, 0.9), (7, 0.3)]
            return [self.head(frame, face, quality) for face, quality in order]

        def head(self, frame: Frame, face: int, quality: float) -> Reconstruction:
            vertices = TRIANGLE_M.copy()
            vertices[0, 0] = face + frame.index / 10
            return replace(triangle_head(frame, face, quality), vertices=vertices)

    make_video(tmp_path / "clip.mp4", [gradient(48, 64)] * 2)
    exports = ("npz", "obj", "glb")
    outcome = run([tmp_path / "clip.mp4"], out, Swapping(), n_faces=2, exports=exports)[0]
    assert set(outcome.outputs) == {
        f"{stem}.{kind}" for stem in ("clip", "clip.face2") for kind in exports
    }
    for stem, x in (("clip", 7.0), ("clip.face2", 9.1)):
        kept = load_fit_npz(out / f"{stem}.npz").arrays["vertices"][:, 0, 0]
        first = next(n for n in (out / f"{stem}.obj").read_text().split("\n") if n[:2] == "v ")
        assert float(first.split()[1]) / 1000 == pytest.approx(x, abs=1e-5)  # OBJ is in mm
        assert np.abs(kept - x).min() < 1e-6  # the same person's as in the NPZ


def test_overwriting_leaves_no_output_of_the_earlier_run_behind(tmp_path: Path, out: Path):
    inputs = [picture(tmp_path / "a.png"), picture(tmp_path / "other.png")]
    kinds = ("npz", "csv")
    run(inputs, out, CountingFitter(n_faces=2), n_faces=2, exports=kinds)
    assert (out / "a.face2.npz").exists()
    run(inputs[:1], out, n_faces=2, exports=kinds, overwrite=True)
    assert names_in(out, "a") == ["a.csv", "a.json", "a.npz"]
    picture(tmp_path / "a.png", black=True)
    assert statuses(run(inputs[:1], out, n_faces=2, exports=kinds, overwrite=True)) == ["no-face"]
    assert names_in(out, "a") == ["a.json"]
    assert len(names_in(out, "other")) == 5


def test_another_kind_of_export_leaves_those_of_the_earlier_run(tmp_path: Path, out: Path):
    inputs = [picture(tmp_path / "a.png")]
    run(inputs, out, exports=("npz", "csv"))
    run(inputs, out, exports=("npz", "obj"))
    assert names_in(out, "a") == ["a.csv", "a.json", "a.npz", "a.obj"]
    run(inputs, out, overwrite=True)
    assert names_in(out, "a") == ["a.json", "a.npz"]


def test_a_failure_leaves_what_an_earlier_run_wrote(tmp_path: Path, out: Path):
    inputs = [picture(tmp_path / "a.png")]
    run(inputs, out)
    inputs[0].write_bytes(b"no picture any more")
    assert statuses(run(inputs, out, overwrite=True)) == ["error"]
    assert names_in(out, "a") == ["a.json", "a.npz"]


def test_a_record_that_names_files_elsewhere_deletes_none_of_them(tmp_path: Path, out: Path):
    (tmp_path / "precious").touch()
    remove_outputs(out, ["../precious"])
    assert (tmp_path / "precious").exists()


def test_the_settings_in_force_are_kept_beside_the_outputs(tmp_path: Path, out: Path):
    run([picture(tmp_path / "a.png")], out, n_faces=3, exports=("npz", "csv"))
    record = json.loads((out / "a.json").read_text())
    assert record["version"] == version("n2fnet")
    assert record["settings"] == {
        "method": "landmarks",
        "model_id": MODEL.model_id,
        "faces": 3,
    }
    assert record["exports"] == ["npz", "csv"]
    assert record["outputs"] == ["a.npz", "a.csv"]


def names_in(out: Path, stem: str) -> list[str]:
    return sorted(path.name for path in out.iterdir() if path.name.split(".")[0] == stem)


def test_the_networks_maps_are_written_as_pictures(tmp_path: Path, out: Path):
    class SeesNormals(CountingFitter):
        def run_all(self, frame: Frame) -> list[Reconstruction]:
            view = np.zeros((8, 8, 3), np.float32)
            view[..., 1] = 1
            ones, parsing = np.ones((8, 8), np.float32), np.full((8, 8), 2, np.uint8)
            seen = NormalMap(None, view, ones, ones, parsing, np.eye(2, 3))
            return [replace(fit, normals=seen) for fit in super().run_all(frame)]

    source = picture(tmp_path / "a.png")
    outcome = run([source], out, SeesNormals(), exports=("npz", "normals"), normals="n 0")[0]
    assert outcome.outputs == ("a.npz", "a.view.png", "a.parsing.png")
    assert np.asarray(Image.open(out / "a.view.png"))[4, 4].tolist() == [128, 255, 128]
    assert np.asarray(Image.open(out / "a.parsing.png"))[4, 4].tolist() == [74, 144, 226]
    assert json.loads((out / "a.json").read_text())["settings"]["normals"] == "n 0"
    # Another network is another result: it is not mixed in silently.
    again = run([source], out, SeesNormals(), normals="n 1")[0]
    assert "other settings" in again.row.message


def test_what_was_cut_short_is_written_told_and_done_again(tmp_path: Path, out: Path):
    clip = tmp_path / "clip.mp4"
    make_video(clip, [gradient(48, 64)] * 6)
    settings = BatchSettings(out, "landmarks", 1, ("npz",), overwrite=False)
    seen: list[int] = []
    with closing(Batch(MODEL, settings, lambda tracking: CountingFitter())) as batch:
        (job,) = plan_jobs([clip], out)
        cut = batch.run(job, seen.append, lambda: len(seen) >= 2)
        assert cut.row.status == "ok"
        assert "face in 2 of 2 frames; stopped early" in cut.row.message
        assert len(load_fit_npz(out / "clip.npz", MODEL).found) == 2
        whole = batch.run(job)
    assert not whole.kept
    assert "face in 6 of 6 frames" in whole.row.message
    assert run([clip], out)[0].kept


def test_normals_that_no_head_follows_are_told(tmp_path: Path, out: Path):
    class Off(CountingFitter):
        def run_all(self, frame: Frame) -> list[Reconstruction]:
            return [replace(fit, normal_residual_deg=84.0) for fit in super().run_all(frame)]

    (outcome,) = run([picture(tmp_path / "a.png")], out, Off())
    assert outcome.row.status == "low"
    assert "84 degrees off those that the network saw: check the network's axes" in (
        outcome.row.message
    )


def test_a_fitter_that_tells_its_way_has_it_written(tmp_path: Path, out: Path):
    class Telling(CountingFitter):
        def write_curve(self, path: Path, face_id: int) -> None:
            path.write_text(f"face {face_id}")

    (outcome,) = run([picture(tmp_path / "a.png")], out, Telling(n_faces=2), n_faces=2)
    assert {"a.curve.csv", "a.face2.curve.csv"} <= set(outcome.outputs)
    assert (out / "a.face2.curve.csv").read_text() == "face 1"
