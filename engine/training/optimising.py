"""Parts of a training loop: weight decay, the running mean of weights, the learning rate."""

import logging
import math
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from engine.training.launch import Launch

__all__ = ["Learner", "convolutions_in", "decay_groups", "descend", "follow", "learning_rate"]

log = logging.getLogger(__name__)


class Learner(Protocol):
    """What changes with each step of a training."""

    net: Any  # the network that learns
    ema: Any  # the running mean of its weights
    optimiser: Any
    step: int  # those done so far


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


def descend(
    learner: Learner, loss: Tensor, on: Launch, clip_norm: float, ema_decay: float
) -> float:
    """One step of the optimiser; returns the gradient's length before it is clipped.

    A gradient that is not finite is left out. Early on the running mean follows faster.
    """
    learner.optimiser.zero_grad(set_to_none=True)
    on.backward(loss)
    gradient = nn.utils.clip_grad_norm_(learner.net.parameters(), clip_norm)
    if torch.isfinite(gradient):
        learner.optimiser.step()
        n = learner.step
        follow(learner.ema, learner.net, min(ema_decay, (1 + n) / (10 + n)))
    else:
        log.warning("step %d: the gradient is not finite; left out", learner.step)
    return float(gradient)


def convolutions_in(device: torch.device, *, bf16: bool) -> torch.autocast:
    """Where networks are called: in bfloat16 if wanted, unless the CPU would only imitate it.

    Without AVX-512's instructions for it a step takes longer than in float32.
    """
    pays = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=bf16 and pays)


def learning_rate(step: int, steps: int, warmup_steps: int, lr: float, lr_end: float) -> float:
    """Up in a line, down by half a cosine."""
    if step < warmup_steps:
        return lr * (step + 1) / warmup_steps
    share = (step - warmup_steps) / max(1, steps - warmup_steps)
    fall = 0.5 + 0.5 * math.cos(math.pi * min(1.0, share))
    return lr_end + (lr - lr_end) * fall
