"""sRGB against values of the standard."""

import numpy as np

from engine.render.colour import linear_from_srgb, srgb_from_linear


def test_known_values() -> None:
    encoded = np.array([0.0, 0.04045, 0.5, 1.0], np.float32)
    # IEC 61966-2-1 by hand: 0.04045 / 12.92 at the knee, ((0.5 + 0.055) / 1.055)^2.4 = 0.21404.
    expected = [0.0, 0.0031308, 0.214041, 1.0]
    np.testing.assert_allclose(linear_from_srgb(encoded), expected, atol=1e-6)


def test_all_bytes_survive_the_round_trip() -> None:
    encoded = np.arange(256, dtype=np.float32) / 255.0
    back = srgb_from_linear(linear_from_srgb(encoded))
    np.testing.assert_array_equal(np.rint(255.0 * back), np.arange(256))
