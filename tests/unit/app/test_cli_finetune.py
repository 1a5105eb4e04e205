"""`n2f train n2fnet --stage finetune`: photos and videos are fitted, then learned from."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import engine.head_choice
import engine.training.finetune as finetune_module
import engine.training.n2f_maps as n2f_maps
import engine.training.n2f_settings as n2f_settings
from app.__main__ import main
from engine.flame.model import HeadModel
from engine.io.assets import asset_path
from engine.io.image import save_png
from engine.synth.draw_maps import DrawPlan
from engine.synth.head_maps import map_row_type
from engine.synth.map_files import MapInfo, MapStore, begin_folder, rows_path, write_rows
from engine.training.checkpoint import read_weights, write_weights
from engine.training.n2f_maps import n_to_draw
from engine.training.n2f_settings import N2FSettings, read_n2f_settings
from engine.training.n2f_validate import SCORES
from engine.training.n2f_weights import N2FNET, N2FRecipe, read_n2fnet
from engine.training.train_n2fnet import NETWORK
from engine.types import Frame, Reconstruction
from tests.bad_files import make_video
from tests.bumpy_head import bumpy_head
from tests.onnx_files import save_normal_net
from tests.unit.training.test_real_maps import made_fit

HEAD = bumpy_head(level=2)
CONFIGURED = """
widths = [8, 8, 8]
blocks = [1, 1, 1]
hidden = 16
grid_width = 8
batch_size = 2
bf16 = false
augment = false
"""
CONFIG = f"""
name = "small"
{CONFIGURED}
[[stages]]
name = "finetune"
steps = 2
warmup_steps = 1
drawn = 0
real = 1
"""
Run = Callable[..., tuple[int, str, str]]


class FakeReconstructor:
    """Sees one face in every picture."""

    n_seen = 0

    def __init__(self, *_: object, **options: object) -> None:
        assert options["method"] == "landmarks-refined"

    def run(self, frame: Frame) -> Reconstruction:
        FakeReconstructor.n_seen += 1
        return made_fit(frame, float(FakeReconstructor.n_seen))

    def close(self) -> None:
        return


@pytest.fixture
def finetune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Run:
    """Runs it on a made head with made fits; gives exit code, stdout, stderr."""
    monkeypatch.setattr(engine.head_choice, "chosen_head_model", lambda path: HEAD)
    monkeypatch.setattr(n2f_maps, "Reconstructor", FakeReconstructor)
    monkeypatch.setattr(FakeReconstructor, "n_seen", 0)
    (tmp_path / "small.toml").write_text(CONFIG)
    recipe = N2FRecipe.of(read_n2f_settings(tmp_path / "small.toml"), HEAD)
    write_weights(tmp_path / "init.npz", recipe.make_net().state_dict(), recipe)
    network = save_normal_net(tmp_path / "normals.onnx", 128)

    def run(*arguments: object) -> tuple[int, str, str]:
        given = ["--config", tmp_path / "small.toml", "--stage", "finetune", "--init"]
        given += [tmp_path / "init.npz", "--normals", network, "--out", tmp_path / "out"]
        line = ["n2f", "train", "n2fnet", *given, "--threads", "1", *arguments]
        monkeypatch.setattr("sys.argv", [str(part) for part in line])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (160, 200, 3), dtype=np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two photos and 2.7 s of video."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for k in range(2):
        save_png(folder / f"{k}.png", picture(k))
    make_video(folder / "film.mp4", [picture(5)] * 10, [300.0 * k for k in range(10)])
    return folder


def test_photos_and_videos_are_fitted_and_learned_from(finetune: Run, data: Path, tmp_path: Path):
    code, out, err = finetune("--data", data)
    assert code == 0, err
    assert json.loads(out) == {}  # nothing to validate on
    assert FakeReconstructor.n_seen == 5  # two photos, three seconds
    store = MapStore(tmp_path / "out" / "real", "train", HEAD.model_id)
    assert store.refresh() == 4  # 70 % of five
    assert (tmp_path / "out" / "weights-finetune.npz").exists()
    rows = (tmp_path / "out" / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "2"]
    code, out, err = finetune("--data", data)  # all is done
    assert code == 0, err
    assert FakeReconstructor.n_seen == 5
    assert (tmp_path / "out" / "log.csv").read_text().splitlines() == rows


def test_a_folder_of_videos_alone_will_do(finetune: Run, data: Path):
    for photo in data.glob("*.png"):
        photo.unlink()
    code, _, err = finetune("--data", data)
    assert code == 0, err
    assert FakeReconstructor.n_seen == 3


def test_other_photos_are_not_passed_over_in_silence(finetune: Run, data: Path):
    assert finetune("--data", data)[0] == 0
    save_png(data / "2.png", picture(9))
    code, _, err = finetune("--data", data)
    assert code == 1
    assert "holds fits of other pictures than the 4 given now" in " ".join(err.split())


def test_what_is_missing_is_told_before_anything_is_made(
    finetune: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made = []
    monkeypatch.setattr(n2f_maps, "draw_maps", lambda *_: made.append("drawn"))
    needy = (tmp_path / "small.toml").read_text() + "predicted = 1\n"
    (tmp_path / "small.toml").write_text(needy.replace("drawn = 0", "drawn = 1"))
    code, _, err = finetune("--data", data)
    assert code == 1
    assert "small needs predicted maps; give --shards FOLDER" in " ".join(err.split())
    assert (made, FakeReconstructor.n_seen) == ([], 0)
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_and_wrong_weights_are_told_at_once(
    finetune: Run, data: Path, tmp_path: Path
):
    (tmp_path / "nothing").mkdir()
    code, _, err = finetune("--data", tmp_path / "nothing")
    assert code == 1
    assert "holds no picture and no video" in " ".join(err.split())
    (tmp_path / "init.npz").write_bytes(b"nothing")
    code, _, err = finetune("--data", data)
    assert code == 1
    assert "init.npz" in err
    assert FakeReconstructor.n_seen == 0


def test_a_short_course_draws_few_heads():
    assert [n_to_draw(scale) for scale in (0.001, 0.03, 0.1, 0.11, 1.0, 2.0)] == [
        *(2_000, 2_000, 5_000, 6_000, 50_000, 50_000)
    ]


@pytest.fixture
def plain_finetune(finetune: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Run:
    """As `finetune`, but with nothing given; small networks by the names of the program's own."""
    configs = tmp_path / "configs"
    configs.mkdir()
    for name in ("finetuned", "finetuned-drawn"):
        text = (n2f_settings._CONFIGS / f"{name}.toml").read_text()
        (configs / f"{name}.toml").write_text(
            CONFIGURED + text.replace("steps = 10000", "steps = 1")
        )
    monkeypatch.setattr(n2f_settings, "_CONFIGS", configs)
    monkeypatch.setattr(finetune_module, "asset_path", lambda name: tmp_path / name)
    monkeypatch.setattr(n2f_maps, "draw_maps", drawn_rows)
    network = tmp_path / "normals.onnx"

    def run(*arguments: object) -> tuple[int, str, str]:
        given = ["--stage", "finetune", "--normals", network, "--out", tmp_path / "out"]
        line = ["n2f", "train", "n2fnet", *given, "--draw", "2", "--threads", "1", *arguments]
        monkeypatch.setattr("sys.argv", [str(part) for part in line])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def drawn_rows(model: HeadModel, out: Path, plan: DrawPlan, workers: int) -> int:
    """In place of drawing: heads that nobody sees."""
    begin_folder(out, MapInfo("drawn", model.model_id, plan.map_px, plan.seed))
    row = np.zeros((), map_row_type(plan.map_px, model.n_shape, model.n_expr))
    row["R"] = np.eye(3)
    write_rows(rows_path(out, plan.split, 0), [row] * plan.n)
    return 1


def weights_by(name: str, path: Path, model: HeadModel = HEAD) -> Path:
    recipe = N2FRecipe.of(read_n2f_settings(name), model)
    write_weights(path, recipe.make_net().state_dict(), recipe)
    return path


def settings_of(out: Path) -> N2FSettings:
    return read_n2fnet(out / "weights.npz", HEAD)[1].settings


def test_the_shipped_weights_and_drawn_maps_do_where_nothing_is_given(
    plain_finetune: Run, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    weights_by("finetuned", tmp_path / finetune_module.WEIGHTS)
    code, out, err = plain_finetune("--data", data)
    assert code == 0, err
    assert set(json.loads(out)) == set(SCORES)
    settings = settings_of(tmp_path / "out")
    assert (settings.name, settings.stages[0].shares) == ("finetuned", (0.5, 0.0, 0.5))
    assert "their share of finetuned is drawn" in caplog.text


def test_weights_of_drawn_maps_have_a_configuration_of_their_own(
    plain_finetune: Run, data: Path, tmp_path: Path
):
    init = weights_by("finetuned-drawn", tmp_path / "mine.npz")
    code, _, err = plain_finetune("--data", data, "--init", init)
    assert code == 0, err
    settings = settings_of(tmp_path / "out")
    assert (settings.name, settings.stages[0].shares) == ("finetuned-drawn", (0.5, 0.0, 0.5))
    assert settings.inputs == read_n2f_settings("finetuned-drawn").inputs


def test_another_heads_fine_tuning_needs_weights(plain_finetune: Run, data: Path, tmp_path: Path):
    other = replace(HEAD, model_id="1" * 64)
    weights_by("finetuned", tmp_path / finetune_module.WEIGHTS, other)
    code, _, err = plain_finetune("--data", data)
    assert code == 2
    assert "--stage finetune needs --init WEIGHTS and --data FOLDER" in plain(err)
    assert FakeReconstructor.n_seen == 0


def test_weights_of_other_sizes_are_told_before_anything_is_made(
    plain_finetune: Run, data: Path, tmp_path: Path
):
    init = weights_by("finetuned-drawn", tmp_path / "mine.npz")
    code, _, err = plain_finetune("--data", data, "--init", init, "--config", "finetuned")
    assert code == 1
    assert "mine.npz has inputs ('head', 'mask', 'coordinates'), the settings" in plain(err)
    assert FakeReconstructor.n_seen == 0
    assert not (tmp_path / "out").exists()


def test_the_programs_own_weights_have_the_networks_of_their_configurations():
    """So that the shipped weights can be gone on from, and those of `drawn`."""
    shipped = read_weights(asset_path(finetune_module.WEIGHTS), N2FNET)[1]
    check = [(shipped.settings, "finetuned"), (read_n2f_settings("drawn"), "finetuned-drawn")]
    for settings, name in check:
        other = read_n2f_settings(name)
        assert [getattr(settings, k) for k in NETWORK] == [getattr(other, k) for k in NETWORK]


def plain(text: str) -> str:
    """Without frames and line breaks."""
    return " ".join(word for word in text.split() if word != "│")
