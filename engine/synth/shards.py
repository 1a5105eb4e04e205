"""Samples to WebDataset tars and back; equal samples give equal bytes.

A sample is seven members: KEY.json (params, camera, landmarks, meta), KEY.rgb.png, KEY.head.png and
KEY.view.png (coded normals, red = x), KEY.parsing.png, KEY.depth.png (16 bit), KEY.points.npy.
"""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from engine.errors import AssetError
from engine.files import replacing
from engine.synth.manifest import Manifest, ShardEntry, read_manifest
from engine.synth.sample import Sample
from engine.types import Camera, FlameParams

__all__ = [
    "Manifest",
    "ShardEntry",
    "params_from_json",
    "params_to_json",
    "read_manifest",
    "read_meta",
    "read_model_ids",
    "read_shard",
    "shard_bytes",
    "write_shard",
]

Array = npt.NDArray[Any]
T = TypeVar("T")

_PNG_LEVEL: Final = 1
"""Of zlib: 3 takes a sixth more time for files 3 % smaller."""
_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
"""A dot or slash would end the key for readers of WebDataset."""
_PICTURES: Final = {
    "rgb.png": "image",
    "head.png": "head_normals",
    "view.png": "view_normals",
    "parsing.png": "parsing",
    "depth.png": "depth",
}
_MEMBERS: Final = ("json", *_PICTURES, "points.npy")
_FLOATS: Final = ("shape", "expr", "neck", "jaw", "eyes", "eyelids")
_DOUBLES: Final = ("R", "t")


def write_shard(path: Path, samples: Iterable[Sample]) -> ShardEntry:
    """Write a shard, whole or not at all.

    Raises: OutputError: if it cannot be written. ValueError: as `shard_bytes`.
    """
    data, entry = shard_bytes(samples)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return entry


def shard_bytes(samples: Iterable[Sample]) -> tuple[bytes, ShardEntry]:
    """A shard's file content, and its manifest entry.

    Raises: ValueError: if a key is there twice or has other characters than letters, digits, _ and
        -, or if a number is not finite.
    """
    buffer = io.BytesIO()
    keys: set[str] = set()
    model_ids: set[str] = set()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in samples:
            if _KEY.fullmatch(sample.key) is None or sample.key in keys:
                raise ValueError(
                    f"sample key {sample.key!r}, expected one of its own of letters, digits, _, -"
                )
            keys.add(sample.key)
            model_ids.add(sample.params.model_id)
            for extension, content in _encode(sample).items():
                info = tarfile.TarInfo(f"{sample.key}.{extension}")  # no time, no owner
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    return data, ShardEntry(digest, len(keys), tuple(sorted(model_ids)))


def read_shard(path: Path) -> Iterator[Sample]:
    """The samples of a shard, in order.

    Raises: AssetError: if the file is missing or damaged, naming the member that is.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror or error}") from error
    key, parts = "", dict[str, bytes]()
    for name, content in _members(path, data):
        member_key, _, extension = name.partition(".")
        if member_key != key and parts:
            yield _decode(path, key, parts)
            parts = {}
        key = member_key
        parts[extension] = content
    if parts:
        yield _decode(path, key, parts)


def read_meta(path: Path) -> list[dict[str, Any]]:
    """What `Sample.meta` is of a shard's samples, in order, without reading their pictures.

    Raises: AssetError: if the file is missing or damaged.
    """
    return list(_described(path, lambda record: dict(record["meta"])))


def read_model_ids(path: Path) -> Iterator[str]:
    """The head model of each of a shard's samples, in order, without reading their pictures.

    Raises: AssetError: if the file is missing or damaged.
    """
    return _described(path, lambda record: str(record["params"]["model_id"]))


def _described(path: Path, pick: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    """What is picked from the description of each sample."""
    try:
        with tarfile.open(path, mode="r:") as tar:
            for info in tar:
                member = tar.extractfile(info) if info.name.endswith(".json") else None
                if member is not None:
                    yield pick(json.loads(member.read()))
    except (OSError, tarfile.TarError, EOFError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, "its samples' descriptions", str(error)) from error


def params_to_json(params: FlameParams) -> dict[str, Any]:
    """Parameters as JSON values; `params_from_json` gives them back bit by bit."""
    arrays = {name: getattr(params, name).tolist() for name in (*_FLOATS, *_DOUBLES)}
    return {"model_id": params.model_id, **arrays}


def params_from_json(values: Mapping[str, Any]) -> FlameParams:
    """The parameters that `params_to_json` gave.

    Raises: KeyError, ValueError: if values are missing or not of their shape.
    """
    arrays: dict[str, Any] = {name: np.array(values[name], np.float32) for name in _FLOATS}
    arrays |= {name: np.array(values[name], np.float64) for name in _DOUBLES}
    return FlameParams(model_id=str(values["model_id"]), **arrays)


def _encode(sample: Sample) -> dict[str, bytes]:
    camera = sample.camera
    record = {
        "params": params_to_json(sample.params),
        "K": camera.K.tolist(),
        "image_size": [camera.width, camera.height],
        "landmarks68": sample.landmarks68.tolist(),
        "meta": sample.meta,
    }
    text = json.dumps(record, sort_keys=True, allow_nan=False, separators=(",", ":"))
    members = {"json": text.encode()}
    for extension, name in _PICTURES.items():
        members[extension] = _png(getattr(sample, name))
    points = io.BytesIO()
    np.save(points, np.ascontiguousarray(sample.points), allow_pickle=False)
    return members | {"points.npy": points.getvalue()}


def _png(picture: Array) -> bytes:
    ordered = picture[..., ::-1] if picture.ndim == 3 else picture  # cv2 writes BGR
    done, data = cv2.imencode(
        ".png", np.ascontiguousarray(ordered), [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL]
    )
    if not done:
        raise ValueError(f"picture of {picture.shape} {picture.dtype} cannot be written as PNG")
    return bytes(data)


def _members(path: Path, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents. Of a tar cut short tarfile says nothing, its end must be looked at."""
    where, end = "its start", 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for info in tar:
                where = f"member {info.name}"
                member = tar.extractfile(info)
                content = b"" if member is None else member.read()
                end = info.offset_data + -(-info.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                yield info.name, content
                where = f"what follows {info.name}"
    except (tarfile.TarError, EOFError) as error:
        raise _damaged(path, where, str(error)) from error
    if len(data) - end < 2 * tarfile.BLOCKSIZE or any(data[end:]):
        raise _damaged(path, where, "the file is cut short or overwritten")


def _decode(path: Path, key: str, parts: Mapping[str, bytes]) -> Sample:
    if missing := [e for e in _MEMBERS if e not in parts]:
        raise _damaged(path, f"member {key}.{missing[0]}", "it is not there")
    record = _checked(path, f"{key}.json", json.loads, parts["json"])
    try:
        width, height = record["image_size"]
        return Sample(
            key=key,
            params=params_from_json(record["params"]),
            camera=Camera(np.array(record["K"], np.float64), int(width), int(height)),
            landmarks68=np.array(record["landmarks68"], np.float32),
            meta=dict(record["meta"]),
            points=_checked(path, f"{key}.points.npy", _load_npy, parts["points.npy"]),
            **{
                name: _checked(path, f"{key}.{extension}", _load_png, parts[extension])
                for extension, name in _PICTURES.items()
            },
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"sample {key}", f"{type(error).__name__}: {error}") from error


def _checked(path: Path, member: str, load: Callable[[bytes], Any], data: bytes) -> Any:  # noqa: ANN401
    try:
        return load(data)
    except (ValueError, EOFError, cv2.error) as error:
        raise _damaged(path, f"member {member}", str(error)) from error


def _load_png(data: bytes) -> Array:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError("no PNG")
    return np.ascontiguousarray(picture[..., ::-1]) if picture.ndim == 3 else picture


def _load_npy(data: bytes) -> Array:
    array: Array = np.load(io.BytesIO(data), allow_pickle=False)
    return array


def _damaged(path: Path, where: str, why: str) -> AssetError:
    return AssetError(f"{path} is damaged at {where}: {why}; delete it and run n2f synth again")
