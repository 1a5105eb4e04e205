"""Training on samples made meanwhile: none is used twice, and the workers end with it."""

import csv
import json
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.synth.sample import Sample
from engine.synth.settings import SynthSettings
from engine.training.checkpoint import load_checkpoint
from engine.training.fly import Fly, FlyingRows
from engine.training.launch import Alone
from engine.training.report import TrainReport
from engine.training.row_source import Progress
from engine.training.settings import NormalTrainSettings
from engine.training.train_normals import TrainPaths, train_normals
from tests.balls import write_balls
from tests.synth_fakes import FailingMaker, NoiseMaker, made_sample

SMALL = NormalTrainSettings(
    size_px=32, widths=(8, 8, 8, 8), full_width=4, batch_size=4, steps=3, warmup_steps=1,
    log_every=1, val_every=2, bf16=False, augment=False,
)  # fmt: skip


class StoppingMaker(NoiseMaker):
    """Has the training told to stop at sample 6: in the middle of the second batch."""

    def make(self, index: int) -> Sample:
        if index == 6:
            while not Path(os.environ["FIRST_STEP_DONE"]).exists():
                time.sleep(0.01)
            os.kill(os.getppid(), signal.SIGTERM)
            threading.Event().wait()  # for ever
        return super().make(index)


@pytest.fixture(autouse=True)
def _nothing_left_running():
    yield
    assert multiprocessing.active_children() == []
    assert [t for t in threading.enumerate() if t.name == "sample-stream"] == []


def test_training_goes_on_with_the_samples_after_those_it_has_used(tmp_path: Path):
    write_balls(tmp_path / "val", "val", 4)
    fly = Fly(workers=1, make_maker=NoiseMaker)
    paths = TrainPaths(fly, tmp_path / "out", val=tmp_path / "val")
    scores = train_normals(SMALL, paths)
    assert 0 < scores["view_median_deg"] < 180
    first = load_checkpoint(tmp_path / "out" / "checkpoint.pt")
    assert (first["step"], first["next_index"]) == (3, 12)
    train_normals(replace(SMALL, steps=5), paths)
    second = load_checkpoint(tmp_path / "out" / "checkpoint.pt")
    assert (second["step"], second["next_index"]) == (5, 20)


def test_batches_begin_at_the_progress_and_move_it_on():
    source = FlyingRows(Fly(workers=1, make_maker=NoiseMaker), SMALL, Alone())
    progress = Progress(next_index=7)
    try:
        rows = next(source.batches(progress, lambda: False))
    finally:
        source.close()
    assert progress.next_index == 11
    made = SynthSettings(seed=2**33 + SMALL.seed, size_px=32)
    for k, row in enumerate(rows):
        wanted = made_sample(made, 7 + k)
        assert (row["image"] == wanted.image).all()
        assert (row["K"] == wanted.camera.K).all()


def test_a_signal_while_waiting_for_samples_saves_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    done, count = tmp_path / "done", TrainReport.count

    def counted(report: TrainReport, losses: dict[str, float]) -> None:
        count(report, losses)
        done.touch()  # after the step has looked for signals: the next look is while waiting

    monkeypatch.setenv("FIRST_STEP_DONE", str(done))
    monkeypatch.setattr(TrainReport, "count", counted)
    paths = TrainPaths(Fly(workers=1, make_maker=StoppingMaker), tmp_path)
    assert train_normals(replace(SMALL, log_every=50), paths) == {}
    saved = load_checkpoint(tmp_path / "checkpoint.pt")
    assert (saved["step"], saved["next_index"]) == (1, 4)
    with (tmp_path / "log.csv").open() as file:
        (row,) = csv.DictReader(file)  # of the step since the last one that is logged
    assert row["step"] == "1"
    assert float(row["loss"]) > 0
    assert json.loads((tmp_path / "settings.json").read_text())["log_every"] == 50
    assert (tmp_path / "weights.npz").exists()


def test_a_sample_that_fails_ends_the_training(tmp_path: Path):
    with pytest.raises(EngineError, match="sample 5 cannot be made: ZeroDivisionError"):
        train_normals(SMALL, TrainPaths(Fly(workers=1, make_maker=FailingMaker), tmp_path))
