"""Checkpoints of training, and the weights alone in a small file that others can go on from."""

import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from engine.errors import AssetError
from engine.files import replacing
from engine.training.normal_net import NormalNet
from engine.training.settings import NormalTrainSettings

__all__ = [
    "NORMAL_NETWORK",
    "Kind",
    "Settings",
    "Weights",
    "load_checkpoint",
    "load_into",
    "make_net",
    "read_weights",
    "save_checkpoint",
    "write_weights",
]

Weights = dict[str, Tensor]


class Settings(Protocol):
    """What a network is made by, as JSON values."""

    def to_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """Which network a file belongs to."""

    name: str
    settings_from: Callable[[dict[str, Any]], Any]  # undoes `to_dict`; ValueError, TypeError


NORMAL_NETWORK = Kind("n2fnet normal network", NormalTrainSettings.from_dict)


def make_net(settings: NormalTrainSettings) -> NormalNet:
    """The network that the settings describe, with random weights."""
    s = settings
    return NormalNet(s.size_px, s.widths, s.full_width, s.use_points, s.n_global)


def save_checkpoint(
    path: Path, content: dict[str, Any], settings: Settings, kind: Kind = NORMAL_NETWORK
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        content: "net", "ema", "optimiser", "step", and the fields of `Progress`.
    """
    with replacing(path) as temporary:
        torch.save({**content, "kind": kind.name, "settings": settings.to_dict()}, temporary)


def load_checkpoint(path: Path, kind: Kind = NORMAL_NETWORK) -> dict[str, Any]:
    """What `save_checkpoint` wrote; "settings" as the kind has them.

    Raises: AssetError: if it is missing, damaged or no checkpoint of this network.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if content["kind"] != kind.name:
            raise ValueError(f"kind {content['kind']!r}, expected {kind.name!r}")
        content["settings"] = kind.settings_from(content["settings"])
    except OSError as error:
        raise AssetError(f"checkpoint {path} cannot be read: {error.strerror or error}") from error
    except (
        KeyError,
        TypeError,
        ValueError,
        EOFError,
        RuntimeError,
        pickle.UnpicklingError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AssetError(
            f"{path} is no whole checkpoint of a {_plain(kind)} ({reason}); take another"
        ) from error
    return content


def write_weights(path: Path, weights: Weights, settings: Settings) -> None:
    """Weights alone as NPZ: half precision, but running variances, which may exceed it."""
    arrays = {}
    for name, tensor in weights.items():
        array = tensor.detach().cpu().float().numpy()
        arrays[name] = array if name.endswith("running_var") else array.astype(np.float16)
    arrays["settings"] = np.array(json.dumps(settings.to_dict(), sort_keys=True))
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def read_weights(path: Path, kind: Kind = NORMAL_NETWORK) -> tuple[Weights, Any]:
    """The running mean of weights, from a checkpoint (.pt) or from NPZ, and their settings.

    Raises: AssetError: if the file is missing, damaged or something else.
    """
    if path.suffix != ".npz":
        content = load_checkpoint(path, kind)
        return content["ema"], content["settings"]
    try:
        with np.load(path, allow_pickle=False) as arrays:
            settings = kind.settings_from(json.loads(str(arrays["settings"])))
            names = [name for name in arrays.files if name != "settings"]
            return {n: torch.from_numpy(arrays[n].astype(np.float32)) for n in names}, settings
    except OSError as error:
        raise AssetError(f"weights {path} cannot be read: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise AssetError(f"{path} holds no weights of a {_plain(kind)} ({error})") from error


def load_into(net: nn.Module, weights: Weights, path: Path) -> None:
    """Give a network weights from a file.

    Raises: AssetError: if they belong to a network of other sizes.
    """
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise AssetError(
            f"{path} belongs to a network of other sizes ({str(error).splitlines()[-1].strip()}); "
            "use the settings it was trained with"
        ) from error


def _plain(kind: Kind) -> str:
    return kind.name.removeprefix("n2fnet ")
