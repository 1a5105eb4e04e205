"""The peers' networks ready to be timed, with random weights: speed does not depend on them."""

from collections.abc import Callable
from typing import Final

import torch

from engine.peers.architectures import example_image, random_network

__all__ = ["TIMED", "torch_run"]

TIMED: Final = ("smirk", "deca", "emoca", "mica")
"""Names of `ARCHITECTURES` whose speed is told."""


def torch_run(name: str, threads: int) -> Callable[[], object]:
    """One picture through a network as published: in torch, no graph compiled.

    Sets the threads of torch for the whole process.
    """
    torch.set_num_threads(threads)
    net, image = random_network(name), example_image(name)

    def run() -> object:
        with torch.inference_mode():
            return net(image)

    return run
