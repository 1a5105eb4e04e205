"""SMIRK's encoder: three small networks, for pose and camera, identity, and expression.

Source: Retsinas et al. 2024, "3D facial expressions through analysis-by-neural-synthesis".
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.peers.mobilenetv3 import LARGE, SMALL, MobileNetV3, Plan

__all__ = ["SmirkNet"]

_N_SHAPE, _N_EXPR = 300, 50

_JAW_SIDEWAYS = 0.2  # rad, how far the jaw may turn but for opening


class SmirkNet(nn.Module):
    """(B, 3, 224, 224) RGB 0..1 -> (B, 361): pose 3, camera 3, shape, expression, eyelids 2, jaw 3.

    Eyelids are within 0..1, the jaw only opens, as its training had it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pose_encoder = _Encoder(SMALL, "pose_cam_layers", 6)
        self.shape_encoder = _Encoder(LARGE, "shape_layers", _N_SHAPE)
        self.expression_encoder = _Encoder(LARGE, "expression_layers", _N_EXPR + 2 + 3)

    def forward(self, image: Tensor) -> Tensor:
        expression = self.expression_encoder(image)
        eyelids = expression[:, _N_EXPR : _N_EXPR + 2].clamp(0.0, 1.0)
        opening = functional.relu(expression[:, _N_EXPR + 2 : _N_EXPR + 3])
        sideways = expression[:, _N_EXPR + 3 :].clamp(-_JAW_SIDEWAYS, _JAW_SIDEWAYS)
        parts = [self.pose_encoder(image), self.shape_encoder(image), expression[:, :_N_EXPR]]
        return torch.cat([*parts, eyelids, opening, sideways], 1)


class _Encoder(nn.Module):
    """A backbone and one linear layer, which the files call by a name of its own."""

    def __init__(self, plan: Plan, head: str, n_out: int) -> None:
        super().__init__()
        self.encoder = MobileNetV3(plan)
        self._head = head
        setattr(self, head, nn.Sequential(nn.Linear(plan.n_features, n_out)))

    def forward(self, image: Tensor) -> Tensor:
        return getattr(self, self._head)(self.encoder(image))
