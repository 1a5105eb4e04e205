"""Which parts of the sky each vertex of a head sees: occlusion and soft shadows without rays.

Measured once for a neutral head by drawing it from all sides; expressions change it little.
"""

from dataclasses import dataclass

import moderngl
import numpy as np

from engine.flame.normals import vertex_normals
from engine.render.renderer import MeshRenderer
from engine.synth.spherical_harmonics import sh_basis
from engine.types import F32, F64, I32, Camera

__all__ = ["HeadVisibility", "fibonacci_sphere", "measure_visibility", "with_rows_of"]

N_DIRECTIONS = 128
_MAP_PX = 320
_DISTANCE, _HALF_WIDTH = 6.0, 0.21  # metres: nearly parallel rays, all of the head in the picture
_BIAS = 0.0025  # metres: nearer than this to what is seen counts as seen
_LOBE = 40.0  # sharpness of a lamp's soft shadow: lamps look about 25 degrees wide


def fibonacci_sphere(n: int) -> F64:
    """(n, 3) unit vectors spread evenly."""
    at = np.arange(n) + 0.5
    y = 1 - 2 * at / n
    turn = np.pi * (1 + np.sqrt(5)) * at
    radius = np.sqrt(1 - y * y)
    return np.stack([radius * np.cos(turn), y, radius * np.sin(turn)], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class HeadVisibility:
    """What V vertices see of D directions, and what follows from it for light from all around."""

    directions: F32  # (D, 3) head frame
    visible: F32  # (D, V) 0 or 1
    open_transfer: F32  # (V, 9) radiance coefficients -> irradiance without occlusion
    transfer: F32  # (V, 9) the same with it

    def lamp_shadow(self, direction: F32) -> F32:
        """(V,) 0..1 of a lamp's light that arrives; direction (3,) towards it, head frame."""
        weights = np.exp(_LOBE * (self.directions @ direction - 1))
        shadow: F32 = (weights / weights.sum()).astype(np.float32) @ self.visible
        return shadow

    def occlusion(self, sh: F32) -> F32:
        """(V, 3) share of the irradiance that arrives under light (9, 3), head frame."""
        floor = 0.05 * float(np.abs(sh[0]).max()) + 1e-6
        full = np.maximum(self.open_transfer @ sh, floor)
        share: F32 = np.clip(np.maximum(self.transfer @ sh, 0) / full, 0, 1.2)
        return share


def measure_visibility(
    ctx: moderngl.Context, vertices: F32, faces: I32, n_directions: int = N_DIRECTIONS
) -> HeadVisibility:
    """Draw a head, (V, 3) metres, head frame, from all directions and see which vertices show."""
    directions = fibonacci_sphere(n_directions)
    normals = vertex_normals(vertices, faces)
    middle = vertices.mean(axis=0).astype(np.float64)
    visible = np.zeros((n_directions, len(vertices)), np.float32)
    focal = _MAP_PX / 2 / _HALF_WIDTH * _DISTANCE
    centre = (_MAP_PX - 1) / 2
    K = np.array([[focal, 0, centre], [0, focal, centre], [0, 0, 1.0]])
    camera = Camera(K=K, width=_MAP_PX, height=_MAP_PX)
    renderer = MeshRenderer(ctx, faces, samples=0)
    for row, direction in enumerate(directions):
        R = _looking_from(direction)
        t = -R @ middle - [0, 0, _DISTANCE]
        depth = renderer.render_maps(camera, vertices, R, t).depth
        placed = vertices @ R.T + t
        x = np.rint(centre + focal * placed[:, 0] / -placed[:, 2]).astype(int)
        y = np.rint(centre - focal * placed[:, 1] / -placed[:, 2]).astype(int)
        seen = depth[np.clip(y, 0, _MAP_PX - 1), np.clip(x, 0, _MAP_PX - 1)]
        visible[row] = (-placed[:, 2] < seen + _BIAS) | (seen == 0)
    renderer.release()
    cosine = np.maximum(directions @ normals.T, 0)
    basis = sh_basis(directions)
    scale = 4 * np.pi / n_directions / np.pi  # over pi: albedo 1 gives back the radiance
    return HeadVisibility(
        directions=directions.astype(np.float32),
        visible=visible,
        open_transfer=(scale * cosine.T @ basis).astype(np.float32),
        transfer=(scale * (cosine * visible).T @ basis).astype(np.float32),
    )


def with_rows_of(base: HeadVisibility, other: HeadVisibility, rows: I32) -> HeadVisibility:
    """base, but for some vertices, (N,) indices, what they see in another pose."""
    visible, open_transfer, transfer = (
        a.copy() for a in (base.visible, base.open_transfer, base.transfer)
    )
    visible[:, rows] = other.visible[:, rows]
    open_transfer[rows], transfer[rows] = other.open_transfer[rows], other.transfer[rows]
    return HeadVisibility(base.directions, visible, open_transfer, transfer)


def _looking_from(direction: F64) -> F64:
    """(3, 3) view from head for a camera in that direction."""
    z = direction
    up = np.array([0.0, 1.0, 0.0]) if abs(z[1]) < 0.99 else np.array([0.0, 0.0, 1.0])
    x = np.cross(up, z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])
