"""Odd paths are told in one message of cause and fix, whichever question they fail on."""

from pathlib import Path

import pytest

from engine.errors import AssetError, CaptureError
from engine.io.readable import check_readable, probing


def test_what_the_system_says_becomes_an_error_with_cause_and_fix(tmp_path: Path):
    path = tmp_path / ("x" * 300)
    with (
        pytest.raises(AssetError, match=r"cannot be looked at: File name too long; check --model$"),
        probing(path, "check --model", AssetError),
    ):
        path.exists()


def test_a_loop_of_links_is_told(tmp_path: Path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(CaptureError, match=r"; check it$"), probing(tmp_path / "loop", "check it"):
        (tmp_path / "loop").resolve()
    with pytest.raises(CaptureError, match="Too many levels of symbolic links; check the path"):
        check_readable(tmp_path / "loop", "picture")


def test_a_name_with_a_nul_is_told_in_one_printable_line(tmp_path: Path):
    with pytest.raises(CaptureError, match=r"a\\x00b.* null byte; check the path") as told:
        check_readable(tmp_path / "a\0b", "picture")
    assert str(told.value).isprintable()


def test_errors_of_our_own_pass():
    with pytest.raises(CaptureError, match=r"^empty$"), probing(Path("x"), "check it"):
        raise CaptureError("empty")


def test_of_an_endless_name_only_the_start_is_shown():
    with pytest.raises(CaptureError) as told:
        check_readable(Path("y" * 10_000), "picture")
    assert len(str(told.value)) < 400
