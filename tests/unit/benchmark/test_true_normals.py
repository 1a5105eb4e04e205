import numpy as np
import pytest

from engine.benchmark.true_normals import cut_normals
from engine.types import NormalMap


def whole():
    """64 px of normals that lean further the further right they are, seen in the middle only."""
    lean = np.linspace(-0.5, 0.5, 64)
    head = np.zeros((64, 64, 3), np.float32)
    head[..., 0], head[..., 2] = np.sin(lean), np.cos(lean)
    mask = np.zeros((64, 64), np.float32)
    mask[16:48, 16:48] = 1
    parsing = mask.astype(np.uint8)
    same = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    return NormalMap(head, None, mask, mask, parsing, same)


def test_the_whole_cut_out_of_itself_is_itself():
    truth = whole()
    cut = cut_normals(truth, truth.crop_from_frame, 64)
    assert cut.head == pytest.approx(truth.head, abs=1e-6)
    assert np.array_equal(cut.mask, truth.mask)
    assert np.array_equal(cut.parsing, truth.parsing)
    assert cut.view is None


def test_a_crop_holds_what_lies_there_with_unit_length():
    matrix = np.array([[2.0, 0, -32.0], [0, 2.0, -32.0]])  # px (16, 16) becomes (0, 0)
    cut = cut_normals(whole(), matrix, 64)
    assert cut.mask[:62, :62].all()
    assert not cut.mask[63].any()
    assert cut.head[10, 20] == pytest.approx(whole().head[21, 26], abs=1e-6)
    assert np.linalg.norm(cut.head[:60, :60], axis=-1) == pytest.approx(np.ones((60, 60)), abs=1e-5)
    assert np.array_equal(cut.crop_from_frame, matrix)
    again = cut_normals(cut, matrix, 64)
    assert again.head[:60, :60] == pytest.approx(cut.head[:60, :60], abs=1e-6)
