"""MediaPipe's points as pictures: a coarse map of correspondence, direction and depth.

Each point carries a learned code, the normal of MediaPipe's mesh and its depth. They are spread
over a grid with Gaussians, which needs one matrix product and no rasteriser.
"""

import torch
from torch import Tensor, nn

from engine.stages.mediapipe_mesh import N_SURFACE, mesh_triangles, triangles_at
from engine.types import N_MEDIAPIPE

__all__ = ["PointMap", "mesh_normals"]

_CODE = 12
_SIGMA = 0.9  # grid cells: MediaPipe's points lie about one cell apart on a face in its crop
_LEAST_EXPONENT = -30.0
_FACING = 8.0  # how sharply points on the far side are left out


def mesh_normals(points: Tensor, triangles: Tensor, around: Tensor) -> Tensor:
    """Unit normals of MediaPipe's mesh.

    Args:
        points: (B, 478, 3) crop coordinates: x right, y down, z to the viewer, one scale.
        triangles: (898, 3) points; around: (468, k) triangles at each point, padded with 898.
    Returns: (B, 468, 3) x right, y UP, z to the viewer: the crop-view frame, as far as the points
        are a weak perspective.
    """
    upright = points * points.new_tensor([1.0, -1.0, 1.0])
    a, b, c = (upright[:, triangles[:, k]] for k in range(3))
    e, f = b - a, c - a
    cross = e[..., [1, 2, 0]] * f[..., [2, 0, 1]] - e[..., [2, 0, 1]] * f[..., [1, 2, 0]]
    padded = torch.cat([cross, torch.zeros_like(cross[:, :1])], dim=1)
    total = padded[:, around].sum(dim=2)
    return total / (total.square().sum(-1, keepdim=True) + 1e-16).sqrt()


def _exponent(distance: Tensor) -> Tensor:
    """Of a Gaussian, cut off where products of two would be denormal: CPUs take long for these."""
    return (-0.5 * distance.square()).clamp_min(_LEAST_EXPONENT)


class PointMap(nn.Module):
    """(B, 478, 3) points, in crop sizes -> (B, 19, G, G) map.

    Channels: code 12, mesh normal 3, depth 1, density 1, right iris, left iris.
    """

    channels = _CODE + 3 + 1 + 1 + 2
    triangles: Tensor
    around: Tensor
    cells: Tensor

    def __init__(self, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.code = nn.Parameter(0.5 * torch.randn(N_SURFACE, _CODE))
        self.register_buffer("triangles", torch.from_numpy(mesh_triangles()).long(), False)
        self.register_buffer("around", torch.from_numpy(triangles_at()).long(), False)
        self.register_buffer("cells", (torch.arange(grid) + 0.5) / grid, False)

    def forward(self, points: Tensor) -> Tensor:
        """The map; points as `(px + 0.5) / S`, z in the same scale."""
        normals = mesh_normals(points, self.triangles, self.around)
        surface = points[:, :N_SURFACE]
        middle = surface.mean(dim=1, keepdim=True)
        size = (surface[..., :2] - middle[..., :2]).square().mean(dim=(1, 2), keepdim=True).sqrt()
        depth = (surface[..., 2:] - middle[..., 2:]) / (size + 1e-4)
        weight = torch.sigmoid(_FACING * normals[..., 2:])
        code = self.code.expand(len(points), -1, -1)
        carried = torch.cat([code, normals, depth, torch.ones_like(depth)], dim=-1)
        gx, gy = self._gaussians(points)
        spread = self._spread(gx[:, :N_SURFACE] * weight, gy[:, :N_SURFACE], carried)
        density = spread[:, -1:]
        irises = [
            self._spread(gx[:, first : first + 5], gy[:, first : first + 5], None)
            for first in range(N_SURFACE, N_MEDIAPIPE, 5)
        ]
        return torch.cat([spread[:, :-1] / (density + 0.05), density / (density + 1), *irises], 1)

    def _gaussians(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 478, G) each: the share that a point gives every column and row."""
        scale = self.grid / _SIGMA
        x, y = ((points[..., k, None] - self.cells) * scale for k in range(2))
        return torch.exp(_exponent(x)), torch.exp(_exponent(y))

    def _spread(self, gx: Tensor, gy: Tensor, carried: Tensor | None) -> Tensor:
        """(B, C, G, G) sums over the points; without values, of the points alone."""
        if carried is None:
            return (gy.transpose(1, 2) @ gx)[:, None]
        # As (B, C, G, N): the product's long axis stays in one piece of memory.
        rows = carried.transpose(1, 2)[:, :, None] * gy.transpose(1, 2)[:, None]
        return (rows.flatten(1, 2) @ gx).unflatten(1, (carried.shape[-1], self.grid))
