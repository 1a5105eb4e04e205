"""The peers' networks by name: how to make one, what it takes, and what it gives.

All take a picture and give one row of codes, so that they run alike in torch and as ONNX graphs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from engine.peers.deca_net import DecaNet, EmocaNet, EmocaTwoHeadsNet
from engine.peers.mica_net import MicaNet
from engine.peers.smirk_net import SmirkNet

__all__ = ["ARCHITECTURES", "Architecture", "example_image", "random_network"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """One network."""

    name: str
    make: Callable[[], nn.Module]
    size_px: int  # of the square picture it takes
    low: float  # the picture's values are low..1, RGB, channels first
    parts: tuple[tuple[str, int], ...]  # of the codes it gives: name and length, in order

    @property
    def n_codes(self) -> int:
        """Length of the row of codes."""
        return sum(length for _, length in self.parts)


_DECA_PARTS = (
    ("shape", 100),
    ("texture", 50),
    ("expr", 50),
    ("root", 3),
    ("jaw", 3),
    ("camera", 3),
    ("light", 27),
)
_SMIRK_PARTS = (
    ("root", 3),
    ("camera", 3),
    ("shape", 300),
    ("expr", 50),
    ("eyelids", 2),
    ("jaw", 3),
)

ARCHITECTURES: Final = {
    a.name: a
    for a in (
        Architecture("deca", DecaNet, 224, 0.0, _DECA_PARTS),
        Architecture("emoca", EmocaNet, 224, 0.0, _DECA_PARTS),
        Architecture("emoca-two-heads", EmocaTwoHeadsNet, 224, 0.0, _DECA_PARTS),
        Architecture("smirk", SmirkNet, 224, 0.0, _SMIRK_PARTS),
        Architecture("mica", MicaNet, 112, -1.0, (("shape", 300),)),
    )
}
"""By name. SHeaP is not among them: its file brings its own code (TorchScript)."""


def random_network(name: str, seed: int = 0) -> nn.Module:
    """A network with random weights, in evaluation mode: for speed and for tests alone.

    Raises: KeyError: if there is none of that name.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ARCHITECTURES[name].make().eval()


def example_image(name: str, seed: int = 0) -> Tensor:
    """(1, 3, S, S) noise in the range that a network takes."""
    kind = ARCHITECTURES[name]
    noise = torch.rand(
        1, 3, kind.size_px, kind.size_px, generator=torch.Generator().manual_seed(seed)
    )
    return kind.low + (1.0 - kind.low) * noise
