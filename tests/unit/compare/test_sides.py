"""Both sides over frames, which frames, and what is written of them."""

import csv
import json
from contextlib import closing
from pathlib import Path

import pytest

from engine.compare.difference import MeshDifference
from engine.compare.report import Compared, row_of, summary_of, write_rows, write_summary
from engine.compare.runner import compare_frames
from engine.compare.selection import chosen_frames, n_chosen
from engine.compare.side_fit import SideFit, timing_label
from engine.compare.sides import LiveSide, Side
from tests.compare_fakes import FakeOptimiser, noisy_frame, slow_side, steps, triangle_difference
from tests.live_fakes import FakeFitter, FakeSource, triangle_head, triangle_model


@pytest.mark.parametrize(
    ("every", "at_most", "expected"),
    [
        (None, None, list(range(10))),
        (None, 4, [0, 3, 6, 9]),
        (None, 1, [0]),
        (None, 50, list(range(10))),
        (4, None, [0, 4, 8]),
        (4, 2, [0, 4]),
    ],
)
def test_frames_are_spread_or_taken_at_steps(
    every: int | None, at_most: int | None, expected: list[int]
):
    source = FakeSource(10)
    assert [frame.index for frame in chosen_frames(source, every, at_most)] == expected
    assert n_chosen(source, every, at_most) == len(expected)


def test_an_endless_source_gives_its_first_frames():
    source = FakeSource(10, is_live=True)
    assert [frame.index for frame in chosen_frames(source, None, 3)] == [0, 1, 2]


def test_a_live_method_is_warm_and_fresh_before_its_first_frame_counts():
    fitter = FakeFitter()
    side = LiveSide("n2fnet", fitter)
    frames = [noisy_frame(0), noisy_frame(1)]
    for frame in frames:
        side.submit(frame)
        (found,) = side.take()
        assert found.fit is not None
        assert found.fit.frame_index == frame.index
    assert fitter.events == ["run 0", "reset", "run 0", "run 1"]
    side.close()


def test_both_sides_see_the_same_frames_and_steps_are_told():
    told: list[tuple[str, int]] = []

    def note(side: Side, step: object) -> None:
        told.append((side.method, step.iteration))

    frames = [noisy_frame(0), noisy_frame(1)]
    live = LiveSide("n2fnet", FakeFitter())
    with closing(slow_side(FakeOptimiser)) as slow, closing(live):
        difference = MeshDifference(triangle_model())
        done = list(compare_frames(frames, (slow, live), difference, note))
    assert [(c.frame.index, c.left.fit.frame_index, c.right.fit.frame_index) for c in done] == [
        (0, 0, 0),
        (1, 1, 1),
    ]
    assert done[0].difference.in_view_mm == pytest.approx([2.0, 0.0, 0.0], abs=1e-4)
    assert told[0] == ("slow", 0)


def compared(index: int, *, found: bool = True) -> Compared:
    frame = noisy_frame(index)
    left = SideFit(triangle_head(frame), 20.0 + index, steps())
    if not found:
        return Compared(frame, left, SideFit(None, 0.05, problem="no normals"), None)
    right = SideFit(triangle_head(frame), 0.05)
    return Compared(frame, left, right, triangle_difference(left.fit, right.fit))


def test_rows_and_summary_say_what_was_measured_and_no_more(tmp_path: Path):
    rows = [row_of(compared(0)), row_of(compared(1, found=False))]
    write_rows(tmp_path / "d.csv", rows)
    with (tmp_path / "d.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (first["frame"], first["time_s"], second["time_s"]) == ("0", "0", "0.04")
    assert (first["left_seconds"], first["left_energy"], first["right_energy"]) == ("20", "1", "")
    assert float(first["aligned_mean_mm"]) == pytest.approx(0.0, abs=1e-4)
    assert (second["right_found"], second["right_problem"]) == ("0", "no normals")
    assert second["aligned_mean_mm"] == second["right_normal_residual_deg"] == ""
    summary = summary_of(rows, ("pixel3dmm", "n2fnet"), {"input": "x"}, stopped=False)
    write_summary(tmp_path / "s.json", summary)
    read = json.loads((tmp_path / "s.json").read_text())
    assert (read["n_frames"], read["n_compared"]) == (2, 1)
    assert read["left"]["median_seconds"] == 20.5
    assert read["left_seconds_over_right"] == pytest.approx(20.5 / 0.05)
    assert read["right"]["n_failed"] == 1
    assert read["right"]["median_normal_residual_deg"] is None


@pytest.mark.parametrize(
    ("fit", "offline", "label"),
    [
        (SideFit(None, 0.0412), False, "41 ms/frame"),
        (SideFit(None, 22.6), True, "offline, 23 s/frame"),
        (SideFit(None, 2.34, from_cache=True), True, "offline, 2.3 s/frame, from cache"),
    ],
)
def test_an_offline_method_is_never_called_live(fit: SideFit, offline: bool, label: str):
    assert timing_label(fit, offline=offline) == label
