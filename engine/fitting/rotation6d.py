"""Rotations as six numbers: the first two ROWS of the matrix, one after the other.

The only place where this is written. Pixel3DMM and PyTorch3D take rows as well; Zhou et al. write
columns: their six numbers are those of the transposed matrix.
Source: Zhou et al. 2019, "On the Continuity of Rotation Representations in Neural Networks".
"""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["geodesic", "matrix_from_6d", "rotation_vector", "six_from_matrix"]


def matrix_from_6d(six: Tensor) -> Tensor:
    """(..., 6) -> (..., 3, 3) by Gram-Schmidt: the first row keeps its direction."""
    first = functional.normalize(six[..., :3], dim=-1)
    second = six[..., 3:] - (first * six[..., 3:]).sum(-1, keepdim=True) * first
    second = functional.normalize(second, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-2)


def six_from_matrix(R: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 6)."""
    return R[..., :2, :].flatten(-2)


def geodesic(A: Tensor, B: Tensor) -> Tensor:
    """Angle, radians, between rotations (..., 3, 3); its gradient is finite everywhere."""
    R = A.transpose(-1, -2) @ B
    sine = (_skew_part(R).square().sum(-1) + 1e-12).sqrt()
    return torch.atan2(sine, (R.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2)


def rotation_vector(A: Tensor, B: Tensor) -> Tensor:
    """(..., 3) radians: B = A exp(vector), for rotations less than half a turn apart."""
    axis = _skew_part(A.transpose(-1, -2) @ B)
    sine = (axis.square().sum(-1, keepdim=True) + 1e-12).sqrt()
    return axis / sine * geodesic(A, B)[..., None]


def _skew_part(R: Tensor) -> Tensor:
    """(..., 3) the axis times the sine of the angle."""
    parts = [R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]]
    return torch.stack(parts, -1) / 2
