"""Errors put into predictions on purpose come out of the evaluation."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.errors import AssetError
from engine.stages.normal_network import Prediction
from engine.synth.sample import FACE_CLASSES, MASK_CLASSES, PARSING, Sample, decode_normals
from engine.synth.shards import write_shard
from engine.training.error_sheet import HEADINGS, error_picture, error_row, error_sheet
from engine.training.evaluate_normals import evaluate, spread_samples
from engine.training.normal_report import (
    Evaluated,
    report_markdown,
    summary_of,
    write_rows,
    write_summary,
)
from engine.training.normal_summary import calibration, figures, grouped, parsing_iou
from tests.balls import ball_sample

TURN = Rotation.from_euler("y", 10, degrees=True).as_matrix().astype(np.float32)


class Oracle:
    """Knows the truth of some samples, and turns its view normals by 10 degrees."""

    session = SimpleNamespace(metadata={})
    size_px = 32

    def __init__(self, samples: list[Sample], turn: np.ndarray = TURN) -> None:
        self._truth, self._turn = {s.image.tobytes(): s for s in samples}, turn

    def predict(self, image: np.ndarray, points: np.ndarray) -> Prediction:
        s = self._truth[image.tobytes()]
        return Prediction(
            mask=np.isin(s.parsing, MASK_CLASSES).astype(np.float32),
            confidence=np.full((32, 32), np.exp(-5 / 20), np.float32),
            head=decode_normals(s.head_normals),
            crop_view=decode_normals(s.view_normals) @ self._turn.T,
            parsing=s.parsing,
        )


@pytest.fixture
def samples() -> list[Sample]:
    kinds = ("openhead", "makehuman")
    return [
        replace(ball_sample(k), meta={"found": k > 0, "population": kinds[k % 2]}) for k in range(6)
    ]


def test_a_turn_of_the_view_map_is_the_error_of_its_rotation(samples):
    results = list(evaluate(Oracle(samples), samples))
    f = figures(results)
    assert f["n"] == 6
    assert f["head_median_deg"] == f["head_mean_deg"] == 0
    assert f["rotation_median_deg"] == pytest.approx(10, abs=0.01)
    # About the y axis: pixels that face along y turn less than those across it.
    assert 8 < f["view_mean_deg"] < 10
    assert f["mask_iou"] == 1


def test_a_perfect_network_has_no_error(samples):
    f = figures(list(evaluate(Oracle(samples, np.eye(3, dtype=np.float32)), samples)))
    assert f["view_mean_deg"] < 1e-3
    assert f["rotation_p95_deg"] < 0.05  # coding rounds normals by 0.2


def test_yaw_is_that_of_the_head(samples):
    for index, result in enumerate(evaluate(Oracle(samples), samples)):
        random = np.random.default_rng(index)  # as in `ball_sample`
        R = Rotation.from_euler("yxz", random.normal(0, [25, 12, 8]), degrees=True).as_matrix()
        wanted = np.degrees(np.arctan2(R[0, 2], R[2, 2]))
        assert result.yaw_deg == pytest.approx(wanted, abs=0.1)  # coding rounds by 0.2


def test_groups_part_the_samples(samples):
    groups = grouped(list(evaluate(Oracle(samples), samples)))
    assert groups["openhead"]["n"] == groups["makehuman"]["n"] == 3
    assert (groups["found by MediaPipe"]["n"], groups["not found"]["n"]) == (5, 1)
    assert sum(f["n"] for name, f in groups.items() if name.startswith("yaw")) == 6


def test_what_lies_over_the_face_counts_as_covering(samples):
    square = np.array([[8, 8], [23, 8], [23, 23], [8, 23]], np.float32)
    parsing = np.full((32, 32), PARSING.index("skin"), np.uint8)
    parsing[8:16, 8:24] = PARSING.index("other")
    half = replace(samples[0], parsing=parsing, landmarks68=np.resize(square, (68, 2)))
    (result,) = evaluate(Oracle([half]), [half])
    assert result.covered == pytest.approx(0.5)


def test_parsing_overlap_has_a_known_answer(samples):
    (result,) = evaluate(Oracle(samples), samples[:1])
    confusion = np.zeros((8, 8), np.int64)
    confusion[1, 1], confusion[1, 2], confusion[2, 2] = 30, 10, 60
    iou = parsing_iou([replace(result, confusion=confusion)])
    assert iou["skin"] == pytest.approx(30 / 40)
    assert iou["eyes"] == pytest.approx(60 / 70)
    assert np.isnan(iou["hair"])


def test_calibration_sets_expected_beside_true_errors(samples):
    tenths = calibration(list(evaluate(Oracle(samples), samples)))
    assert len(tenths) == 10
    assert tenths[0]["expected_deg"] == pytest.approx(5, abs=1e-4)
    assert 3 < tenths[0]["true_deg"] < 5.1  # half of the view map's, the head map has none


def test_a_network_that_sees_no_face_tells_no_rotation(samples):
    blind = Oracle(samples)
    seen = blind.predict
    blind.predict = lambda i, p: replace(seen(i, p), mask=np.zeros((32, 32), np.float32))
    (result,) = evaluate(blind, samples[:1])
    assert (result.scores.rotation_deg, result.scores.iou) == (180, 0)


def test_samples_are_grouped_by_their_hair(samples):
    styles = ["long", "", "long", None, "short", ""]
    results = [
        replace(result, hair=hair)
        for result, hair in zip(evaluate(Oracle(samples), samples), styles, strict=True)
    ]
    groups = grouped(results)
    counts = {name: g["n"] for name, g in groups.items() if "hair" in name}
    assert counts == {"hair long": 2, "hair short": 1, "no hair, or a hat": 2}


def test_files_hold_the_figures(samples, tmp_path: Path):
    results = list(evaluate(Oracle(samples), samples))
    network = Evaluated("net.onnx", "ab" * 32, 1_000_000, {}, results, ms=(3.0, 4.0))
    write_rows(tmp_path / "rows.csv", results)
    summary = summary_of(
        [network, replace(network, name="b.onnx", metadata={"population": "makehuman"})],
        {"split": "val"},
    )
    write_summary(tmp_path / "summary.json", summary)
    with (tmp_path / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["key"] for row in rows] == [s.key for s in samples]
    assert float(rows[0]["rotation_deg"]) == pytest.approx(10, abs=0.01)
    read = json.loads((tmp_path / "summary.json").read_text())
    assert read["networks"][0]["all"]["n"] == 6
    assert read["networks"][0]["parsing_iou"]["hair"] is None  # JSON has no NaN
    text = report_markdown(summary)
    assert "| **all** | 6 | 0.00 | 0.00 |" in text
    assert "| `b.onnx` | makehuman | fp32 | 1.00 | 3.0 | 4.0 | 0.00 |" in text


def test_spread_samples_are_spread_and_chosen_by_population(samples, tmp_path: Path):
    write_shard(tmp_path / "val-000000.tar", samples[:3])
    write_shard(tmp_path / "val-000001.tar", samples[3:])
    every = [s.key for s in spread_samples(tmp_path)]
    assert every == [s.key for s in samples]
    some = [s.key for s in spread_samples(tmp_path, n_most=2)]
    assert some == [samples[0].key, samples[2].key]  # one shard is enough
    makehuman = spread_samples(tmp_path, population="makehuman")
    assert [s.key for s in makehuman] == [samples[k].key for k in (1, 3, 5)]
    with pytest.raises(AssetError, match=r"no test-\*\.tar"):
        list(spread_samples(tmp_path, "test"))


def test_samples_of_another_size_are_refused(samples):
    other = ball_sample(0, size=64)
    with pytest.raises(AssetError, match="64 px, the network takes 32"):
        list(evaluate(Oracle(samples), [other]))


def test_error_pictures_are_dark_for_none_and_bright_for_much():
    truth = np.tile(np.array([0, 0, 1], np.float32), (2, 2, 1))
    far = Rotation.from_euler("x", 45, degrees=True).as_matrix().astype(np.float32)
    found = truth.copy()
    found[0, 0] = far @ truth[0, 0]
    where = np.array([[True, True], [True, False]])
    picture = error_picture(found, truth, where).astype(int).sum(-1)
    assert picture[0, 0] > 600
    assert picture[0, 1] < 30
    assert picture[1, 1] == 3 * 96


def test_a_sheet_has_a_row_for_each_sample_and_the_scale(samples):
    oracle = Oracle(samples)
    rows = [error_row(s, oracle.predict(s.image, s.points), "worst") for s in samples[:2]]
    assert len(rows[0].pictures) == len(HEADINGS)
    assert rows[0].label.startswith("worst, s00000, openhead, points modelled, median head 0.0°")
    face = np.isin(samples[0].parsing, FACE_CLASSES)
    drawn, wanted = (p[face].astype(int) for p in (rows[0].pictures[1], samples[0].head_normals))
    assert np.abs(drawn - wanted).max() <= 1  # coded, decoded, coded again
    sheet = error_sheet(rows, cell_px=64)
    assert sheet.shape[1] == 9 * 68 + 4
