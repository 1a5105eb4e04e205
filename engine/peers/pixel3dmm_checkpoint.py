"""Reads the official `normals.ckpt` and `uv.ckpt`, and what they are converted to.

The files are Lightning's: a zip with a pickle and, beside it, the numbers of each tensor. The
pickle is read as data (`engine.flame.pickle_machine`): nothing in it is imported or run, and torch
is not asked to load it.
"""

import hashlib
import json
import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.errors import AssetError, ProviderError
from engine.files import replacing
from engine.flame.pickle_machine import read_pickle
from engine.peers.pixel3dmm_pickle import LIGHTNING, PickledTensor, Storage, plain_settings

__all__ = ["Checkpoint", "read_checkpoint", "write_safetensors"]

Tensor = npt.NDArray[Any]

_MAX_PICKLE_BYTES: Final = 64 * 2**20  # theirs has well under one
_MAX_MEMBERS: Final = 100_000
_MAX_NUMBERS: Final = 10**9  # ten times what a ViT-B with decoder has
_ZIP_START: Final = b"PK\x03\x04"
_SETTINGS: Final = "pixel3dmm_settings"
"""Key of the hyper-parameters, as JSON, in a safetensors file."""
_DAMAGE: Final = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError),
    *(EOFError, OSError, KeyError, RuntimeError),
)
_FIX: Final = "take normals.ckpt or uv.ckpt as downloaded from Pixel3DMM's authors"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Weights and hyper-parameters as they are in a file."""

    path: Path
    sha256: str  # of the file
    settings: Mapping[str, Any]  # their configuration (`cfg`): plain dicts, lists and values
    tensors: Mapping[str, Tensor]  # by the names of the file; float32, or whole numbers


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a Lightning checkpoint or a file of `write_safetensors`.

    Raises: AssetError: if it is missing, damaged or something else, or asks for anything to be run.
        ProviderError: if safetensors is needed and missing.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_ZIP_START))
            stream.seek(0)
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise AssetError(f"checkpoint {path} cannot be read: {error.strerror or error}") from error
    if path.suffix == ".safetensors":
        return _read_safetensors(path, sha256)
    if start != _ZIP_START:
        raise AssetError(f"{path} is no checkpoint of torch's present form, or is cut off; {_FIX}")
    try:
        with zipfile.ZipFile(path) as archive:
            settings, tensors = _read_archive(archive)
    except ValueError as error:
        shown = ascii(str(error)[:300])[1:-1]
        raise AssetError(f"{path} was refused: {shown}; {_FIX}") from error
    except _DAMAGE as error:
        raise AssetError(f"{path} is damaged or cut off ({error}); download it again") from error
    return Checkpoint(path, sha256, settings, tensors)


def write_safetensors(checkpoint: Checkpoint, out: Path) -> None:
    """Write weights and hyper-parameters in a form that cannot hold code.

    Raises: OutputError: if it cannot be written. ProviderError: if safetensors is missing.
    """
    numpy_io, _ = _safetensors()
    text = json.dumps(dict(checkpoint.settings), sort_keys=True)
    arrays = {name: np.ascontiguousarray(array) for name, array in checkpoint.tensors.items()}
    with replacing(out) as temporary:
        temporary.write_bytes(numpy_io.save(arrays, metadata={_SETTINGS: text}))


def _read_safetensors(path: Path, sha256: str) -> Checkpoint:
    numpy_io, failure = _safetensors()
    data = path.read_bytes()
    try:
        tensors = numpy_io.load(data)
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        settings = json.loads(header["__metadata__"][_SETTINGS])
    except (failure, KeyError, TypeError, ValueError, struct.error) as error:
        raise AssetError(
            f"{path} holds no Pixel3DMM network ({error}); convert it from normals.ckpt or uv.ckpt "
            "again"
        ) from error
    return Checkpoint(path, sha256, settings, tensors)


def _read_archive(archive: zipfile.ZipFile) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Hyper-parameters and tensors. Raises: ValueError, and what zipfile raises on damage."""
    names = archive.namelist()
    pickles = [name for name in names if name.endswith("data.pkl") and name.count("/") == 1]
    if len(pickles) != 1 or len(names) > _MAX_MEMBERS:
        raise ValueError("it is a zip, but not one of torch's")
    info = archive.getinfo(pickles[0])
    if info.file_size > _MAX_PICKLE_BYTES:
        raise ValueError(f"its pickle is too large: {info.file_size >> 20} MiB")
    content = read_pickle(_read(archive, info), LIGHTNING)
    if not (isinstance(content, dict) and isinstance(content.get("state_dict"), dict)):
        raise ValueError("it has no state_dict, as Lightning's checkpoints have")
    settings = plain_settings(content.get("hyper_parameters"))
    if isinstance(settings, dict) and isinstance(settings.get("cfg"), dict):
        settings = settings["cfg"]
    folder = pickles[0].removesuffix("data.pkl")
    tensors = _tensors(archive, f"{folder}data/", content["state_dict"])
    return settings if isinstance(settings, dict) else {}, tensors


def _tensors(
    archive: zipfile.ZipFile, folder: str, content: Mapping[Any, object]
) -> dict[str, Tensor]:
    """Every tensor of a state_dict. Raises: ValueError: if they are not as torch writes them."""
    placed = {str(name): t for name, t in content.items() if isinstance(t, PickledTensor)}
    if other := [str(name) for name, t in content.items() if not isinstance(t, PickledTensor)]:
        raise ValueError(f"{other[0]!r} in its state_dict is no tensor")
    # Many tensors of one storage could swell without end.
    if sum(math.prod(tensor.shape) for tensor in placed.values()) > _MAX_NUMBERS:
        raise ValueError(f"it holds over {_MAX_NUMBERS:.0e} numbers, far more than theirs")
    loaded = {
        storage: _numbers(archive, folder, storage)
        for storage in {tensor.storage for tensor in placed.values()}
    }
    return {name: _placed(tensor, loaded[tensor.storage]) for name, tensor in placed.items()}


def _numbers(archive: zipfile.ZipFile, folder: str, storage: Storage) -> Tensor:
    """(n,) the numbers of a storage, in the file's type; bfloat16 as float32."""
    half_words = storage.dtype == "bfloat16"
    dtype = np.dtype("<u2" if half_words else storage.dtype)
    info = archive.getinfo(f"{folder}{storage.key}")
    if info.file_size != storage.n * dtype.itemsize:
        raise ValueError(
            f"storage {storage.key} claims {storage.n * dtype.itemsize} bytes and has "
            f"{info.file_size}"
        )
    found: Tensor = np.frombuffer(_read(archive, info), dtype)
    return (found.astype(np.uint32) << 16).view(np.float32) if half_words else found


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    # torch never compresses: a member cannot swell beyond the size of the file.
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"its part {info.filename!r} is compressed, as torch's never are")
    return archive.read(info)


def _placed(tensor: PickledTensor, numbers: Tensor) -> Tensor:
    """A tensor of its own, floating point as float32."""
    steps = tuple(step * numbers.itemsize for step in tensor.stride)
    view = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, steps)
    wanted = np.float32 if numbers.dtype.kind == "f" else numbers.dtype
    return np.array(view, wanted, order="C")


def _safetensors() -> tuple[Any, type[Exception]]:
    """Its functions for numpy, and what it raises on bad files."""
    try:
        import safetensors.numpy as numpy_io
        from safetensors import SafetensorError
    except ImportError as error:
        raise ProviderError(
            f"safetensors cannot be imported ({error}); install n2fnet[train]"
        ) from error
    return numpy_io, SafetensorError
