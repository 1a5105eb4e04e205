"""`n2f train n2fnet --stage finetune`: photos and videos are fitted, then learned from."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import engine.head_choice
import engine.training.n2f_maps as n2f_maps
from app.__main__ import main
from engine.io.image import save_png
from engine.synth.map_files import MapStore
from engine.training.checkpoint import write_weights
from engine.training.n2f_maps import n_to_draw
from engine.training.n2f_settings import read_n2f_settings
from engine.training.n2f_weights import N2FRecipe
from engine.types import Frame, Reconstruction
from tests.bad_files import make_video
from tests.bumpy_head import bumpy_head
from tests.onnx_files import save_normal_net
from tests.unit.training.test_real_maps import made_fit

HEAD = bumpy_head(level=2)
CONFIG = """
name = "small"
widths = [8, 8, 8]
blocks = [1, 1, 1]
hidden = 16
grid_width = 8
batch_size = 2
bf16 = false
augment = false
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
