"""Where torch computes best on this machine."""

import torch

__all__ = ["best_device"]


def best_device() -> str:
    """Torch's name of the first graphics card that it can use, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"
