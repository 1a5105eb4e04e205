"""Where torch computes."""

import torch

__all__ = ["best_device"]


def best_device() -> str:
    """The graphics card, where torch has one; for `FitSettings.device`."""
    return "cuda" if torch.cuda.is_available() else "cpu"
