"""`n2f bench`: wrong usage, missing data, and what it prints."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.tree import cli
from engine.benchmark import report, suites
from tests.bench_fakes import open_made

RUN = CliRunner()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "nothing; choose from: synthetic, multiface, 300w, now, speed"),
        (["synthetic", "--methods", "deep"], "deep; choose from: mediapipe"),
        (["300w", "--preset", "300w=secret"], "preset 'secret' does not exist"),
        (["300w", "now", "--data", "here"], "say which suite it is for"),
        (["synthetic", "--network", "mine"], "--network mine: expected NAME=VALUE"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, arguments: list[str], message: str):
    done = RUN.invoke(cli, ["bench", *arguments, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    told = " ".join(done.stderr.replace("│", " ").split())
    assert message in told
    assert not (tmp_path / "out" / "rows.csv").exists()


@pytest.mark.assets
def test_a_missing_data_set_is_told_and_the_rest_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(report, "_painter", lambda stack: None)  # no OpenGL
    monkeypatch.setattr(suites, "open_suite", open_made)
    done = RUN.invoke(
        cli,
        ["bench", "300w,synthetic", "--methods", "mediapipe,deca", "--limit", "2", "--jobs", "1",
         "--json", "--out", str(tmp_path)],
    )  # fmt: skip
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["problems"][0] == "300w: no folder; 300-W is to be had elsewhere"
    assert told["problems"][1].startswith("deca: needs checkpoint: deca_model.tar")
    # Grey squares: two samples, and no face in either.
    assert told["suites"]["synthetic"]["mediapipe"]["n"] == 2
    assert told["suites"]["synthetic"]["mediapipe"]["failed"] == 2
    text = (tmp_path / "report.md").read_text()
    assert "Missing: no folder; 300-W is to be had elsewhere" in text
    assert "no face found" in text
