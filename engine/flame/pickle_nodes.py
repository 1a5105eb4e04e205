"""What a pickle may name, FLAME's above all, and the plain nodes that stand for it.

A node is data: it keeps what the file said and checks it when it is asked for the array.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ARRAYS", "FLAME", "Dtype", "Global", "Node", "PickledArray", "Vocabulary"]

_MAX_AXES = 4


@dataclass(frozen=True, slots=True)
class Global:
    """A name that the pickle may use; stands for the thing, is never the thing."""

    name: str  # module and attribute, dotted


@dataclass(slots=True, eq=False)
class Dtype:
    """A numpy dtype of plain numbers."""

    code: str  # kind and size, e.g. "f8"
    order: str = "<"  # or ">" or "|"

    def build(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) >= 2 and state[1] in ("<", ">", "|", "=")):
            raise ValueError("a dtype's state is not numpy's")
        self.order = "<" if state[1] == "=" else state[1]

    def numpy(self) -> np.dtype[Any]:
        return np.dtype(f"{self.order}{self.code}")


@dataclass(slots=True, eq=False)
class PickledArray:
    """A numpy array: checked on `array()`, and nothing is allocated on the file's word."""

    state: tuple[Any, ...] | None = None

    def build(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):
            raise ValueError("an array's state is not numpy's")
        self.state = state

    def array(self) -> npt.NDArray[Any]:
        """The array, read-only, in the file's dtype and shape."""
        if self.state is None:
            raise ValueError("an array has no contents")
        _version, shape, dtype, fortran, data = self.state
        if not isinstance(dtype, Dtype):
            raise ValueError("an array holds objects instead of numbers")
        if not (isinstance(shape, tuple) and len(shape) <= _MAX_AXES):
            raise ValueError("an array's shape is not a tuple of sizes")
        if not all(type(n) is int and 0 <= n < 2**48 for n in shape):
            raise ValueError("an array's shape is not a tuple of sizes")
        content = _as_bytes(data)
        claimed = math.prod(shape) * dtype.numpy().itemsize
        if claimed != len(content):
            raise ValueError(
                f"an array of shape {shape} claims {claimed} bytes but holds {len(content)}"
            )
        flat = np.frombuffer(content, dtype.numpy())
        return flat.reshape(shape, order="F" if fortran else "C")


@dataclass(slots=True, eq=False)
class Node:
    """An object of a class we stand in for: its class and its attributes."""

    name: str
    attributes: dict[str, Any] = field(default_factory=dict)

    def build(self, state: object) -> None:
        if not isinstance(state, dict):
            raise ValueError(f"the state of a {self.name} is not a dictionary")
        self.attributes = state


def _as_bytes(data: object) -> bytes:
    """Contents of a string of Python 2 (Latin-1) or of bytes."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode("latin1")
    raise ValueError("an array holds objects instead of numbers")


_CLASSES = frozenset(
    [
        "chumpy.ch.Ch",
        "chumpy.reordering.Select",
        "scipy.sparse.csc.csc_matrix",
        "scipy.sparse._csc.csc_matrix",
    ]
)
_NUMBERS = frozenset(["b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"])


def _make_dtype(args: tuple[Any, ...]) -> Dtype:
    code = args[0] if args else None
    if not isinstance(code, str) or code not in _NUMBERS:
        kind = code[:20] if isinstance(code, str) else type(code).__name__
        raise ValueError(f"a dtype is {kind!r} instead of a plain number")
    return Dtype(code)


def _make_array(args: tuple[Any, ...]) -> PickledArray:
    if not args or args[0] != Global("numpy.ndarray"):
        raise ValueError("an array is of another class than numpy.ndarray")
    return PickledArray()


def _make_scalar(args: tuple[Any, ...]) -> float | int:
    if len(args) != 2 or not isinstance(args[0], Dtype):
        raise ValueError("a scalar is not a plain number")
    number: float | int = PickledArray((1, (), args[0], False, args[1])).array().item()
    return number


def _make_bytes(args: tuple[Any, ...]) -> bytes:
    if len(args) != 2 or not isinstance(args[0], str) or args[1] not in ("latin1", "latin-1"):
        raise ValueError("_codecs.encode is used for something else than bytes")
    return args[0].encode("latin1")


def _make_node(args: tuple[Any, ...]) -> Node:
    plain = len(args) == 3 and args[1] in (_OBJECT_2, _OBJECT_3) and args[2] is None
    if not (plain and isinstance(args[0], Global) and args[0].name in _CLASSES):
        raise ValueError("an object is not built in the way FLAME's files build theirs")
    return Node(args[0].name)


_OBJECT_2, _OBJECT_3 = Global("__builtin__.object"), Global("builtins.object")

ARRAYS: dict[str, Callable[[tuple[Any, ...]], object]] = {
    "numpy.dtype": _make_dtype,
    "_codecs.encode": _make_bytes,
}
"""What numpy's arrays and numbers are made with."""
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    ARRAYS[f"{_module}._reconstruct"] = _make_array
    ARRAYS[f"{_module}.scalar"] = _make_scalar


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the pickles of one kind of file may name."""

    subject: str  # the kind of file, for messages
    functions: Mapping[str, Callable[[tuple[Any, ...]], object]]  # stand-ins for what it calls
    classes: frozenset[str]  # of objects that become a `Node`
    names: frozenset[str]  # things it only names
    persistent: Callable[[object], object] | None = None  # stand-in for what lies outside of it
    keys: tuple[type, ...] = (str,)  # of dictionaries
    dicts_have_state: bool = False  # attributes of their own, which are left out

    def find(self, name: str) -> Global:
        """The stand-in for a global. Raises: ValueError: naming it, if it is not on the list."""
        if name in self.functions or name in self.classes or name in self.names:
            return Global(name)
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError("it is no pickle, or a damaged one")
        shown, wanted = ascii(name[:200])[1:-1], f"which no {self.subject}"
        if name.startswith("chumpy."):
            raise ValueError(f"it holds a chumpy node of the class {shown}, {wanted} has")
        raise ValueError(f"it asks for the global {shown}, {wanted} needs; nothing was run")


FLAME = Vocabulary(
    subject="FLAME file",
    functions=ARRAYS
    | {
        # chumpy's bookkeeping (`_dirty_vars`), of which nothing is needed.
        "__builtin__.set": lambda args: (),
        "builtins.set": lambda args: (),
        "copy_reg._reconstructor": _make_node,
        "copyreg._reconstructor": _make_node,
    },
    classes=_CLASSES,
    names=frozenset(["numpy.ndarray", _OBJECT_2.name, _OBJECT_3.name]),
)
"""The official head models of 2016 to 2023."""
