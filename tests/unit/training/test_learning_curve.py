"""The figure of a training shows what its log holds."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from engine.errors import AssetError
from engine.training.learning_curve import (
    Curve,
    _ticks,
    curves_beside,
    curves_from_log,
    figure_svg,
    joined,
    read_log,
)

LOG = """step,minutes,loss,head,view,head_median_deg,view_median_deg,mask_iou,rotation_median_deg
50,1,-1.5,0.5,0.6,,,,
100,2,-2,0.4,0.5,12,14,0.5,9
150,3,-9,0.1,0.1,,,,
150,1,-2.5,0.3,0.4,,,,
200,2,-3,0.2,0.3,6,7,0.8,4
"""


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, float]]:
    (tmp_path / "log.csv").write_text(LOG)
    return read_log(tmp_path / "log.csv")


def test_steps_done_twice_count_once(rows):
    assert [row["step"] for row in rows] == [50, 100, 150, 200]
    assert rows[2]["loss"] == -2.5


def test_panels_hold_the_log(rows):
    panels = dict(curves_from_log(rows))
    assert panels["held-out samples: IoU of the face mask"][0].points == [(100, 0.5), (200, 0.8)]
    assert [c.name for c in panels["training: loss"]] == ["sum", "head", "view"]


def test_panels_without_values_are_left_out(rows):
    assert [title for title, _ in curves_from_log(rows[:1])] == ["training: loss"]


def test_logs_that_go_on_are_counted_through(rows):
    both = joined([rows, rows[:2]])
    assert [row["step"] for row in both] == [50, 100, 150, 200, 250, 300]
    assert both[-1] == rows[1] | {"step": 300}
    assert [row["step"] for row in rows] == [50, 100, 150, 200]  # as they were


def test_trainings_beside_each_other_have_a_line_each(rows):
    panels = dict(curves_beside({"first": rows, "second": rows[:2], "third": rows[:1]}))
    lines = panels["held-out samples: error of rotation, median °"]
    assert [(c.name, c.points) for c in lines] == [
        ("first", [(100, 9.0), (200, 4.0)]),
        ("second", [(100, 9.0)]),
    ]
    assert "held-out samples: chamfer distance, mm" not in panels


def test_the_figure_is_svg_with_points_in_their_places():
    text = figure_svg([("error < 10", [Curve("a", [(0, 0.0), (100, 10.0)])])])
    ElementTree.fromstring(text)  # well formed, the title's < escaped
    points = re.search(r'points="([^"]*)"', text).group(1).split()
    # Left lower to right upper corner of the panel of 360 x 250.
    assert points == ["52.0,210.0", "338.0,30.0"]


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0, 14000, [0, 5000, 10000, 15000]),
        (-3, -1, [-3, -2.5, -2, -1.5, -1]),
    ],
)
def test_ticks_are_round_and_cover_all(low, high, wanted):
    assert _ticks(low, high) == wanted


def test_another_file_is_refused(tmp_path: Path):
    (tmp_path / "log.csv").write_text("a,b\n1,2\n")
    with pytest.raises(AssetError, match="no log of a training"):
        read_log(tmp_path / "log.csv")
    with pytest.raises(AssetError, match="cannot be read"):
        read_log(tmp_path / "none.csv")
