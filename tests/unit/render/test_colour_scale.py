"""The colours of error maps: which end is which, and that they work without colour vision, too."""

import matplotlib as mpl
import numpy as np
import pytest

from engine.render.colour import linear_from_srgb
from engine.render.colour_scale import scale_bar, scale_colours


def test_it_is_viridis():
    shares = np.linspace(0, 1, 256)
    viridis = np.array(mpl.colormaps["viridis"].colors)
    # Seventeen of its colours, straight lines between them: at most 6 of 255 away.
    assert scale_colours(shares, 1.0) == pytest.approx(viridis, abs=0.025)


def test_more_is_always_brighter():
    colours = scale_colours(np.linspace(0, 5, 100), 5.0)
    luminance = linear_from_srgb(colours) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luminance) > 0).all()


def test_what_is_beyond_the_ends_has_the_colours_of_the_ends():
    low, zero, top, more = scale_colours(np.array([-1.0, 0.0, 4.0, 9.0]), 4.0)
    assert np.array_equal(low, zero)
    assert np.array_equal(top, more)
    assert not np.array_equal(zero, top)


def test_the_bar_runs_from_left_to_right():
    bar = scale_bar(64, 3)
    assert bar.shape == (3, 64, 3)
    expected = np.rint(255 * scale_colours(np.array([0.5 / 64, 63.5 / 64]), 1.0))
    assert bar[1, [0, -1]].tolist() == expected.tolist()
