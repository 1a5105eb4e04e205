"""`n2f synth` with a made sample maker: what it writes and what it says where."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import engine.synth.produce
from app.__main__ import main
from app.cli.synth_report import SynthReport
from engine.synth.manifest import read_manifest
from engine.synth.pack_choice import user_pack_path
from engine.synth.produce import Progress
from engine.synth.settings import SynthSettings
from tests.synth_fakes import FailingMaker, NoiseMaker, made_sample

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def n2f(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs `n2f synth` with small samples by one worker; gives exit code, stdout, stderr."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    use(monkeypatch, NoiseMaker)

    def run(*arguments: object) -> tuple[int, str, str]:
        given = ["n2f", "synth", *map(str, arguments), "--workers", "1"]
        monkeypatch.setattr("sys.argv", given)
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def use(monkeypatch: pytest.MonkeyPatch, maker: type[NoiseMaker]) -> None:
    real = engine.synth.produce.produce
    monkeypatch.setattr(engine.synth.produce, "produce", partial(real, make_maker=maker))


def test_samples_are_made_and_told_on_stderr_alone(n2f: Run, tmp_path: Path):
    out = tmp_path / "out"
    code, printed, err = n2f("--n", 5, "--out", out, "--size", 16, "--shard-size", 4)
    assert (code, printed) == (0, "")
    assert "5 train samples in 2 shards: 5 made in" in err
    assert "samples/s" in err
    assert read_manifest(out).n_done == 5


def test_json_goes_to_stdout_and_tells_what_was_kept(n2f: Run, tmp_path: Path):
    command = ("--out", tmp_path / "out", "--size", 16, "--shard-size", 2, "--seed", 9, "--json")
    n2f("--n", 2, *command)
    code, printed, _ = n2f("--n", 3, *command)
    told = json.loads(printed)
    assert code == 0
    assert (told["n"], told["kept"], told["made"]) == (3, 2, 1)
    assert told["shards"] == ["train-000000.tar", "train-000001.tar"]
    assert told["settings"]["seed"] == 9
    assert told["samples_per_s"] > 0


def test_the_sheet_shows_the_first_samples(n2f: Run, tmp_path: Path):
    sheet = tmp_path / "sheet.png"
    code, *_ = n2f("--n", 3, "--out", tmp_path / "out", "--size", 32, "--sheet", sheet)
    picture = np.asarray(Image.open(sheet))
    sample = made_sample(SynthSettings(size_px=32), 0)
    assert code == 0
    assert np.array_equal(picture[19:51, 4:36], sample.image)
    assert np.array_equal(picture[19:51, 40:72], sample.head_normals)


def test_without_a_pack_openhead_alone_is_used_and_that_is_said(n2f: Run, tmp_path: Path):
    _, _, err = n2f("--n", 1, "--out", tmp_path / "out", "--size", 16)
    assert f"none at {user_pack_path()}: openhead alone, with built-in looks" in err
    assert read_manifest(tmp_path / "out").settings["population"] == "openhead"


def test_the_users_pack_is_found(n2f: Run, tmp_path: Path):
    assert user_pack_path() == tmp_path / "data" / "n2fnet" / "synth_pack.npz"
    user_pack_path().parent.mkdir(parents=True)
    user_pack_path().write_bytes(b"one")
    _, printed, err = n2f("--n", 1, "--out", tmp_path / "out", "--size", 16, "--json")
    assert json.loads(printed)["settings"]["pack"] == str(user_pack_path())
    assert json.loads(printed)["settings"]["population"] == "both"
    assert "built-in" not in err


@pytest.mark.parametrize(
    "flags",
    [
        ["--n", "0"],
        ["--n", "1", "--split", "test"],
        ["--n", "1", "--population", "all"],
        ["--n", "1", "--population", "makehuman"],  # which needs a pack
        ["--n", "1", "--sheet", "sheet.jpg"],
        ["--n", "1", "--size", "8"],
    ],
)
def test_wrong_usage_exits_2_and_makes_nothing(n2f: Run, tmp_path: Path, flags: list[str]):
    code, printed, err = n2f("--out", tmp_path / "out", *flags)
    assert (code, printed) == (2, "")
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_failures_are_one_message(n2f: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    code, _, err = n2f("--n", 1, "--out", tmp_path / "out", "--pack", tmp_path / "none.npz")
    assert code == 1
    assert err.startswith("Error: pack ")
    use(monkeypatch, FailingMaker)
    code, _, err = n2f("--n", 6, "--out", tmp_path / "out", "--size", 16)
    assert code == 1
    assert "Error: train-000000.tar (samples 0 to 5) cannot be made" in err
    assert "Traceback" not in err


def test_interrupting_exits_130_and_says_how_to_go_on(
    n2f: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(report: SynthReport, progress: Progress) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SynthReport, "show", interrupt)
    code, _, err = n2f("--n", 1, "--out", tmp_path / "out", "--size", 16)
    assert code == 130
    assert "stopped; finished shards are kept, the same command goes on\n" in err


def test_lines_are_told_every_half_minute_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    now_s = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now_s[0])
    with SynthReport(100) as report:
        for now_s[0], n_made in ((0.0, 0), (20.0, 20), (40.0, 40), (60.0, 50), (80.0, 60)):
            report.show(Progress(100, 10, n_made))
    lines = "sample 50 of 100, 1.0 samples/s\nsample 70 of 100, 0.8 samples/s\n"
    assert capsys.readouterr().err == lines
