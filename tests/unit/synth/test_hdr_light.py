"""Lights from pictures made here."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.synth.hdr_light import light_from_equirect, load_lights
from engine.synth.spherical_harmonics import irradiance_sh, sh_basis


def test_even_grey_surrounding_becomes_radiance_one() -> None:
    light = light_from_equirect("grey", np.full((64, 128, 3), 0.2, np.float32))
    np.testing.assert_allclose(light.radiance, 1.0, rtol=1e-5)
    np.testing.assert_allclose(light.sh[0], np.sqrt(4 * np.pi), rtol=1e-3)
    np.testing.assert_allclose(light.sh[1:], 0.0, atol=2e-2)
    assert light.backdrop.shape == (512, 1024, 3)
    assert np.ptp(light.backdrop) == 0


def test_sun_lights_its_side_but_is_bounded() -> None:
    picture = np.full((128, 256, 3), 0.5, np.float32)
    picture[40, 64] = 1e6  # towards +x, above
    light = light_from_equirect("sun", picture)
    towards, away = sh_basis(np.array([[1.0, 0, 0], [-1.0, 0, 0]])) @ irradiance_sh(light.sh)
    assert towards[1] > 5 * abs(away[1])
    assert light.radiance.max() <= 20.001
    # Four parts of sun to one of sky: 4.25 x 4 / 5 + 1 / 5 times the mean at most.
    assert towards.max() < 3.7 * np.pi


def test_folder_without_lights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"holds no \.hdr"):
        load_lights(tmp_path)


def test_damaged_light_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.hdr").write_bytes(b"not radiance")
    with pytest.raises(AssetError, match=r"bad\.hdr"):
        load_lights(tmp_path)
