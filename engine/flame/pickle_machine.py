"""Reads a pickle as data: a stack machine that imports nothing and calls nothing.

It knows the handful of globals that FLAME's files name (arrays, dtypes, sparse matrices, chumpy
nodes), each answered by a plain node of ours; every other global, and every opcode that could reach
code by another way, is refused by name. Strings of Python 2 are taken as Latin-1, which makes them
interchangeable with bytes.
"""

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Dtype", "Node", "PickledArray", "read_pickle"]

_MAX_OPCODES = 1_000_000
_MAX_AXES = 4
_MARK = object()


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
        content = as_bytes(data)
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


def as_bytes(data: object) -> bytes:
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

# set: chumpy's bookkeeping (`_dirty_vars`), of which nothing is needed.
_CALLABLE: dict[str, Callable[[tuple[Any, ...]], object]] = {
    "numpy.dtype": _make_dtype,
    "_codecs.encode": _make_bytes,
    "__builtin__.set": lambda args: (),
    "builtins.set": lambda args: (),
    "copy_reg._reconstructor": _make_node,
    "copyreg._reconstructor": _make_node,
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _CALLABLE[f"{_module}._reconstruct"] = _make_array
    _CALLABLE[f"{_module}.scalar"] = _make_scalar

_NAMED = frozenset(["numpy.ndarray", _OBJECT_2.name, _OBJECT_3.name])


def _find(name: str) -> Global:
    """The stand-in for a global. Raises: ValueError: naming it, if it is not on the list."""
    if name in _CALLABLE or name in _CLASSES or name in _NAMED:
        return Global(name)
    shown = ascii(name[:200])[1:-1]
    if name.startswith("chumpy."):
        raise ValueError(f"it holds a chumpy node of the class {shown}, which no FLAME file has")
    raise ValueError(f"it asks for the global {shown}, which no FLAME file needs; nothing was run")


class _Machine:
    """The stack, the memo and one method for each group of opcodes."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:  # noqa: ANN401  (whatever the file put there)
        if not self.stack or self.stack[-1] is _MARK:
            raise ValueError("its opcodes do not add up")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while self.stack and self.stack[-1] is not _MARK:
            items.append(self.stack.pop())
        if not self.stack:
            raise ValueError("its opcodes do not add up")
        self.stack.pop()
        return items[::-1]

    def top(self, kind: type) -> Any:  # noqa: ANN401  (an instance of kind)
        if not self.stack or type(self.stack[-1]) is not kind:
            raise ValueError("its opcodes do not add up")
        return self.stack[-1]

    def put(self, index: int) -> None:
        value = self.pop()
        self.memo[index] = value
        self.stack.append(value)

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise ValueError("its opcodes do not add up")
        self.stack.append(self.memo[index])

    def take_tuple(self, n: int) -> None:
        items = [self.pop() for _ in range(n)]
        self.stack.append(tuple(items[::-1]))

    def set_items(self, items: list[Any], target: dict[str, Any]) -> None:
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Keys other than strings could be tuples nested so that hashing them never ends.
            if not isinstance(key, str):
                raise ValueError("a dictionary has keys that are no strings")
            target[key] = value

    def reduce(self) -> None:
        args, function = self.pop(), self.pop()
        known = isinstance(function, Global) and function.name in _CALLABLE
        if not known or not isinstance(args, tuple):
            raise ValueError("it calls something that is no function of FLAME's files")
        self.stack.append(_CALLABLE[function.name](args))

    def new_object(self) -> None:
        args, cls = self.pop(), self.pop()
        if not (isinstance(cls, Global) and cls.name in _CLASSES and args == ()):
            raise ValueError("it makes an object that no FLAME file has")
        self.stack.append(Node(cls.name))

    def build(self) -> None:
        state = self.pop()
        target = self.pop()
        if not isinstance(target, Node | Dtype | PickledArray):
            raise ValueError("it changes something that is no object of FLAME's files")
        target.build(state)
        self.stack.append(target)

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise ValueError("it asks for a global without a name")
        self.stack.append(_find(f"{module}.{name}"))


_VALUES = frozenset(
    [
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BINUNICODE8"),
    ]
)
_CONSTANTS: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "MARK": lambda: _MARK,
}
_STEPS: dict[str, Callable[[_Machine, Any], object]] = {
    "PROTO": lambda m, arg: None,
    "FRAME": lambda m, arg: None,
    "POP": lambda m, arg: m.pop(),
    "POP_MARK": lambda m, arg: m.pop_to_mark(),
    "GLOBAL": lambda m, arg: m.stack.append(_find(arg.replace(" ", ".", 1))),
    "STACK_GLOBAL": lambda m, arg: m.stack_global(),
    "INST": lambda m, arg: _refuse_inst(arg.replace(" ", ".", 1)),
    "REDUCE": lambda m, arg: m.reduce(),
    "NEWOBJ": lambda m, arg: m.new_object(),
    "BUILD": lambda m, arg: m.build(),
    "TUPLE": lambda m, arg: m.stack.append(tuple(m.pop_to_mark())),
    "TUPLE1": lambda m, arg: m.take_tuple(1),
    "TUPLE2": lambda m, arg: m.take_tuple(2),
    "TUPLE3": lambda m, arg: m.take_tuple(3),
    "LIST": lambda m, arg: m.stack.append(m.pop_to_mark()),
    "APPEND": lambda m, arg: _append([m.pop()], m),
    "APPENDS": lambda m, arg: _append(m.pop_to_mark(), m),
    "DICT": lambda m, arg: _start_dict(m.pop_to_mark(), m),
    "SETITEM": lambda m, arg: _set_item(m),
    "SETITEMS": lambda m, arg: m.set_items(m.pop_to_mark(), m.top(dict)),
    "MEMOIZE": lambda m, arg: m.put(len(m.memo)),
}
for _size in ("", "BIN", "LONG_BIN"):  # the memo is a dict: a huge index costs nothing
    _STEPS[f"{_size}PUT"] = lambda m, arg: m.put(arg)
    _STEPS[f"{_size}GET"] = lambda m, arg: m.get(arg)


def _append(items: list[Any], machine: _Machine) -> None:
    machine.top(list).extend(items)


def _start_dict(items: list[Any], machine: _Machine) -> None:
    target: dict[str, Any] = {}
    machine.set_items(items, target)
    machine.stack.append(target)


def _set_item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value], machine.top(dict))


def _refuse_inst(name: str) -> None:
    _find(name)
    _refuse("INST")


def _refuse(opcode: str) -> None:
    raise ValueError(f"it uses the pickle opcode {opcode}, which no FLAME file needs")


def read_pickle(data: bytes) -> object:
    """What a pickle holds, as dicts, lists, numbers, strings and the nodes of this module.

    Runs nothing: no import, no constructor, no attribute look-up.
    Raises: ValueError: if it is no whole pickle, or names anything FLAME's files do not need.
    """
    machine = _Machine()
    for count, (opcode, arg, _position) in enumerate(pickletools.genops(data)):
        if count > _MAX_OPCODES:
            raise ValueError(f"it has over {_MAX_OPCODES} opcodes, a FLAME file has some hundred")
        if opcode.name == "STOP":
            break
        if opcode.name in _VALUES:
            machine.stack.append(arg)
        elif opcode.name in _CONSTANTS:
            machine.stack.append(_CONSTANTS[opcode.name]())
        elif opcode.name in _STEPS:
            _STEPS[opcode.name](machine, arg)
        else:
            _refuse(opcode.name)
    return machine.pop()
