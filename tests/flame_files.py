"""Makes files in exactly the form of the official FLAME pickles, as Python 2 wrote them.

The opcodes are written by hand, since neither Python 2 nor chumpy can be had: protocol 2 (what
the official files use) or 1, Latin-1 strings, `chumpy.ch.Ch` and `chumpy.reordering.Select`
objects with chumpy's own state, scipy's csc_matrix under its old module name, uint32 triangles and
a kinematic table whose root parent is 2**32 - 1.
"""

import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.flame.model import HeadModel


@dataclass(frozen=True, eq=False)
class Ch:
    """A chumpy array."""

    x: np.ndarray


@dataclass(frozen=True, eq=False)
class Select:
    """A chumpy view: the flattened array of `a`, indexed, then shaped."""

    a: Ch
    idxs: np.ndarray
    preferred_shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Csc:
    """A scipy.sparse csc_matrix made from a dense array."""

    dense: np.ndarray
    module: str = "scipy.sparse.csc"


@dataclass(frozen=True)
class SetOf:
    """A set, which Python 2 pickled as a call of its type on a list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Raw:
    """Opcodes put in as they are: how tests make malicious files."""

    opcodes: bytes


class Python2Pickler:
    """Writes values as Python 2's cPickle did. `numpy_core` is the module of `_reconstruct`."""

    def __init__(self, protocol: int = 2, numpy_core: str = "numpy.core") -> None:
        self.protocol = protocol
        self.numpy_core = numpy_core
        self.memo = 0

    def dumps(self, value: Any) -> bytes:
        start = b"\x80\x02" if self.protocol == 2 else b""
        return start + self.write(value) + b"."

    def put(self) -> bytes:
        index = self.memo
        self.memo += 1
        return b"q" + bytes([index]) if index < 256 else b"r" + struct.pack("<I", index)

    def write(self, value: Any) -> bytes:
        if isinstance(value, Raw):
            return value.opcodes
        if value is None:
            return b"N"
        if isinstance(value, bool):
            return (b"\x89", b"\x88")[value] if self.protocol == 2 else b"I0%d\n" % value
        if isinstance(value, int):
            return self.integer(value)
        if isinstance(value, float):
            return b"G" + struct.pack(">d", value)
        if isinstance(value, str | bytes):
            return self.string(value)
        if isinstance(value, tuple):
            return self.tuple_of(*(self.write(item) for item in value))
        if isinstance(value, list):
            items = b"".join(self.write(item) for item in value)
            return b"]" + self.put() + b"(" + items + b"e"
        if isinstance(value, dict):
            items = b"".join(self.write(k) + self.write(v) for k, v in value.items())
            return b"}" + self.put() + b"(" + items + b"u"
        return self.object(value)

    def tuple_of(self, *items: bytes) -> bytes:
        """Items that are opcodes already; protocol 2 has opcodes of its own for up to three."""
        if not items:
            return b")"
        if self.protocol == 2 and len(items) <= 3:
            return b"".join(items) + bytes([0x84 + len(items)]) + self.put()
        return b"(" + b"".join(items) + b"t" + self.put()

    def integer(self, value: int) -> bytes:
        if 0 <= value < 256:
            return b"K" + bytes([value])
        if 0 <= value < 65536:
            return b"M" + struct.pack("<H", value)
        if -(2**31) <= value < 2**31:
            return b"J" + struct.pack("<i", value)
        return b"\x8a\x08" + struct.pack("<q", value)

    def string(self, value: str | bytes) -> bytes:
        data = value.encode("latin1") if isinstance(value, str) else value
        if len(data) < 256:
            return b"U" + bytes([len(data)]) + data + self.put()
        return b"T" + struct.pack("<i", len(data)) + data + self.put()

    def object(self, value: Any) -> bytes:
        if isinstance(value, np.ndarray):
            return self.array(value)
        if isinstance(value, SetOf):
            items = self.write(list(value.items))
            return self.name("__builtin__", "set") + self.tuple_of(items) + b"R" + self.put()
        if isinstance(value, Ch):
            return self.instance("chumpy.ch", "Ch", chumpy_state(x=value.x))
        if isinstance(value, Select):
            state = chumpy_state(a=value.a, idxs=value.idxs, preferred_shape=value.preferred_shape)
            return self.instance("chumpy.reordering", "Select", state)
        if isinstance(value, Csc):
            return self.instance(value.module, "csc_matrix", csc_state(value.dense))
        raise TypeError(type(value))

    def name(self, module: str, attribute: str) -> bytes:
        return f"c{module}\n{attribute}\n".encode() + self.put()

    def instance(self, module: str, attribute: str, state: dict[str, Any]) -> bytes:
        """Protocol 2 wrote NEWOBJ; protocol 1 wrote a call of copy_reg._reconstructor."""
        if self.protocol == 2:
            made = self.name(module, attribute) + b")\x81" + self.put()
        else:
            made = self.name("copy_reg", "_reconstructor")
            base = self.name("__builtin__", "object")
            made += self.tuple_of(self.name(module, attribute), base, b"N") + b"R" + self.put()
        return made + self.write(state) + b"b"

    def array(self, array: np.ndarray) -> bytes:
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        made = self.name(f"{self.numpy_core}.multiarray", "_reconstruct")
        args = self.name("numpy", "ndarray"), self.write((0,)), self.write("b")
        made += self.tuple_of(*args) + b"R" + self.put()
        state = (
            self.write(1),
            self.write(array.shape),
            self.dtype(array.dtype),
            self.write(bool(fortran)),
            self.write(array.tobytes("F" if fortran else "C")),
        )
        return made + self.tuple_of(*state) + b"b"

    def dtype(self, dtype: np.dtype) -> bytes:
        code = f"{dtype.kind}{dtype.itemsize}"
        made = self.name("numpy", "dtype") + self.write((code, 0, 1)) + b"R" + self.put()
        order = "|" if dtype.itemsize == 1 else "<"
        return made + self.write((3, order, None, None, None, -1, -1, 0)) + b"b"


def chumpy_state(**values: Any) -> dict[str, Any]:
    """What chumpy keeps in an object: its terms, and bookkeeping that includes a set."""
    term = "x" if "x" in values else "a"
    flags = {"_make_dense": False, "_make_sparse": False, "_itr": None, "_depends_on_deps": {}}
    return {"_dirty_vars": SetOf((term,)), **flags, **values}


def csc_state(dense: np.ndarray) -> dict[str, Any]:
    columns, rows = np.nonzero(dense.T)
    counts = np.bincount(columns, minlength=dense.shape[1])
    return {
        "_shape": dense.shape,
        "maxprint": 50,
        "indptr": np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        "indices": rows.astype(np.int32),
        "data": dense[rows, columns],
        "_has_sorted_indices": True,
    }


def flame_content(model: HeadModel) -> dict[str, Any]:
    """A head model as an official file holds it: identity and expression in one chumpy array."""
    n_vertices = model.n_vertices
    directions = np.zeros((n_vertices, 3, 300 + model.n_expr))
    directions[:, :, : model.n_shape] = model.shapedirs
    directions[:, :, 300:] = model.exprdirs
    joints = np.arange(5, dtype=np.uint32)
    parents = np.array([2**32 - 1, 0, 1, 1, 1], np.uint32)
    regressor = model.J_regressor.astype(np.float64)
    return {
        "J_regressor": Csc(regressor),
        "f": model.faces.astype(np.uint32),
        "J": regressor @ model.v_template.astype(np.float64),
        "kintree_table": np.stack([parents, joints]),
        "bs_style": "lbs",
        "weights": model.lbs_weights.astype(np.float64),
        "posedirs": model.posedirs.astype(np.float64),
        "bs_type": "lrotmin",
        "v_template": model.v_template.astype(np.float64),
        "shapedirs": Ch(directions),
    }


def write_flame_pickle(path: Path, content: dict[str, Any], *, protocol: int = 2) -> Path:
    """Write content (see `flame_content`) as an official pickle. Returns: path."""
    path.write_bytes(Python2Pickler(protocol).dumps(content))
    return path


def write_flame_zip(path: Path, members: dict[str, bytes]) -> Path:
    """Write a zip with the given members. Returns: path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path
