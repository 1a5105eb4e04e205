"""MICA: a face recogniser and a small network from identity to FLAME's shape.

Source: Zielonka et al. 2022, "Towards metrical reconstruction of human faces".
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from engine.peers.iresnet import N_IDENTITY, IResNet100

__all__ = ["MicaNet"]

_N_SHAPE = 300

_WIDTH = 300
_N_LAYERS = 4
_SLOPE = 0.2  # of the leaky ReLU


class MicaNet(nn.Module):
    """(B, 3, 112, 112) RGB -1..1 -> (B, 300) shape of the neutral head."""

    def __init__(self) -> None:
        super().__init__()
        self.arcface = IResNet100()
        self.regressor = _Mapping()

    def forward(self, image: Tensor) -> Tensor:
        return self.regressor(functional.normalize(self.arcface(image)))


class _Mapping(nn.Module):
    """(B, 512) unit identities -> (B, 300) shape."""

    def __init__(self) -> None:
        super().__init__()
        widths = [N_IDENTITY, *[_WIDTH] * _N_LAYERS]
        self.network = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.output = nn.Linear(_WIDTH, _N_SHAPE)

    def forward(self, identity: Tensor) -> Tensor:
        for layer in self.network:
            identity = functional.leaky_relu(layer(identity), _SLOPE)
        return self.output(identity)
