"""DECA's coarse encoder, and EMOCA's, which adds a second network for expression and jaw.

Sources: Feng et al. 2021, "Learning an animatable detailed 3D face model from in-the-wild images";
Danecek et al. 2022, "EMOCA: Emotion driven monocular face capture and animation".
"""

import torch
from torch import Tensor, nn

from engine.peers.resnet50 import N_FEATURES, ResNetRegressor

__all__ = ["DecaNet", "EmocaNet", "EmocaTwoHeadsNet"]

_N_EXPR = 50
_N_CODES = 236  # shape, texture, expression, pose 6 (global, jaw), camera 3, light 27
_EXPR = slice(150, 200)
_JAW = slice(203, 206)


class DecaNet(nn.Module):
    """(B, 3, 224, 224) RGB 0..1 -> (B, 236): shape, texture, expression, pose, camera, light."""

    def __init__(self) -> None:
        super().__init__()
        self.E_flame = ResNetRegressor(_N_CODES)

    def forward(self, image: Tensor) -> Tensor:
        return self.E_flame(image)


class EmocaNet(nn.Module):
    """As DecaNet, with expression and jaw of a second network of the same kind."""

    def __init__(self) -> None:
        super().__init__()
        self.E_flame = ResNetRegressor(_N_CODES)
        self.E_expression = ResNetRegressor(_N_EXPR + 3)

    def forward(self, image: Tensor) -> Tensor:
        return _with_expression(self.E_flame(image), self.E_expression(image))


class EmocaTwoHeadsNet(nn.Module):
    """As EmocaNet, where both share a backbone: EMOCA's variant with parallel heads."""

    def __init__(self) -> None:
        super().__init__()
        self.E_flame = ResNetRegressor(_N_CODES)
        self.E_expression = nn.Module()
        self.E_expression.layers = nn.Sequential(
            nn.Linear(N_FEATURES, 1024), nn.ReLU(), nn.Linear(1024, _N_EXPR + 3)
        )

    def forward(self, image: Tensor) -> Tensor:
        features = self.E_flame.encoder(image)
        return _with_expression(self.E_flame.layers(features), self.E_expression.layers(features))


def _with_expression(codes: Tensor, expression: Tensor) -> Tensor:
    """(B, 236) of DECA, (B, 53) expression and jaw -> (B, 236)."""
    before, between, after = (
        codes[:, : _EXPR.start],
        codes[:, _EXPR.stop : _JAW.start],
        codes[:, _JAW.stop :],
    )
    expr, jaw = expression[:, :_N_EXPR], expression[:, _N_EXPR:]
    return torch.cat([before, expr, between, jaw, after], 1)
