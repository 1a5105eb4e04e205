"""Contact sheets: each picture is where it belongs, pixel by pixel."""

from dataclasses import replace

import numpy as np
import pytest

from engine.render.prediction import PARSING_RGB, coloured_parsing
from engine.synth.sample import PARSING
from engine.synth.settings import SynthSettings
from engine.synth.sheet import (
    SAMPLE_HEADINGS,
    SheetRow,
    contact_sheet,
    sample_row,
)
from tests.synth_fakes import made_sample


def plain(colour: int, size: int = 20) -> np.ndarray:
    return np.full((size, size, 3), colour, np.uint8)


def test_rows_run_left_to_right_then_down():
    rows = [SheetRow(str(i), [plain(10 * i + 1), plain(10 * i + 2)]) for i in range(3)]
    sheet = contact_sheet(rows, ("one", "two"), n_across=2)
    # Two blocks of 2 x (20 + 4) + 4 px; headings 15 + 4 px, then blocks of 20 + 15 + 4 px.
    assert sheet.shape == (19 + 2 * 39, 2 * 52, 3)
    for x, y, colour in ((4, 19, 1), (28, 19, 2), (56, 19, 11), (80, 19, 12), (4, 58, 21)):
        assert (sheet[y : y + 20, x : x + 20] == colour).all()
    assert (sheet[58:78, 56:] == 250).all()  # no fourth row
    assert sheet[:19, :52].min() < 100  # a heading is written


def test_pictures_of_other_sizes_fill_their_cells():
    sheet = contact_sheet([SheetRow("", [plain(9, 40), plain(7, 10)])], cell_px=20)
    assert (sheet[4:24, 4:24] == 9).all()
    assert (sheet[4:24, 28:48] == 7).all()


def test_a_sample_shows_its_pictures_and_the_colours_of_its_classes():
    sample = made_sample(SynthSettings(size_px=16), 0)
    row = sample_row(sample)
    assert row.label == "train-00000000, openhead, modelled points"
    assert len(row.pictures) == len(SAMPLE_HEADINGS)
    assert row.pictures[1] is sample.head_normals
    assert np.array_equal(row.pictures[3], coloured_parsing(sample.parsing))


def test_depth_is_white_where_it_is_nearest_and_black_where_nothing_is():
    depth = np.zeros((16, 16), np.uint16)
    depth[0, :3] = (5000, 6000, 7000)
    shown = sample_row(replace(made_sample(SynthSettings(size_px=16), 0), depth=depth)).pictures[4]
    assert shown[0, :3, 0].tolist() == [255, 148, 40]  # 255 - 215 / 2 is rounded to even
    assert not shown[1:].any()


def test_each_point_within_the_picture_is_a_dot():
    points = np.full((478, 3), -5, np.float32)
    points[:2, :2] = ((3.4, 7.6), (15.4, 0.0))
    sample = replace(made_sample(SynthSettings(size_px=16), 0), points=points)
    shown = sample_row(sample).pictures[5]
    dots = np.argwhere((shown != sample.image // 2).any(axis=2))
    assert dots.tolist() == [[0, 15], [8, 3]]  # rows first


def test_each_class_has_a_colour_of_its_own():
    assert tuple(PARSING_RGB) == PARSING
    assert len(set(PARSING_RGB.values())) == len(PARSING)
    assert coloured_parsing(np.array([[200]], np.uint8)).tolist() == [[[255, 255, 255]]]


@pytest.mark.parametrize("counts", [[], [0], [2, 1]])
def test_rows_of_unequal_length_are_refused(counts: list[int]):
    rows = [SheetRow("", [plain(0)] * n) for n in counts]
    with pytest.raises(ValueError, match="expected rows of one length"):
        contact_sheet(rows)
