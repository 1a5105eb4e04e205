"""The runner: a row for whatever happens, the same figures whoever works, on from where it was."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.benchmark import report, runner, work
from engine.benchmark.rows import RowFile
from engine.benchmark.runner import (
    BenchRun,
    BenchSettings,
    Progress,
    error_file,
    kept_face,
    run_bench,
)
from engine.errors import EngineError, OutputError
from tests.bench_fakes import OFF_PX, made_work

pytestmark = pytest.mark.assets

METHODS = ("truth", "off", "blind", "broken", "absent")


def settings(out: Path, n: int = 4, **changes: object) -> BenchSettings:
    return replace(BenchSettings(made_work(n), METHODS, out, jobs=1), **changes)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[BenchSettings, BenchRun]:
    asked = settings(tmp_path_factory.mktemp("bench"))
    return asked, run_bench(asked)


def rows_of(run: BenchRun, method: str) -> dict[str, object]:
    return {row.sample: row for row in run.rows if row.method == method}


def accuracy(run: BenchRun) -> list[object]:
    return [(row.key, row.status, dict(row.values)) for row in run.rows]


def test_the_truth_has_no_error(done: tuple[BenchSettings, BenchRun]):
    row = rows_of(done[1], "truth")["made 2"]
    assert row.status == "ok"
    # Rounding alone: the surface's own points are looked for on it.
    assert row.values["cd_mm"] == pytest.approx(0, abs=1e-6)
    assert row.values["vertex_mm"] == pytest.approx(0, abs=1e-6)
    assert row.values["cr"] == 1.0
    assert row.values["nme_interocular_percent"] == 0.0
    errors = np.load(error_file(done[0].out, "synthetic", "truth", 2))
    assert np.nanmax(errors) < 1e-6


def test_faces_of_slow_methods_are_kept_for_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(work, "SLOW_METHODS", {"truth"})
    worker = work.make_worker(made_work(4))
    task = work.SampleTask("synthetic", 2, ("truth", "off"))
    slow, quick = worker.run(task, lambda n: None)
    assert slow.face is not None
    assert quick.face is None
    runner._keep(tmp_path, task, [slow, quick], RowFile(tmp_path / "rows.csv"))
    kept = kept_face(tmp_path, "synthetic", "truth", 2)
    assert kept is not None
    np.testing.assert_array_equal(kept.vertices, slow.face.vertices)
    assert kept_face(tmp_path, "synthetic", "off", 2) is None

    def refuse(*args: object) -> None:
        raise AssertionError("found once more")

    monkeypatch.setattr(worker, "predictor", refuse)
    assert worker.look("synthetic", 2, "truth", kept)[1] is kept
    worker.close()


def test_a_known_miss_has_its_nme(done: tuple[BenchSettings, BenchRun]):
    sample = made_work(4).opened("synthetic").samples()[1]
    eyes = sample.truth().landmarks68_px[[36, 45]]
    expected = 100 * OFF_PX / np.linalg.norm(eyes[0] - eyes[1])
    row = rows_of(done[1], "off")["made 1"]
    assert row.values["nme_interocular_percent"] == pytest.approx(expected, rel=1e-9)


def test_failures_are_rows(done: tuple[BenchSettings, BenchRun]):
    _, run = done
    assert len(run.rows) == 4 * 4  # absent has none
    assert {r.status for r in rows_of(run, "blind").values()} == {"no-face", "error"}
    broken = rows_of(run, "broken")
    assert broken["made 1"].status == "error"
    assert broken["made 1"].message == "ZeroDivisionError: made to fail"
    assert broken["made 2"].status == "ok"
    assert all(
        rows_of(run, m)["made 3"].message.startswith("made 3 is damaged") for m in METHODS[:4]
    )
    assert run.obstacles["absent"].startswith("needs checkpoint")
    assert run.problems == [f"absent: {run.obstacles['absent']}"]


def test_rows_come_in_order(done: tuple[BenchSettings, BenchRun]):
    _, run = done
    assert [row.key[1:] for row in run.rows[:5]] == [
        ("made 0", "truth"), ("made 0", "off"), ("made 0", "blind"), ("made 0", "broken"),
        ("made 1", "truth"),
    ]  # fmt: skip


def test_two_processes_give_the_same_figures(done: tuple[BenchSettings, BenchRun], tmp_path: Path):
    again = run_bench(settings(tmp_path, jobs=2))
    assert accuracy(again) == accuracy(done[1])


def test_a_broken_off_run_goes_on(done: tuple[BenchSettings, BenchRun], tmp_path: Path):
    asked, run = done
    lines = (asked.out / "rows.csv").read_text().splitlines(keepends=True)
    (tmp_path / "run.json").write_text((asked.out / "run.json").read_text())
    (tmp_path / "rows.csv").write_text("".join(lines[:8]) + lines[8][:30])
    told: list[Progress] = []
    again = run_bench(replace(asked, out=tmp_path), told.append)
    assert told[0] == Progress(16, 7, 0)
    assert told[-1].n_done == 9
    assert accuracy(again) == accuracy(run)


def test_a_finished_run_does_nothing(done: tuple[BenchSettings, BenchRun]):
    told: list[Progress] = []
    again = run_bench(done[0], told.append)
    assert told == [Progress(16, 16, 0)]
    assert accuracy(again) == accuracy(done[1])


def test_a_larger_limit_adds_to_a_smaller_one(tmp_path: Path):
    few = run_bench(settings(tmp_path, limit=2, methods=("truth",)))
    more = run_bench(settings(tmp_path, limit=3, methods=("truth",)))
    assert {r.key for r in few.rows} < {r.key for r in more.rows}
    assert (len(few.rows), len(more.rows)) == (2, 3)


def test_other_settings_are_refused(done: tuple[BenchSettings, BenchRun]):
    with pytest.raises(OutputError, match=r"alignment: A there, B asked for"):
        run_bench(replace(done[0], work=made_work(4, alignment="B")))


def test_two_head_models_in_one_table_are_refused(tmp_path: Path):
    with pytest.raises(EngineError, match="foreign gave a face of head model"):
        run_bench(settings(tmp_path, methods=("truth", "foreign")))


def test_an_absent_data_set_does_not_stop_the_others(tmp_path: Path):
    work = made_work(2, suites=("300w", "synthetic"))
    run = run_bench(settings(tmp_path, work=work, methods=("truth",)))
    assert [row.suite for row in run.rows] == ["synthetic", "synthetic"]
    assert run.problems == ["300w: no folder; 300-W is to be had elsewhere"]


def test_the_record_tells_what_was_run(done: tuple[BenchSettings, BenchRun]):
    record = json.loads((done[0].out / "run.json").read_text())
    assert record["settings"]["methods"] == list(METHODS)
    assert record["settings"]["suites"]["synthetic"]["seed"] == 0
    assert record["suites"]["synthetic"] == {"n": 4, "taken": 4, "problems": []}
    assert len(record["program"]["assets"]["openhead.npz"]) == 64
    assert record["program"]["packages"]["numpy"] == np.__version__


def test_the_report_has_both_tables(
    done: tuple[BenchSettings, BenchRun], monkeypatch: pytest.MonkeyPatch
):
    asked, run = done
    monkeypatch.setattr(report, "_painter", lambda stack: None)  # no OpenGL
    report.write_report(asked, run, None, asked.out)
    text = (asked.out / "report.md").read_text()
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if line[:3] == "| `"}
    assert "### Table 3: methods" in text
    assert "### Table 1: ablation, by region" in text
    # n 3, failed 1, CD 0, MNE 0, CR 1; nothing of the paper's.
    assert "| `truth` | 3 | 1 | 0.00 | 0.000 | 1.00 |" in text
    assert "| - | - | - | - | needs checkpoint: absent.pt, from nowhere, licence: none |" in text
    assert "1.36 | 0.266 | 0.77 | 48.38 | not asked for |" in lines["`deca`"]
    assert "made 3: made 3 is damaged; copy it again" in text
    assert (asked.out / "figures" / "synthetic_curves.png").stat().st_size > 10_000
    page = (asked.out / "report.html").read_text()
    assert "<td><code>truth</code></td><td>3</td><td>1</td><td>0.00</td>" in page


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra `ray`")
def test_a_ray_cluster_gives_the_same_figures(done: tuple[BenchSettings, BenchRun], tmp_path: Path):
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        run = run_bench(settings(tmp_path, jobs=2, ray_address="auto"))
    finally:
        ray.shutdown()
    assert sorted(map(str, accuracy(run))) == sorted(map(str, accuracy(done[1])))
