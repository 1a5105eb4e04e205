"""The command line: exit codes, what goes to stdout and what to stderr."""

import errno
import json
import os
import socket
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image

import engine.head_choice
import engine.pipeline
import engine.source_factory
from app.__main__ import main
from app.cli.frame_lines import FrameLines
from engine.types import Frame, Reconstruction
from tests.bad_files import gradient
from tests.live_fakes import FakeFitter, FakeSource, triangle_head, triangle_model

Run = Callable[..., tuple[int, str, str]]


class FakeReconstructor(FakeFitter):
    """Sees one face in every picture."""

    interrupts = False

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()

    def run_all(self, frame: Frame) -> list[Reconstruction]:
        if self.interrupts:
            raise KeyboardInterrupt
        return [triangle_head(frame)]


@pytest.fixture
def n2f(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line on the triangle head; gives exit code, stdout, stderr."""
    monkeypatch.setattr(engine.head_choice, "chosen_head_model", lambda path: triangle_model())
    monkeypatch.setattr(engine.pipeline, "Reconstructor", FakeReconstructor)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["n2f", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(gradient(48, 64)).save(path)
    return path


def test_version_goes_to_stdout(n2f: Run):
    code, out, _ = n2f("--version")
    assert code == 0
    assert out.startswith("n2f ")


def test_a_good_fit_exits_0_and_leaves_stdout_empty(n2f: Run, photo: Path, tmp_path: Path):
    code, out, err = n2f("fit", photo, "--out", tmp_path / "out")
    assert (code, out) == (0, "")
    assert "1 ok" in err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    stage_ms = {"crop": 4.0, "fit": 2.0}
    row = {"input": str(photo), "status": "ok", "message": "", "stage_ms": stage_ms}
    assert summary == [row]


def test_json_goes_to_stdout_alone(n2f: Run, photo: Path, tmp_path: Path):
    code, out, _ = n2f("fit", photo, tmp_path / "missing.png", "--out", tmp_path / "o", "--json")
    assert code == 1
    rows = json.loads(out)
    assert [row["status"] for row in rows] == ["ok", "error"]
    assert rows[0]["outputs"] == ["photo.npz"]


def test_an_engine_error_is_one_message_without_a_traceback(n2f: Run, photo: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    code, out, err = n2f("fit", photo, "--out", tmp_path / "file" / "out")
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert "--out" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "flags",
    [
        ["--method", "nonsense"],
        ["--export", "npz,xyz"],
        ["--faces", "0"],
        ["--nope"],
        ["--normals", "none", "--export", "normals"],
    ],
)
def test_wrong_usage_exits_2(n2f: Run, photo: Path, tmp_path: Path, flags: list[str]):
    code, out, err = n2f("fit", photo, "--out", tmp_path / "out", *flags)
    assert (code, out) == (2, "")
    assert "Traceback" not in err


def test_an_input_that_may_not_be_read_does_not_stop_the_others(
    n2f: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    closed = tmp_path / "closed.png"
    closed.write_bytes(photo.read_bytes())
    access, path_open = os.access, Path.open

    def refused(path: Path, *args: object, **kwargs: object) -> object:
        if path == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return path_open(path, *args, **kwargs)

    # Permission bits do not bind root, and an ordinary user could not import in the middle of it.
    monkeypatch.setattr(
        os, "access", lambda p, *a, **k: os.fspath(p) != str(closed) and access(p, *a, **k)
    )
    monkeypatch.setattr(Path, "open", refused)
    code, printed, _ = n2f("fit", closed, photo, "--out", tmp_path / "out", "--json")
    assert code == 1
    rows = json.loads(printed)
    assert [row["status"] for row in rows] == ["error", "ok"]
    assert "Permission denied; check the path and its permissions" in rows[0]["message"]


def test_an_address_reaches_the_message_whole(n2f: Run, tmp_path: Path):
    code, printed, _ = n2f("fit", "rtsp://cam/1", "--out", tmp_path / "out", "--json")
    assert code == 1
    row = json.loads(printed)[0]
    assert "use n2f live --source rtsp://cam/1" in row["message"]


def test_the_help_names_the_sample_and_the_folder_of_the_demo(n2f: Run):
    assert "sample or synthetic" in " ".join(n2f("live", "--help")[1].replace("│", " ").split())
    assert "out/demo" in n2f("demo", "--help")[1]


def test_frames_are_told_every_two_seconds(capsys: pytest.CaptureFixture[str]):
    times_s = iter([0.0, 1.0, 2.0, 3.9, 4.0])
    lines = FrameLines(360, lambda: next(times_s))
    for n_done in (30, 60, 119, 120):
        lines(n_done)
    assert capsys.readouterr().err == "frame 60 of 360\nframe 120 of 360\n"


def test_interrupting_exits_130_with_one_line_and_leaves_a_summary(
    n2f: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(FakeReconstructor, "interrupts", True)
    code, _, err = n2f("fit", photo, "--out", tmp_path / "out")
    told = "stopped; finished inputs are kept, the same command goes on\n"
    assert (code, err) == (130, told)
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == []


def test_a_window_without_a_display_is_refused_with_what_works_instead(
    n2f: Run, monkeypatch: pytest.MonkeyPatch
):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    code, _, err = n2f("demo")
    assert code == 1
    assert "--headless" in err


def test_a_display_that_does_not_answer_is_told_before_qt_would_abort(
    n2f: Run, monkeypatch: pytest.MonkeyPatch
):
    for name in ("WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":987")
    code, _, err = n2f("live", "--source", "synthetic")
    assert code == 1
    assert ":987 does not answer" in err


def test_out_without_headless_is_wrong_usage(n2f: Run, tmp_path: Path):
    assert n2f("demo", "--out", tmp_path)[0] == 2


@pytest.mark.gl
def test_a_demo_without_a_window_keeps_its_settings_beside_its_results(
    n2f: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(engine.source_factory, "first_source_spec", lambda: "sample")
    monkeypatch.setattr(engine.source_factory, "open_source", lambda spec, model: FakeSource(3))
    code, out, _ = n2f("demo", "--headless", "--normals", "none", "--out", tmp_path)
    assert code == 0
    assert str(tmp_path / "demo.json") in out.splitlines()
    record = json.loads((tmp_path / "demo.json").read_text())
    assert record["input"] == "fake"
    assert record["version"] == version("n2fnet")
    assert record["settings"] == {
        "method": "landmarks",
        "model_id": triangle_model().model_id,
        "faces": 1,
        "max_frames": 0,
    }
    assert record["message"] == "face in 3 of 3 frames"
    assert sorted([*record["outputs"], "demo.json"]) == sorted(p.name for p in tmp_path.iterdir())


@pytest.mark.parametrize(
    "flags",
    [
        ["--send", "osc:127.0.0.1:9"],
        ["--send", "vmc:127.0.0.1:99999"],
        ["--test-send"],
        ["--test-send", "--send", "camera"],
    ],
)
def test_receivers_that_cannot_be_are_wrong_usage(n2f: Run, flags: list[str]):
    code, out, err = n2f("live", *flags)
    assert (code, out) == (2, "")
    assert "vmc:" in err


@pytest.mark.parametrize("flags", [["--screenshot", "a.png"], ["--send", "camera"]])
def test_privacy_refuses_what_would_show_a_picture(n2f: Run, flags: list[str]):
    code, out, err = n2f("live", "--private", *flags)
    assert (code, out) == (2, "")
    assert "--private goes with neither" in err


def test_the_channel_test_names_every_channel_and_opens_no_window(
    n2f: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("engine.streaming.senders.time.sleep", lambda seconds: None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        code, out, err = n2f("live", "--test-send", "--send", f"livelink:127.0.0.1:{port}")
        assert receiver.recv(65536)[:1] == b"\x06"
    assert (code, out) == (0, "")
    assert len(err.splitlines()) == 61
    assert "tongueOut" in err
