"""Reads what NoW is made of: MeshLab's picked points and pickled face boxes, safely."""

import io
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import AssetError
from engine.types import F64

__all__ = ["read_box", "read_picked_points"]

_POINT = re.compile(r"<point\b([^>]*)>")
_NUMBER = re.compile(r'\b([xyz])\s*=\s*"([^"]*)"')
_SIDES = ("left", "top", "right", "bottom")


def read_picked_points(path: Path) -> F64:
    """(7, 3) points of a .pp file, in its unit and order.

    Raises: AssetError: if the file is missing, damaged, or has another number of points.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise AssetError(f"landmarks {path} cannot be read: {error.strerror or error}") from error
    points = []
    for attributes in _POINT.findall(text):
        try:
            found = {axis: float(value) for axis, value in _NUMBER.findall(attributes)}
            points.append([found[axis] for axis in "xyz"])
        except (ValueError, KeyError) as error:
            raise AssetError(f"{path}: a point has no numbers x, y and z; copy it again") from error
    if len(points) != 7 or not np.isfinite(points).all():
        raise AssetError(f"{path} holds {len(points)} points, expected NoW's 7")
    return np.array(points, np.float64)


def read_box(path: Path) -> tuple[float, float, float, float]:
    """Left, top, right, bottom in px of a detected_face .npy; nothing in the file is run.

    Raises: AssetError: if it is missing or holds something else.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AssetError(f"face box {path} cannot be read: {error.strerror or error}") from error
    try:
        values = _pickled(data)
        left, top, right, bottom = (_number(values[side]) for side in _SIDES)
        if not (right > left and bottom > top):
            raise ValueError(f"its sides are {left}, {top}, {right}, {bottom}")
    except (ValueError, KeyError, EOFError) as error:
        raise AssetError(
            f"{path} was refused ({error}); expected a face box: left, top, right and bottom"
        ) from error
    return left, top, right, bottom


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise ValueError("its sides are no numbers")
    return float(value)


def _pickled(data: bytes) -> dict[str, object]:
    """The dictionary in an array of one object."""
    stream = io.BytesIO(data)
    magic = stream.read(8)
    if len(magic) < 8 or magic[:6] != b"\x93NUMPY" or magic[6] not in (1, 2):
        raise ValueError("it is no .npy file")
    size = int.from_bytes(stream.read(2 if magic[6] == 1 else 4), "little")
    if not re.search(rb"'descr':\s*'\|?O'", stream.read(size)):
        raise ValueError("it holds numbers instead of a dictionary")
    try:
        array = _BoxReader(stream, encoding="latin1").load()
    except (pickle.UnpicklingError, AttributeError, TypeError, IndexError) as error:
        raise ValueError(f"its pickle is damaged: {error}") from error
    items = array.items if isinstance(array, _Array) else []
    if len(items) != 1 or not isinstance(items[0], dict):
        raise ValueError("it holds no dictionary")
    return items[0]


class _Array:
    """Stands for a numpy array of objects."""

    def __init__(self, *_: object) -> None:
        self.items: list[object] = []

    def __setstate__(self, state: tuple[object, ...]) -> None:
        items = state[4]
        self.items = items if isinstance(items, list) else []


class _Dtype:
    """Stands for a numpy dtype; numbers in little-endian order, as every machine writes them."""

    def __init__(self, code: str, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if state[1] == ">":
            raise ValueError("its numbers are big-endian")


def _scalar(dtype: _Dtype, data: bytes | str) -> float:
    """A numpy number; Python 2 wrote its bytes as text."""
    if dtype.code not in _NUMBERS:
        raise ValueError(f"it holds a {dtype.code} instead of a number")
    raw = data.encode("latin1") if isinstance(data, str) else data
    return float(np.frombuffer(raw, f"<{dtype.code}", count=1)[0])


def _as_bytes(text: str, _encoding: str) -> bytes:
    return text.encode("latin1")


_NUMBERS = ("i4", "i8", "u4", "u8", "f4", "f8")
_STAND_INS: dict[str, object] = {"numpy.dtype": _Dtype, "numpy.ndarray": None}
_STAND_INS["_codecs.encode"] = _as_bytes
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _STAND_INS |= {f"{_module}._reconstruct": _Array, f"{_module}.scalar": _scalar}


class _BoxReader(pickle.Unpickler):
    """Answers numpy's names by stand-ins of ours and refuses all others: nothing is imported."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401  (pickle's own type)
        if (full := f"{module}.{name}") not in _STAND_INS:
            raise ValueError(f"it asks for {ascii(full[:80])[1:-1]}, which no face box needs")
        return _STAND_INS[full]
