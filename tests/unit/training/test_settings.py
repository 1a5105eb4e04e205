"""Settings of both trainings: what they do not allow is named, what is shipped is read."""

from pathlib import Path

import pytest

from engine.errors import AssetError
from engine.training.n2f_settings import config_names, read_n2f_settings
from engine.training.settings import NormalTrainSettings, read_settings

ROOT = Path(__file__).parents[3]
STAGE = "[[stages]]\nname = 'a'\nsteps = 1\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("shift = 'a'", "shift 'a', expected a finite number"),
        ("hair_taken_off = 5", r"hair_taken_off 5, expected a finite number 0\.\.1"),
        ("hair_put_on = -0.1", r"hair_put_on -0\.1, "),
        ("lamps = 1.5", r"lamps 1\.5, "),
        ("recoloured = true", "recoloured True, "),
        ("surroundings = nan", "surroundings nan, "),
        ("parsing_weight = 'x'", "parsing_weight 'x', "),
        ("lr_end = -1", "lr_end -1, expected a finite number of at least 0"),
        ("lr = 0", "lr 0, "),
        ("weight_decay = inf", "weight_decay inf, "),
        ("ema_decay = 'x'", "ema_decay 'x', "),
        ("ema_decay = 1.0", r"ema_decay 1\.0, "),
        ("bf16 = 'no'", "bf16 'no', expected true or false"),
        ("use_points = 1", "use_points 1, expected true or false"),
        ("steps = 2.5", r"steps 2\.5, expected a whole number of at least 1"),
        ("seed = -1", "seed -1, "),
        ("widths = 8", "widths 8, expected a list"),
        ("widths = [8, 8, 8]", r"widths \(8, 8, 8\), expected four"),
    ],
)
def test_settings_of_the_normal_network_that_cannot_be_are_named(
    line: str, message: str, tmp_path: Path
):
    (tmp_path / "s.toml").write_text(line)
    with pytest.raises(AssetError, match=message):
        read_settings(tmp_path / "s.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("widths = [1]", r"widths \(1,\), expected 3 whole numbers"),
        ("blocks = [1, 1, -1]", r"blocks \(1, 1, -1\), "),
        ("inputs = 3", "inputs 3, expected a list"),
        ("inputs = [['head']]", r"inputs \[\['head'\]\] are unknown"),
        ("n_val = 0", "n_val 0, expected a whole number of at least 1"),
        ("size_px = '128'", "size_px '128', "),
        ("clip_norm = 0", "clip_norm 0, "),
        ("checkpoint_minutes = nan", "checkpoint_minutes nan, "),
        ("ema_decay = -0.1", r"ema_decay -0\.1, "),
        ("bf16 = 'no'", "bf16 'no', expected true or false"),
        ("name = 3", "name 3, expected text"),
        ("stages = 5", "stages 5, expected a list"),
        ("stages = ['a']", "'a' among the stages"),
        (f"{STAGE}lr = 'x'", "stage a: lr 'x', expected a finite number"),
        (f"{STAGE}lr_end = -1", "stage a: lr_end -1, "),
        (f"{STAGE}ramp_steps = -5", "stage a: ramp_steps -5, "),
        (f"{STAGE}warmup_steps = 0.5", r"stage a: warmup_steps 0\.5, "),
        (f"{STAGE}real = inf", "stage a: real inf, "),
        (f"{STAGE}drawn = 0", "of which one is positive"),
        (f"{STAGE}degradation = 2", r"stage a: degradation 2, expected a finite number 0\.\.1"),
        (f"{STAGE}weights = 1", "weights 1, expected "),
        (f"{STAGE}[stages.weights]\nnll = -1", r"weights\.nll -1, "),
        ("[[stages]]\nname = '../x'\nsteps = 1", r"name '\.\./x' of a stage, expected letters"),
        ("[[stages]]\nname = ''\nsteps = 1", "name '' of a stage"),
    ],
)
def test_settings_of_n2fnet_that_cannot_be_are_named(text: str, message: str, tmp_path: Path):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(AssetError, match=message):
        read_n2f_settings(tmp_path / "s.toml")


def test_all_files_of_settings_that_are_shipped_are_read():
    files = sorted((ROOT / "docs").glob("*.toml"))
    assert len(files) >= 8
    for file in files:
        if file.name.startswith("n2fnet"):
            assert read_n2f_settings(file).steps > 0
        else:
            assert read_settings(file).steps > 0
    assert all(read_n2f_settings(name).steps > 0 for name in config_names())


def test_whole_numbers_do_for_others():
    assert NormalTrainSettings(lr=1, hair_put_on=1).hair_put_on == 1


@pytest.mark.parametrize("share", [0.0, float("inf"), float("nan"), 1e305])
def test_a_share_of_steps_that_cannot_be_is_refused(share: float):
    with pytest.raises(ValueError, match="expected a number above 0, at most 1000"):
        read_n2f_settings("drawn").scaled(share)
