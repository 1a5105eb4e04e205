"""Writes checkpoints of the peers in the layouts of the published files, with weights of ours."""

import contextlib
import sys
import types
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.peers.architectures import random_network

Table = dict[str, Tensor]


def placed_smirk(scale: float = 7.0, seed: int = 0) -> nn.Module:
    """A SMIRK network of random weights whose camera shows a head of usual size."""
    net = random_network("smirk", seed)
    camera = net.pose_encoder.pose_cam_layers[0]
    camera.weight.data *= 0.01
    camera.bias.data = torch.tensor([0.0, 0.0, 0.0, scale, 0.0, 0.0])
    return net


def smirk_table(net: nn.Module) -> Table:
    table = {f"smirk_encoder.{name}": tensor for name, tensor in net.state_dict().items()}
    return table | {"smirk_generator.last.weight": torch.zeros(3, 32, 1, 1)}


def deca_tables(net: nn.Module) -> dict[str, Table]:
    coarse = net.E_flame.state_dict()
    return {
        "E_flame": coarse,
        "E_detail": {"layers.0.bias": torch.zeros(4)},
        "D_detail": {"l1.0.bias": torch.zeros(4)},
    }


class _Settings:
    """Pickled as Lightning's files hold OmegaConf's objects."""

    def __init__(self) -> None:
        self.content = {"lr": 1e-4, "kinds": defaultdict(list, a=[1]), "where": Path("data")}


def lightning(table: Table) -> dict[str, Any]:
    """A Lightning checkpoint: weights among settings, which are objects of another program."""
    settings = _Settings()
    return {"epoch": 3, "state_dict": table, "hyper_parameters": settings, "callbacks": {}}


@contextlib.contextmanager
def foreign_class() -> Iterator[None]:
    """While it lasts, `_Settings` is a class of omegaconf, which is not installed."""
    module = types.ModuleType("omegaconf.dictconfig")
    package = types.ModuleType("omegaconf")
    package.dictconfig = module
    own = _Settings.__module__, _Settings.__qualname__
    _Settings.__module__, _Settings.__qualname__ = "omegaconf.dictconfig", "DictConfig"
    module.DictConfig = _Settings
    sys.modules |= {"omegaconf": package, "omegaconf.dictconfig": module}
    try:
        yield
    finally:
        _Settings.__module__, _Settings.__qualname__ = own
        del sys.modules["omegaconf"], sys.modules["omegaconf.dictconfig"]


def save_lightning(path: Path, table: Table) -> Path:
    with foreign_class():
        torch.save(lightning(table), path)
    return path


class SheapLike(nn.Module):
    """Gives what SHeaP's files give, the same for every picture."""

    def __init__(self, jaw: float, place: tuple[float, float, float]) -> None:
        super().__init__()
        self.register_buffer("jaw", torch.tensor([[jaw, 0.0, 0.0]]))
        self.register_buffer("place", torch.tensor([place]))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        zero = torch.zeros(image.shape[0], 3)
        return {
            "shape_from_facenet": torch.zeros(image.shape[0], 300),
            "expr": torch.zeros(image.shape[0], 100),
            "eyelids": torch.zeros(image.shape[0], 2),
            "torso_pose": zero,
            "neck_pose": zero,
            "jaw_pose": self.jaw,
            "eye_l_pose": zero + 0.1,
            "eye_r_pose": zero - 0.1,
            "cam_trans": self.place,
        }


def save_sheap(path: Path, jaw: float = 0.2, place: tuple[float, float, float] = (0, 0, 0)) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(SheapLike(jaw, place)).save(str(path))
    return path
