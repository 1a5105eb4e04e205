"""What a Lightning checkpoint may name, and the plain nodes that stand for torch's tensors.

The weights themselves lie beside the pickle, in the same archive: a tensor here only says where.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.flame.pickle_nodes import ARRAYS, Global, Node, Vocabulary

__all__ = ["LIGHTNING", "PickledTensor", "Storage", "plain_settings"]

_MAX_AXES = 8
_MAX_NESTING = 16
_MAX_SETTINGS = 10_000  # theirs are some hundred

_STORAGES = {
    "torch.FloatStorage": "<f4",
    "torch.DoubleStorage": "<f8",
    "torch.HalfStorage": "<f2",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "|i1",
    "torch.ByteStorage": "|u1",
    "torch.BoolStorage": "|b1",
}
_OMEGACONF = frozenset(
    [
        "omegaconf.dictconfig.DictConfig",
        "omegaconf.listconfig.ListConfig",
        "omegaconf.base.Metadata",
        "omegaconf.base.ContainerMetadata",
        *(
            f"omegaconf.nodes.{kind}Node"
            for kind in ("Any", "String", "Integer", "Float", "Boolean", "Bytes", "Path", "Enum")
        ),
    ]
)
_NAMES = frozenset(
    [
        *("typing.Any", "typing.Dict", "typing.List", "typing.Union", "typing.Optional"),
        *(f"{home}.{kind}" for home in ("__builtin__", "builtins")
          for kind in ("dict", "list", "tuple", "str", "int", "long", "float", "bool", "bytes",
                       "object")),
        *(f"torch.{kind}" for kind in ("float32", "float64", "float16", "bfloat16", "int64",
                                       "int32", "uint8", "bool")),
        "numpy.ndarray",
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers in a file of its own within the archive."""

    dtype: str  # numpy's, or "bfloat16"
    key: str  # the file's name in the archive's data folder
    n: int  # numbers


@dataclass(frozen=True, slots=True, eq=False)
class PickledTensor:
    """Where in a storage a tensor lies."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raises: ValueError: if it does not lie within its storage, or fills more than that."""
        sizes = (*self.shape, *self.stride, self.offset)
        proper = len(self.shape) == len(self.stride) <= _MAX_AXES and all(
            type(n) is int and 0 <= n < 2**40 for n in sizes
        )
        if not proper:
            raise ValueError("a tensor's shape is not a tuple of sizes")
        last = sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        count = math.prod(self.shape)
        if count and (self.offset + last >= self.storage.n or count > self.storage.n):
            raise ValueError(f"a tensor of shape {self.shape} lies outside of its storage")


def _storage(claim: object) -> Storage:
    """What stands for ("storage", type, key, device, number of elements)."""
    if not (isinstance(claim, tuple) and len(claim) == 5 and claim[0] == "storage"):
        raise ValueError("it refers to something outside of it that is no storage of torch's")
    _, kind, key, _device, n = claim
    if not (isinstance(kind, Global) and kind.name in _STORAGES):
        raise ValueError("a storage is of a type that is not known")
    if not (isinstance(key, str) and key.isdecimal() and type(n) is int and 0 <= n < 2**40):
        raise ValueError("a storage has no proper name or size")
    return Storage(_STORAGES[kind.name], key, n)


def _tensor(args: tuple[Any, ...]) -> PickledTensor:
    proper = len(args) >= 4 and isinstance(args[0], Storage)
    if not (proper and isinstance(args[2], tuple) and isinstance(args[3], tuple)):
        raise ValueError("a tensor is not built in the way torch builds its own")
    return PickledTensor(args[0], args[1], args[2], args[3])


def _parameter(args: tuple[Any, ...]) -> PickledTensor:
    if not (args and isinstance(args[0], PickledTensor)):
        raise ValueError("a parameter holds no tensor")
    return args[0]


def _dict(args: tuple[Any, ...]) -> dict[Any, Any]:
    """An OrderedDict or defaultdict, which torch's files start empty."""
    if not all(isinstance(arg, Global) for arg in args):
        raise ValueError("a dictionary is not built in the way torch's files build theirs")
    return {}


def _path(args: tuple[Any, ...]) -> str:
    """Where its training put files: of no use here."""
    return "/".join(str(part)[:1000] for part in args[:100])


LIGHTNING = Vocabulary(
    subject="Pixel3DMM checkpoint",
    functions=ARRAYS
    | {
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_parameter": _parameter,
        "collections.OrderedDict": _dict,
        "collections.defaultdict": _dict,
        "pathlib.PosixPath": _path,
        "pathlib.WindowsPath": _path,
    },
    classes=_OMEGACONF,
    names=_NAMES | frozenset(_STORAGES),
    persistent=_storage,
    keys=(str, int),
    dicts_have_state=True,
)


def plain_settings(value: object) -> Any:  # noqa: ANN401  (a tree)
    """OmegaConf's nodes as dicts, lists and values; what is neither becomes None.

    Raises: ValueError: if they are nested without end, or unfold to very many.
    """
    return _plain(value, 0, itertools.count())


def _plain(value: object, depth: int, seen: Iterator[int]) -> Any:  # noqa: ANN401  (a tree)
    if depth > _MAX_NESTING or next(seen) > _MAX_SETTINGS:
        raise ValueError("its hyper-parameters are nested too deeply")
    if isinstance(value, Node):
        value = value.attributes.get("_content", value.attributes.get("_val"))
    if isinstance(value, dict):
        return {str(key): _plain(item, depth + 1, seen) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1, seen) for item in value]
    return value if isinstance(value, str | int | float | bool) else None
