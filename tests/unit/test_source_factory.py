"""Opening by name: what cannot be looked at is told with its cause, never as a stack trace."""

from pathlib import Path

import pytest

from engine.errors import AssetError, CaptureError
from engine.head_choice import chosen_head_model
from engine.source_factory import open_source
from tests.live_fakes import triangle_model
from tests.unprivileged import as_nobody


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ("x" * 300, "File name too long"),
        ("~nobody-of-this-name/a.mp4", "home directory"),
        ("a\0b.png", "does not exist|null byte"),
    ],
)
def test_odd_sources_are_told_with_their_cause(spec: str, cause: str):
    with pytest.raises(CaptureError, match=cause):
        open_source(spec, triangle_model())


def test_a_head_model_with_an_endless_name_is_told_with_its_flag():
    with pytest.raises(AssetError, match="File name too long; check --model"):
        chosen_head_model(Path("x" * 300))


def test_paths_in_a_folder_that_may_not_be_searched_are_told(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir()
    with as_nobody(closed, 0o600):
        with pytest.raises(CaptureError, match="Permission denied; check the path"):
            open_source(str(closed / "a.png"), triangle_model())
        with pytest.raises(AssetError, match="Permission denied; check --model"):
            chosen_head_model(closed / "head.npz")
