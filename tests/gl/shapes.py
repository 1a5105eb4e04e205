"""Small meshes with a known answer, and rotations."""

import numpy as np

from engine.types import F32, F64, I32


def sphere(radius: float, rings: int = 48, sectors: int = 96) -> tuple[F32, I32]:
    """Vertices and outward faces of a sphere round the origin, poles on the y axis."""
    theta = np.linspace(0.0, np.pi, rings + 1)[1:-1, None]
    phi = np.arange(sectors)[None] / sectors * 2.0 * np.pi
    xz = np.sin(theta)
    points = np.stack([xz * np.sin(phi), np.cos(theta) + 0.0 * phi, xz * np.cos(phi)], axis=-1)
    vertices = np.vstack([points.reshape(-1, 3), [[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]])
    index = np.arange((rings - 1) * sectors).reshape(rings - 1, sectors)
    right = np.roll(index, -1, axis=1)
    top, below = index[:-1].reshape(-1), index[1:].reshape(-1)
    top_right, below_right = right[:-1].reshape(-1), right[1:].reshape(-1)
    north, south = len(vertices) - 2, len(vertices) - 1
    faces = np.vstack(
        [
            np.stack([top, below, top_right], axis=1),
            np.stack([top_right, below, below_right], axis=1),
            np.stack([np.full(sectors, north), index[0], right[0]], axis=1),
            np.stack([np.full(sectors, south), right[-1], index[-1]], axis=1),
        ]
    )
    return (radius * vertices).astype(np.float32), faces.astype(np.int32)


def quad(centre: tuple[float, float, float], half: float) -> tuple[F32, I32]:
    """A square that faces +z."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return (half * corners + np.array(centre, np.float32)).astype(np.float32), faces


def rotation(yaw_deg: float, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> F64:
    """(3, 3) about y, then x, then z, seen from the view frame."""
    yaw, pitch, roll = np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    c, s = np.cos, np.sin
    about_y = np.array([[c(yaw), 0, s(yaw)], [0, 1, 0], [-s(yaw), 0, c(yaw)]])
    about_x = np.array([[1, 0, 0], [0, c(pitch), -s(pitch)], [0, s(pitch), c(pitch)]])
    about_z = np.array([[c(roll), -s(roll), 0], [s(roll), c(roll), 0], [0, 0, 1]])
    product: F64 = about_z @ about_x @ about_y
    return product
