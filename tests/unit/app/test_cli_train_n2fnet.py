"""`n2f train n2fnet` as a user calls it, for a FLAME file of one's own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")

from app.__main__ import main
from engine.head_choice import chosen_head_model
from engine.training.n2f_validate import SCORES
from engine.training.n2f_weights import read_n2fnet
from tests.bumpy_head import bumpy_head
from tests.flame_files import flame_content, write_flame_pickle

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Run:
    """Gives exit code, stdout, and stderr without its frames and line breaks."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*arguments: object) -> tuple[int, str, str]:
        line = ["n2f", "train", "n2fnet", "--out", tmp_path / "out", "--threads", 1, *arguments]
        monkeypatch.setattr("sys.argv", [str(part) for part in line])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        err = " ".join(word for word in printed.err.split() if word != "│")
        return int(ended.value.code or 0), printed.out, err

    return run


@pytest.fixture
def flame(tmp_path: Path) -> Path:
    content = flame_content(bumpy_head(level=3))
    return write_flame_pickle(tmp_path / "flame2023_Open.pkl", content)


@pytest.mark.gl
@pytest.mark.assets
def test_a_flame_file_is_trained_for_from_drawn_heads_alone(
    train: Run, flame: Path, tmp_path: Path
):
    """One step of each stage on four heads: what comes out is for that head model."""
    few = ("--model", flame, "--draw", 4, "--workers", 1, "--scale", 1e-5)
    code, out, err = train(*few)
    assert code == 0, err
    scores = json.loads(out)
    assert tuple(scores) == SCORES
    assert all(0 <= score < 200 for score in scores.values())
    head = chosen_head_model(flame)
    _, recipe = read_n2fnet(tmp_path / "out" / "weights.npz", head)
    assert (recipe.settings.name, recipe.model_id) == ("drawn", head.model_id)
    assert (recipe.n_shape, recipe.n_expr) == (6, 4)


@pytest.mark.parametrize("scale", ["inf", "nan", "1e305", "0"])
def test_a_scale_that_cannot_be_is_a_wrong_usage(train: Run, scale: str, tmp_path: Path):
    code, _, err = train("--scale", scale)
    assert code == 2
    assert "--scale" in err
    assert not (tmp_path / "out").exists()
