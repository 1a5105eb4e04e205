"""Quick rotations, against the ones that define them."""

import numpy as np
import pytest

from engine.flame.lbs import rodrigues
from engine.flame.turns import axis_angle, turn, turn_with_slopes

ANGLES = (0.0, 1e-12, 1e-7, 1e-3, 0.4, 2.0, 3.1)


@pytest.mark.parametrize("angle", ANGLES)
def test_a_turn_is_rodrigues(angle: float) -> None:
    vector = angle * np.array([0.6, -0.48, 0.64])
    np.testing.assert_allclose(turn(vector), rodrigues(vector, xp=np), atol=1e-14)


@pytest.mark.parametrize("angle", ANGLES)
def test_slopes_are_those_of_differences(angle: float) -> None:
    vector, step = angle * np.array([0.6, -0.48, 0.64]), 1e-5
    rotation, slopes = turn_with_slopes(vector)
    np.testing.assert_array_equal(rotation, turn(vector))
    for axis, slope in zip(np.eye(3), slopes, strict=True):
        ahead, behind = (rodrigues(vector + s * step * axis, xp=np) for s in (1, -1))
        # Central differences are good to 1e-10, OpenCV's formulas near zero to 1e-9.
        np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), atol=1e-8)


@pytest.mark.parametrize("angle", ANGLES)
def test_axis_angle_undoes_a_turn(angle: float) -> None:
    vector = angle * np.array([0.6, -0.48, 0.64])
    # Near pi the sine, of which the axis is made, is small.
    np.testing.assert_allclose(axis_angle(turn(vector)), vector, rtol=1e-12, atol=1e-15)
