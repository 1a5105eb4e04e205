"""PointCode: what MediaPipe's points say of a head, as few numbers of order 1.

The points are turned and scaled onto MediaPipe's canonical face; what is left, in the directions in
which training samples differ most, tells shape and expression, and the turn itself the pose.
"""

import numpy as np
import torch
from torch import Tensor, nn

from engine.stages.mediapipe_mesh import N_SURFACE, canonical_vertices

__all__ = ["PointCode", "points_present"]

_POLAR_STEPS = 14
_MOST = 6.0  # standard deviations


def points_present(points: Tensor) -> Tensor:
    """(B,) 1 or 0: whether there are points (B, 478, 3); zeros stand for none."""
    return (points.abs().amax(dim=(1, 2)) > 0).float()


class PointCode(nn.Module):
    """(B, 478, 3) points, in crop sizes -> (B, n_codes + 12), of order 1; finite without points.

    Codes, then the turn (3 x 3, crop-view frame from head frame as far as the points are a weak
    perspective), place (x, y) and log size in the crop.
    """

    canonical: Tensor
    middle: Tensor
    basis: Tensor

    def __init__(self, n_codes: int) -> None:
        super().__init__()
        face = canonical_vertices()
        face = face - face.mean(axis=0)
        face = face / np.sqrt((face**2).sum(axis=1).mean())
        self.n_out = n_codes + 12
        self.register_buffer("canonical", torch.from_numpy(face).float(), persistent=False)
        self.register_buffer("middle", torch.zeros(3 * N_SURFACE))
        self.register_buffer("basis", torch.zeros(n_codes, 3 * N_SURFACE))

    @torch.no_grad()
    def learn_basis(self, points: Tensor) -> None:
        """Directions of the largest differences between samples (N, 478, 3), each scaled to 1.

        Raises: ValueError: if fewer samples than codes have points.
        """
        points = points[points_present(points) > 0]
        if len(points) <= len(self.basis):
            raise ValueError(
                f"{len(points)} samples with points, expected more than {len(self.basis)}"
            )
        left_over = self._aligned(points)[0].double()
        self.middle.copy_(left_over.mean(dim=0))
        _, lengths, directions = torch.linalg.svd(left_over - self.middle, full_matrices=False)
        n = len(self.basis)
        std = lengths[:n, None] / len(points) ** 0.5
        self.basis.copy_(directions[:n] / std.clamp_min(1e-6))

    def forward(self, points: Tensor) -> Tensor:
        left_over, turn, place = self._aligned(points)
        codes = ((left_over - self.middle) @ self.basis.T).clamp(-_MOST, _MOST)
        return torch.cat([codes, 2 * turn.flatten(1), place], dim=1)

    def _aligned(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is left (B, 1404), turn (B, 3, 3), place and size (B, 3)."""
        surface = points[:, :N_SURFACE]
        centre = surface.mean(dim=1, keepdim=True)
        upright = (surface - centre) * points.new_tensor([1.0, -1.0, 1.0])
        size = (upright.square().sum(dim=(1, 2), keepdim=True) / N_SURFACE).sqrt().clamp_min(1e-4)
        unit = upright / size
        turn = _nearest_rotation(unit.transpose(1, 2) @ self.canonical / N_SURFACE)
        left_over = (unit @ turn - self.canonical).flatten(1)
        place = [20 * (centre[:, 0, :2] - 0.5), 16 * (size[:, 0].log() + 1.44)]
        return left_over, turn, torch.cat(place, dim=1)


def _nearest_rotation(matrices: Tensor) -> Tensor:
    """The orthogonal factors of (B, 3, 3), by Newton's iteration: graphs have no decomposition."""
    # Not by adding something small, which the exporter takes for nothing.
    x = matrices / matrices.square().sum(dim=(1, 2), keepdim=True).sqrt().clamp_min(1e-6)
    for _ in range(_POLAR_STEPS):
        x = 1.5 * x - 0.5 * x @ (x.transpose(1, 2) @ x)
    return x
