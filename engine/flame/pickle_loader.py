"""Reads FLAME's official pickles (2016 to 2023 Open) safely and without chumpy.

The file is the user's, so it is read as data (`pickle_machine`): nothing in it is imported or run.
Everything is checked before it is used: keys, shapes, sizes, indices, finite numbers, units.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import AssetError
from engine.flame.archive import SITE, Source, find_source, read_source
from engine.flame.model import JOINTS
from engine.flame.pickle_machine import read_pickle
from engine.flame.pickle_nodes import Node, PickledArray
from engine.types import F32, I32

__all__ = ["FlameFile", "read_flame", "read_flame_source"]

N_SHAPE = 300
"""FLAME's files store identity and expression in one array, 300 identity components first."""

_PARENTS = (-1, 0, 1, 1, 1)
_KEYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "kintree_table", "weights", "f")
_MAX_ELEMENTS = 40_000_000  # six times the official shapedirs
_MAX_VERTICES = 50_000
_MAX_NESTING = 8
_HEIGHT_M = (0.1, 1.0)  # heads with necks, children included; wider than any true one


@dataclass(frozen=True, slots=True, eq=False)
class FlameFile:
    """What an official file holds, in our types. V vertices, F triangles."""

    source: Source
    pickle_sha256: str
    keys: tuple[str, ...]  # all keys of the file, sorted
    v_template: F32  # (V, 3) metres, model frame
    shapedirs: F32  # (V, 3, n_shape) metres per standard unit
    exprdirs: F32  # (V, 3, n_expr) metres per standard unit
    posedirs: F32  # (V, 3, 36) metres
    J_regressor: F32  # (5, V)
    parents: I32  # (5,)
    lbs_weights: F32  # (V, 5)
    faces: I32  # (F, 3)


def read_flame(path: Path, *, member: str | None = None) -> FlameFile:
    """Read an official FLAME file.

    Args:
        path: a pickle, or the official zip.
        member: which pickle of the zip; None takes the generic model.
    Raises: AssetError: naming cause and fix, if it is no FLAME model or asks for anything else.
    """
    return read_flame_source(find_source(path, member=member))


def read_flame_source(source: Source) -> FlameFile:
    """As `read_flame`, for a file already looked at."""
    data = read_source(source)
    if data[:64].lstrip()[:1] == b"<":
        raise AssetError(
            f"{source.label} is a web page instead of a model: log in at {SITE} and download again"
        )
    try:
        content = read_pickle(data)
    except ValueError as error:
        shown = ascii(str(error)[:300])[1:-1]
        raise AssetError(
            f"{source.label} was refused: {shown}. "
            f"Use only the .pkl or .zip file downloaded from {SITE}"
        ) from error
    try:
        return _flame_file(content, source, hashlib.sha256(data).hexdigest())
    except ValueError as error:
        raise AssetError(
            f"{source.label} is not a FLAME model: {error}. "
            f"Give generic_model.pkl, flame2023.pkl or flame2023_Open.pkl from {SITE}"
        ) from error


def _flame_file(content: object, source: Source, sha256: str) -> FlameFile:
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__} instead of named arrays")
    if missing := [key for key in _KEYS if key not in content]:
        found = ascii(", ".join(sorted(content))[:200])[1:-1]
        raise ValueError(f"{', '.join(missing)} missing; it holds: {found or 'nothing'}")
    parents = _parents(_numbers(content, "kintree_table"))
    template = _floats(content, "v_template", (None, 3))
    if (n_vertices := len(template)) > _MAX_VERTICES:
        raise ValueError(f"it has {n_vertices} vertices, official files have 5023")
    _check_units(template)
    directions = _floats(content, "shapedirs", (n_vertices, 3, None))
    return FlameFile(
        source=source,
        pickle_sha256=sha256,
        keys=tuple(sorted(content)),
        v_template=template,
        shapedirs=_used(directions[:, :, :N_SHAPE]),
        exprdirs=_used(directions[:, :, N_SHAPE:]),
        posedirs=_floats(content, "posedirs", (n_vertices, 3, 9 * (len(JOINTS) - 1))),
        J_regressor=_floats(content, "J_regressor", (len(JOINTS), n_vertices)),
        parents=parents,
        lbs_weights=_weights(_floats(content, "weights", (n_vertices, len(JOINTS)))),
        faces=_faces(_numbers(content, "f"), n_vertices),
    )


def _used(directions: F32) -> F32:
    """Without trailing components that move nothing, so that smaller models can be stored."""
    moving = np.flatnonzero(np.any(directions != 0.0, axis=(0, 1)))
    count = int(moving[-1]) + 1 if moving.size else 0
    return np.ascontiguousarray(directions[:, :, :count])


def _check_units(template: F32) -> None:
    height = float(np.ptp(template[:, 1]))
    if not _HEIGHT_M[0] < height < _HEIGHT_M[1]:
        raise ValueError(f"the head is {height:.4g} high, expected 0.2 to 0.4 metres")


def _parents(table: npt.NDArray[Any]) -> I32:
    if table.ndim != 2 or table.shape[0] != 2 or table.dtype.kind not in "iuf":
        raise ValueError(f"kintree_table has shape {table.shape}, expected (2, {len(JOINTS)})")
    if table.shape[1] != len(JOINTS):
        known = "an SMPL body or MANO hand model" if table.shape[1] > len(JOINTS) else "no FLAME"
        raise ValueError(f"it has {table.shape[1]} joints instead of {len(JOINTS)}: {known}")
    row = table[0].astype(np.float64)
    row[0] = -1.0  # stored as 2**32 - 1
    if not np.array_equal(row, _PARENTS):
        raise ValueError("its joints are not root, neck, jaw, left eye, right eye")
    return np.array(_PARENTS, np.int32)


def _weights(weights: F32) -> F32:
    # Official rows sum to 1 in double precision; 1e-3 leaves room for files stored as float16.
    if float(np.abs(weights.sum(axis=1) - 1.0).max()) > 1e-3:
        raise ValueError("skinning weights do not sum to 1")
    return weights


def _faces(faces: npt.NDArray[Any], n_vertices: int) -> I32:
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu" or not faces.size:
        raise ValueError(f"f has shape {faces.shape} and type {faces.dtype}, expected triangles")
    if int(faces.max()) >= n_vertices or int(faces.min()) < 0:
        raise ValueError(f"f names vertex {int(faces.max())} of {n_vertices}")
    return np.ascontiguousarray(faces, np.int32)


def _floats(content: dict[str, Any], key: str, shape: tuple[int | None, ...]) -> F32:
    array = _numbers(content, key)
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits or not array.size or array.dtype.kind == "b":
        expected = tuple("any" if n is None else n for n in shape)
        raise ValueError(f"{key} has shape {array.shape}, expected {expected}")
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(single).all():
        raise ValueError(f"{key} holds values that are not finite")
    return single


def _numbers(content: dict[str, Any], key: str) -> npt.NDArray[Any]:
    try:
        return _resolve(content[key], 0)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def _resolve(value: object, depth: int) -> npt.NDArray[Any]:
    """The array that a value of the file stands for."""
    if depth > _MAX_NESTING:
        raise ValueError("its chumpy nodes are nested too deeply")
    if isinstance(value, PickledArray):
        return value.array()
    if not isinstance(value, Node):
        raise ValueError(f"a {type(value).__name__} instead of an array")
    if value.name.endswith("csc_matrix"):
        return _dense(value)
    if value.name.endswith("Select"):
        return _select(value, depth)
    return _resolve(value.attributes.get("x"), depth + 1)


def _select(node: Node, depth: int) -> npt.NDArray[Any]:
    """chumpy's Select: a fancy index into the flattened array, then a shape."""
    base = _resolve(node.attributes.get("a"), depth + 1).ravel()
    index = _resolve(node.attributes.get("idxs"), depth + 1).ravel()
    if index.dtype.kind not in "iu" or index.size > _MAX_ELEMENTS:
        raise ValueError("a Select node has no proper indices")
    if index.size and not (index.min() >= 0 and index.max() < base.size):
        raise ValueError("a Select node points outside its array")
    shape = node.attributes.get("preferred_shape", (index.size,))
    if not (isinstance(shape, tuple | list) and all(type(n) is int for n in shape)):
        raise ValueError("a Select node has no proper shape")
    chosen: npt.NDArray[Any] = base[index.astype(np.int64)].reshape(tuple(shape))
    return chosen


def _dense(node: Node) -> npt.NDArray[Any]:
    """A csc matrix as a plain one, after checking that no index points outside it."""
    shape = node.attributes.get("_shape", node.attributes.get("shape"))
    if not (isinstance(shape, tuple) and len(shape) == 2 and all(type(n) is int for n in shape)):
        raise ValueError("a sparse matrix has no proper shape")
    rows, columns = shape
    if rows < 0 or columns < 0 or rows * columns > _MAX_ELEMENTS:
        raise ValueError(f"a sparse matrix claims the size {rows} x {columns}")
    data, indices, indptr = (
        _resolve(node.attributes.get(key), 1).ravel() for key in ("data", "indices", "indptr")
    )
    if not {indices.dtype.kind, indptr.dtype.kind} <= {"i", "u"}:
        raise ValueError("a sparse matrix has indices that are no whole numbers")
    counts = np.diff(indptr.astype(np.int64))
    proper = (
        indptr.size == columns + 1
        and indptr[0] == 0
        and int(indptr[-1]) == data.size == indices.size
        and bool((counts >= 0).all())
        and (not indices.size or (indices.min() >= 0 and indices.max() < rows))
    )
    if not proper:
        raise ValueError("a sparse matrix has indices outside its shape")
    dense = np.zeros((rows, columns))
    np.add.at(dense, (indices.astype(np.int64), np.repeat(np.arange(columns), counts)), data)
    return dense
