"""Vectors in tensors."""

import torch

from engine.training.vectors import cross


def test_cross_products_are_torchs_along_any_axis():
    random = torch.Generator().manual_seed(0)
    for dim in (0, 1, -1):
        shape = [4, 5, 6]
        shape[dim] = 3
        a, b = (torch.randn(shape, generator=random) for _ in range(2))
        assert torch.allclose(cross(a, b, dim), torch.linalg.cross(a, b, dim=dim), atol=1e-6)
