"""Reads checkpoints as users have them, without running anything that they hold.

PyTorch's own restricted reader does the work. What Lightning's files hold besides weights (settings
as OmegaConf objects and the like) is answered by inert stand-ins: none of it is imported.
"""

import json
import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from engine.errors import AssetError, ProviderError
from engine.files import replacing

__all__ = ["Tensors", "checkpoint_file", "is_torchscript", "read_tensors", "write_safetensors"]

Tensors = dict[str, Tensor]

_PACKAGES = frozenset(
    [
        *("omegaconf", "pytorch_lightning", "lightning", "lightning_fabric", "gdl", "yacs"),
        *("argparse", "collections", "enum", "numpy", "pathlib", "torch", "typing"),
        *("_codecs", "copyreg"),
    ]
)
"""What training programs leave names of in their files."""
_BUILTINS = frozenset(
    f"{module}.{name}"
    for module in ("builtins", "__builtin__")
    for name in ("bool", "bytes", "dict", "float", "int", "list", "object", "set", "str", "tuple")
)
_MAX_NESTING = 8


def checkpoint_file(path: Path) -> Path:
    """The file that is meant by a path; of a folder of EMOCA's, the best of its checkpoints.

    That is the one whose name ends in the least loss, as EMOCA's own program has it.
    Raises: AssetError: if there is none.
    """
    if not path.is_dir():
        if not path.is_file():
            raise AssetError(f"checkpoint {path} does not exist; check --checkpoint")
        return path
    for folder in ("detail/checkpoints", "coarse/checkpoints", "."):
        losses = {file: _loss_in_name(file) for file in (path / folder).glob("*.ckpt")}
        if known := {file: loss for file, loss in losses.items() if loss is not None}:
            least = min(known.values())
            return max(file for file, loss in known.items() if loss == least)
    raise AssetError(
        f"{path} is a folder without checkpoints; expected detail/checkpoints/*=LOSS.ckpt in it"
    )


def _loss_in_name(file: Path) -> float | None:
    """What stands after the last "=" of a name; None where that is no number."""
    try:
        return float(file.stem.rpartition("=")[2]) if "=" in file.stem else None
    except ValueError:
        return None


def read_tensors(path: Path) -> tuple[Tensors, dict[str, str]]:
    """All tensors of a file, by the names of its nested tables joined with dots.

    Args:
        path: of a file that is there: .safetensors, or PyTorch's of any age and name.
    Returns: the tensors, on the CPU, and the metadata of a .safetensors file.
    Raises: AssetError: if it is damaged, TorchScript, or asks for more than weights need.
    """
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if _holds_files(path):
        raise AssetError(f"{path} is an archive of files; unpack it and give the folder in it")
    if is_torchscript(path):
        raise AssetError(
            f"{path} is TorchScript, which brings its own code (SHeaP's files are); of the other "
            "networks give the file with weights alone"
        )
    return dict(_flat(_load(path))), {}


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive; a look at its table of contents, no more."""
    return any(name.endswith("/constants.pkl") for name in _contents(path))


def _holds_files(path: Path) -> bool:
    """Whether it is a zip, but none of PyTorch's."""
    names = _contents(path)
    return bool(names) and not any(name.endswith("/data.pkl") for name in names)


def _contents(path: Path) -> list[str]:
    """Names in a zip; empty where it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return []


def write_safetensors(path: Path, tensors: Tensors, metadata: Mapping[str, str]) -> None:
    """Raises: ProviderError: without safetensors. OutputError: if it cannot be written."""
    try:
        from safetensors.torch import save_file
    except ImportError as error:
        raise ProviderError(f"{error.name} is missing; install n2fnet[train]") from error
    with replacing(path) as temporary:
        save_file(
            {name: tensor.contiguous().clone() for name, tensor in tensors.items()},
            temporary,
            metadata=dict(metadata),
        )


def _read_safetensors(path: Path) -> tuple[Tensors, dict[str, str]]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ProviderError(f"{error.name} is missing; install n2fnet[train]") from error
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, dict(file.metadata() or {})
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise AssetError(f"{path} is no whole .safetensors file ({error}); take another") from error


def _load(path: Path) -> object:
    """What a PyTorch file holds; objects of other programs are stand-ins."""
    zipped = zipfile.is_zipfile(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on old formats
            names = get_unsafe_globals_in_checkpoint(str(path)) if zipped else []
            with safe_globals([_stand_in(name, path) for name in names]):
                return torch.load(str(path), "cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as error:
        raise AssetError(
            f"{path} was refused, and nothing in it was run: {_first_line(error)}. "
            "It asks for more than weights need; take the file from where its authors put it"
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise AssetError(
            f"{path} is no whole PyTorch file ({_first_line(error)}); download it again"
        ) from error


def _stand_in(name: str, path: Path) -> tuple[type, str]:
    """A class that does nothing, in the place of a global that a file names.

    Raises: AssetError: if it is a global that no training program leaves in its files.
    """
    if name.partition(".")[0] not in _PACKAGES and name not in _BUILTINS:
        shown = ascii(name[:200])[1:-1]
        raise AssetError(
            f"{path} was refused, and nothing in it was run: it asks for {shown}, which no "
            "checkpoint needs; take the file from where its authors put it"
        )
    return type("StandIn", (_StandIn,), {"as_table": name == "collections.defaultdict"}), name


class _StandIn:
    """Takes whatever a pickle gives it, and keeps nothing."""

    as_table = False

    def __new__(cls, *args: object, **named: object) -> Any:  # noqa: ANN401
        # The restricted reader fills no other tables than plain ones.
        return {} if cls.as_table else super().__new__(cls)

    def __init__(self, *args: object, **named: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def _flat(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """All tensors in nested tables."""
    if isinstance(value, Tensor):
        yield name, value.detach()
    elif isinstance(value, Mapping) and depth < _MAX_NESTING:
        for key, item in value.items():
            if isinstance(key, str | int):
                yield from _flat(item, f"{name}.{key}" if name else str(key), depth + 1)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
