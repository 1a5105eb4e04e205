from dataclasses import replace

import numpy as np
import pytest

from engine.benchmark.now_predictions import read_now_prediction, write_now_prediction
from engine.benchmark.scoring import Scorer
from engine.benchmark.types import LANDMARKS7, Truth
from engine.errors import AssetError, ScoreError
from tests.bench_made import ball_truth, returned

ID = "FaMoS_180424_03335_TA/selfie/IMG_0041"


def test_what_is_written_is_read_and_scored_alike(tmp_path):
    face = returned(ball_truth())
    path = write_now_prediction(tmp_path, ID, face)
    assert path == tmp_path / f"{ID}.obj"
    found = read_now_prediction(tmp_path, ID)
    assert found.vertices == pytest.approx(face.vertices, abs=1e-7)  # mm with four digits
    assert np.array_equal(found.faces, face.faces)
    rows = list(LANDMARKS7)
    assert found.landmarks68[rows] == pytest.approx(face.landmarks68[rows])
    assert np.isfinite(found.landmarks68).all(axis=1).sum() == 7
    truth = Truth(mesh=replace(ball_truth(), landmarks68=None))
    values = Scorer("now", "C")(truth, found).values
    assert values["now_mean_mm"] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("form", ["(1, 7, 3)", "text"])
def test_other_forms_of_landmarks_are_read(tmp_path, form):
    path = write_now_prediction(tmp_path, ID, returned(ball_truth()))
    marks = np.load(path.with_suffix(".npy"))
    if form == "text":
        path.with_suffix(".npy").unlink()
        np.savetxt(path.with_suffix(".txt"), marks)
    else:
        np.save(path.with_suffix(".npy"), marks[None])
    found = read_now_prediction(tmp_path, ID)
    assert found.landmarks68[list(LANDMARKS7)] == pytest.approx(marks / 1e3)


def test_units_are_told_not_guessed(tmp_path):
    write_now_prediction(tmp_path, ID, returned(ball_truth()))
    metres = read_now_prediction(tmp_path, ID, "m")
    assert metres.vertices == pytest.approx(1e3 * ball_truth().vertices, abs=1e-4)
    score = Scorer("now", "A")(Truth(mesh=replace(ball_truth(), landmarks68=None)), metres)
    assert "look like millimetres" in score.warnings[0]
    with pytest.raises(ValueError, match="unit 'inch'"):
        read_now_prediction(tmp_path, ID, "inch")


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(AssetError, match=r"IMG_0041\.obj cannot be read"):
        read_now_prediction(tmp_path, ID)
    path = write_now_prediction(tmp_path, ID, returned(ball_truth()))
    np.save(path.with_suffix(".npy"), np.zeros((6, 3)))
    with pytest.raises(AssetError, match="expected seven points"):
        read_now_prediction(tmp_path, ID)
    path.with_suffix(".npy").unlink()
    with pytest.raises(AssetError, match=r"IMG_0041\.txt cannot be read"):
        read_now_prediction(tmp_path, ID)
    with pytest.raises(ScoreError, match="does not know NoW's seven landmarks"):
        write_now_prediction(tmp_path, ID, returned(ball_truth(), landmarks68=None))
