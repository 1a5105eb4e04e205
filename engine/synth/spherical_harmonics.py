"""Real spherical harmonics up to order 2: light from all around in nine numbers a channel.

Basis order: (0,0); (1,-1) y, (1,0) z, (1,1) x; (2,-2) xy, (2,-1) yz, (2,0) 3z2 - 1, (2,1) xz,
(2,2) x2 - y2; orthonormal on the unit sphere, so coefficients are integrals of radiance x basis.
Source: Ramamoorthi and Hanrahan 2001, "An Efficient Representation for Irradiance Environment
Maps".
"""

import numpy as np

from engine.types import F32, F64

__all__ = ["COSINE_LOBE", "equirect_directions", "irradiance_sh", "project_equirect", "sh_basis"]

COSINE_LOBE = np.array([np.pi] + [2 * np.pi / 3] * 3 + [np.pi / 4] * 5, np.float32)
"""(9,) factors that turn radiance coefficients into those of irradiance (cosine convolution)."""


def sh_basis(directions: F32 | F64) -> F32:
    """Values of the nine basis functions.

    Args:
        directions: (..., 3) unit vectors.
    Returns: (..., 9), in the module's order.
    """
    x, y, z = (np.asarray(directions, np.float64)[..., i] for i in range(3))
    values = [
        np.full_like(x, 0.28209479177387814),
        0.4886025119029199 * y,
        0.4886025119029199 * z,
        0.4886025119029199 * x,
        1.0925484305920792 * x * y,
        1.0925484305920792 * y * z,
        0.31539156525252005 * (3 * z * z - 1),
        1.0925484305920792 * x * z,
        0.5462742152960396 * (x * x - y * y),
    ]
    return np.asarray(np.stack(values, axis=-1), np.float32)


def irradiance_sh(radiance: F32) -> F32:
    """(9, 3) irradiance coefficients from radiance ones; E(n) = sh_basis(n) @ them.

    A white matt surface then shows E / pi.
    """
    return np.asarray(COSINE_LOBE[:, None] * radiance, np.float32)


def equirect_directions(height: int, width: int) -> tuple[F64, F64]:
    """Where the pixels of an equirectangular picture look.

    Row 0 is up (+y); the left edge looks to -z, and rightwards the view turns towards +x.
    Returns: directions (height, width, 3) unit; solid angle of a pixel by row, (height,) sr.
    """
    polar = np.pi * (np.arange(height) + 0.5) / height
    azimuth = 2 * np.pi * (np.arange(width) + 0.5) / width
    sine = np.sin(polar)[:, None]
    directions = np.stack(
        [
            sine * np.sin(azimuth),
            np.broadcast_to(np.cos(polar)[:, None], (height, width)),
            -sine * np.cos(azimuth),
        ],
        axis=-1,
    )
    edges = np.cos(np.pi * np.arange(height + 1) / height)
    return directions, (edges[:-1] - edges[1:]) * 2 * np.pi / width


def project_equirect(radiance: F32) -> F32:
    """(9, 3) coefficients of an equirectangular picture (H, W, 3) of linear radiance."""
    directions, solid_angle = equirect_directions(*radiance.shape[:2])
    weighted = radiance.astype(np.float64) * solid_angle[:, None, None]
    basis = sh_basis(directions)
    return np.asarray(np.einsum("hwk,hwc->kc", basis, weighted), np.float32)
