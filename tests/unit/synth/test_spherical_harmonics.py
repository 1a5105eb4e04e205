"""Spherical harmonics against numerical integration over the sphere."""

import numpy as np

from engine.synth.spherical_harmonics import (
    equirect_directions,
    irradiance_sh,
    project_equirect,
    sh_basis,
)

_DIRECTIONS, _SOLID = equirect_directions(128, 256)


def test_basis_is_orthonormal_on_the_sphere() -> None:
    basis = sh_basis(_DIRECTIONS).astype(np.float64)
    gram = np.einsum("hwi,hwj,h->ij", basis, basis, _SOLID)
    np.testing.assert_allclose(gram, np.eye(9), atol=2e-3)  # grid of 1.4 degrees


def test_solid_angles_sum_to_the_sphere() -> None:
    np.testing.assert_allclose(_SOLID.sum() * 256, 4 * np.pi, rtol=1e-12)


def test_left_edge_looks_ahead_and_rightwards_turns_to_x() -> None:
    row = _DIRECTIONS[64]
    assert row[0, 2] < -0.999
    assert row[64, 0] > 0.999
    assert _DIRECTIONS[0, 0, 1] > 0.999


def test_even_light_gives_irradiance_pi_everywhere() -> None:
    irradiance = sh_basis(np.eye(3)) @ irradiance_sh(project_equirect(np.ones((32, 64, 3), "f4")))
    np.testing.assert_allclose(irradiance, np.pi, rtol=2e-3)


def test_irradiance_of_a_wide_lamp_matches_the_cosine_integral() -> None:
    lamp = np.maximum(_DIRECTIONS @ [0.6, 0.8, 0.0], 0).astype(np.float32) ** 2
    radiance = np.repeat(lamp[..., None], 3, axis=-1)
    normals = np.array([[0.6, 0.8, 0.0], [0.0, 0.0, 1.0], [0.8, -0.6, 0.0]])
    cosine = np.maximum(np.einsum("hwc,nc->nhw", _DIRECTIONS, normals), 0)
    expected = np.einsum("nhw,hw,h->n", cosine, lamp, _SOLID)
    found = (sh_basis(normals) @ irradiance_sh(project_equirect(radiance)))[:, 0]
    # Order 2 keeps about 99 % of the irradiance (Ramamoorthi and Hanrahan 2001).
    np.testing.assert_allclose(found, expected, atol=0.03 * expected.max())
