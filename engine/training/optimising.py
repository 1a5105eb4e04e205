"""Parts of a training loop: weight decay, the running mean of weights, the learning rate."""

import math
from typing import Any

import torch
from torch import nn

__all__ = ["decay_groups", "follow", "learning_rate"]


def decay_groups(net: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weight decay pulls at matrices and kernels, not at biases and norms."""
    big = [p for p in net.parameters() if p.ndim > 1]
    small = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": big, "weight_decay": decay}, {"params": small, "weight_decay": 0.0}]


@torch.no_grad()
def follow(ema: nn.Module, net: nn.Module, decay: float) -> None:
    """Move the running mean of weights, and of the norms' statistics, towards the network's."""
    means, values = ema.state_dict(), net.state_dict()
    floats = [name for name, value in values.items() if value.is_floating_point()]
    torch._foreach_lerp_([means[n] for n in floats], [values[n] for n in floats], 1 - decay)


def learning_rate(step: int, steps: int, warmup_steps: int, lr: float, lr_end: float) -> float:
    """Up in a line, down by half a cosine."""
    if step < warmup_steps:
        return lr * (step + 1) / warmup_steps
    share = (step - warmup_steps) / max(1, steps - warmup_steps)
    fall = 0.5 + 0.5 * math.cos(math.pi * min(1.0, share))
    return lr_end + (lr - lr_end) * fall
