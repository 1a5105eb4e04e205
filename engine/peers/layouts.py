"""Which tensors of a checkpoint belong where in a network, and which are of no use here."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from engine.errors import AssetError
from engine.peers.architectures import ARCHITECTURES
from engine.peers.checkpoint import Tensors, checkpoint_file, read_tensors

__all__ = ["METADATA", "Loaded", "load_network", "matched", "recognise"]

METADATA = "n2fnet_peer"
"""Of a converted file: the architecture that its names are of."""

_LEADS = ("", "deca.", "state_dict.deca.")
"""What stands before DECA's and EMOCA's names in files of DECA's and of EMOCA's programs."""

_PREFIXES = {
    # Of the file, and of the network.
    "deca": {f"{lead}E_flame.": "E_flame." for lead in _LEADS},
    "emoca": {f"{lead}{part}": part for lead in _LEADS for part in ("E_flame.", "E_expression.")},
    "smirk": {
        f"{lead}{part}_encoder.": f"{part}_encoder."
        for lead in ("", "smirk_encoder.")
        for part in ("pose", "shape", "expression")
    },
    "mica": {"arcface.": "arcface.", "flameModel.regressor.": "regressor."},
}
_PREFIXES["emoca-two-heads"] = _PREFIXES["emoca"]

_COPIES = "E_expression.resnet."
"""Where files of two heads hold the backbone that these share, a second time."""

_MARKS = {  # how names begin that tell an architecture, most telling first
    "emoca-two-heads": _COPIES,
    "emoca": "E_expression.encoder.",
    "deca": "E_flame.encoder.",
    "smirk": "expression_encoder.encoder.",
    "mica": "regressor.network.",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network with the weights of a file."""

    architecture: str
    net: nn.Module  # in evaluation mode
    n_used: int  # tensors of the file
    unused: tuple[tuple[str, int], ...]  # groups of the file's other tensors, and how many each has


def load_network(path: Path, names: Iterable[str]) -> Loaded:
    """The network of a checkpoint.

    Args:
        path: as its authors gave it (of EMOCA's, the folder too), or converted to .safetensors.
        names: the architectures it may be of.
    Raises: AssetError: if it cannot be read, is of something else, or of other sizes.
        ProviderError: if safetensors is missing.
    """
    allowed, path = tuple(names), checkpoint_file(path)
    tensors, metadata = read_tensors(path)
    name = metadata.get(METADATA) or recognise(tensors)
    if name not in allowed:
        raise AssetError(
            f"{path} holds {_seen(name, tensors)}; expected {_wanted(allowed[0])}; "
            "see n2f peers list for the right file"
        )
    weights, unused = (tensors, ()) if METADATA in metadata else matched(name, tensors)
    net = ARCHITECTURES[name].make()
    _fill(net, weights, path, name)
    return Loaded(name, net.eval(), len(weights), unused)


def recognise(tensors: Tensors) -> str:
    """The architecture that a file's names tell of; empty if none."""
    for name, mark in _MARKS.items():
        if any((_renamed(name, key) or "").startswith(mark) for key in tensors):
            return name
    return ""


def matched(name: str, tensors: Tensors) -> tuple[Tensors, tuple[tuple[str, int], ...]]:
    """The tensors of an architecture by the network's names, and the groups of all others."""
    used: Tensors = {}
    others: Counter[str] = Counter()
    for key, tensor in tensors.items():
        own = _renamed(name, key)
        if own is None or own.startswith(_COPIES):
            others[_group(key, apart=_PREFIXES[name])] += 1
        else:
            used[own] = tensor
    return used, tuple(sorted(others.items()))


def _renamed(name: str, key: str) -> str | None:
    """What a network calls a tensor of a file; None if it is none of its."""
    for theirs, own in _PREFIXES[name].items():
        if key.startswith(theirs):
            return own + key.removeprefix(theirs)
    return None


def _group(key: str, apart: Iterable[str] = ()) -> str:
    """The part of a file that a tensor lies in; one level deeper where another level is `apart`."""
    parts = key.split(".")
    depth = 3 if parts[:2] == ["state_dict", "deca"] else 1
    group = ".".join(parts[:depth])
    deeper = any(prefix.startswith(f"{group}.") for prefix in apart)
    return ".".join(parts[: depth + 1]) if deeper else group


def _fill(net: nn.Module, weights: Tensors, path: Path, name: str) -> None:
    wanted = net.state_dict()
    missing = [k for k in wanted if k not in weights and not k.endswith("num_batches_tracked")]
    foreign = [k for k in weights if k not in wanted]
    sizes = [
        f"{k} is {tuple(weights[k].shape)}, expected {tuple(wanted[k].shape)}"
        for k in wanted
        if k in weights and weights[k].shape != wanted[k].shape
    ]
    problems = [
        *([f"{len(missing)} tensors are missing, e.g. {missing[0]}"] if missing else []),
        *([f"{len(foreign)} have no place, e.g. {foreign[0]}"] if foreign else []),
        *sizes[:1],
    ]
    if problems:
        raise AssetError(
            f"{path} does not fit {_wanted(name)}: {'; '.join(problems)}. "
            "See n2f peers list for the right file"
        )
    net.load_state_dict({k: t.to(wanted[k].dtype) for k, t in weights.items()}, strict=False)


def _wanted(name: str) -> str:
    prefixes = dict.fromkeys(_PREFIXES[name].values())
    with torch.device("meta"):  # names and sizes alone
        n = len(ARCHITECTURES[name].make().state_dict())
    return f"{n} tensors of {name} ({', '.join(f'{p}*' for p in prefixes)})"


def _seen(name: str, tensors: Tensors) -> str:
    groups = Counter(_group(key) for key in tensors)
    shown = ", ".join(f"{group}.* ({n})" for group, n in groups.most_common(4)) or "no tensors"
    return f"a network of {name}" if name else shown
