"""Reads a pickle as data: a stack machine that imports nothing and calls nothing.

It knows the globals of a vocabulary, by default the handful that FLAME's files name (arrays,
dtypes, sparse matrices, chumpy nodes), each answered by a plain node of ours; every other global,
and every opcode that could reach code by another way, is refused by name. Strings of Python 2 are
taken as Latin-1, which makes them interchangeable with bytes.
"""

import pickletools
import warnings
from collections.abc import Callable
from typing import Any

from engine.flame.pickle_nodes import FLAME, Dtype, Global, Node, PickledArray, Vocabulary

__all__ = ["read_pickle"]

_MAX_OPCODES = 1_000_000
_MARK = object()


class _Machine:
    """The stack, the memo, and what the opcodes do to them."""

    def __init__(self, words: Vocabulary) -> None:
        self.words = words
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, opcode: str, arg: Any) -> None:  # noqa: ANN401  (depends on the opcode)
        if opcode in _VALUES:
            self.stack.append(arg)
        elif opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode]())
        elif opcode in _STEPS:
            _STEPS[opcode](self, arg)
        else:
            self.refuse(opcode)

    def refuse(self, opcode: str) -> None:
        raise ValueError(f"it uses the pickle opcode {opcode}, which no {self.words.subject} needs")

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

    def set_items(self, items: list[Any], target: dict[Any, Any]) -> None:
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Keys of other kinds could be tuples nested so that hashing them never ends.
            if not isinstance(key, self.words.keys):
                raise ValueError("a dictionary has keys that are no strings")
            target[key] = value

    def reduce(self) -> None:
        args, function = self.pop(), self.pop()
        known = isinstance(function, Global) and function.name in self.words.functions
        if not known or not isinstance(args, tuple):
            raise ValueError(f"it calls something that is no function of a {self.words.subject}")
        self.stack.append(self.words.functions[function.name](args))

    def new_object(self) -> None:
        args, cls = self.pop(), self.pop()
        if not (isinstance(cls, Global) and cls.name in self.words.classes and args == ()):
            raise ValueError(f"it makes an object that no {self.words.subject} has")
        self.stack.append(Node(cls.name))

    def build(self) -> None:
        state = self.pop()
        target = self.pop()
        if isinstance(target, Node | Dtype | PickledArray):
            target.build(state)
        elif not (self.words.dicts_have_state and isinstance(target, dict)):
            raise ValueError(f"it changes something that is no object of a {self.words.subject}")
        self.stack.append(target)

    def persistent(self) -> None:
        if self.words.persistent is None:
            self.refuse("BINPERSID")
        else:
            self.stack.append(self.words.persistent(self.pop()))

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise ValueError("it asks for a global without a name")
        self.stack.append(self.words.find(f"{module}.{name}"))

    def instance(self, name: str) -> None:
        self.words.find(name)
        self.refuse("INST")


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
    "GLOBAL": lambda m, arg: m.stack.append(m.words.find(arg.replace(" ", ".", 1))),
    "STACK_GLOBAL": lambda m, arg: m.stack_global(),
    "INST": lambda m, arg: m.instance(arg.replace(" ", ".", 1)),
    "REDUCE": lambda m, arg: m.reduce(),
    "NEWOBJ": lambda m, arg: m.new_object(),
    "BUILD": lambda m, arg: m.build(),
    "BINPERSID": lambda m, arg: m.persistent(),
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
    target: dict[Any, Any] = {}
    machine.set_items(items, target)
    machine.stack.append(target)


def _set_item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value], machine.top(dict))


def read_pickle(data: bytes, words: Vocabulary = FLAME) -> object:
    """What a pickle holds, as dicts, lists, numbers, strings and the nodes of its vocabulary.

    Runs nothing: no import, no constructor, no attribute look-up.
    Raises: ValueError: if it is no whole pickle, or names anything outside of the vocabulary.
    """
    machine = _Machine(words)
    with warnings.catch_warnings():
        # What Python says of odd escapes in text strings is meant for source code.
        warnings.simplefilter("ignore", DeprecationWarning)
        for count, (opcode, arg, _position) in enumerate(pickletools.genops(data)):
            if count > _MAX_OPCODES:
                raise ValueError(f"it has over {_MAX_OPCODES} opcodes, far more than it needs")
            if opcode.name == "STOP":
                break
            machine.step(opcode.name, arg)
    return machine.pop()
