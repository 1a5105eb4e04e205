"""Reads and writes a SynthPack as one .npz file: arrays under numbered keys, names in `meta`."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import AssetError
from engine.files import replacing
from engine.flame.model import head_model_bytes, head_model_from_bytes
from engine.synth.pack import Attachment, Skin, SynthHead, SynthLight, SynthPack

__all__ = ["load_pack", "save_pack"]

_FORMAT = "synth pack 1"
_BOUND = ("vertices", "bind_idx", "bind_weights")
"""Fields of an attachment that are mappings by population."""
_TEXTS = ("name", "kind")

Arrays = dict[str, Any]


def save_pack(pack: SynthPack, path: Path) -> None:
    """Write a pack; the same pack gives the same bytes."""
    arrays: Arrays = {}
    meta: dict[str, Any] = {"format": _FORMAT, "held_back": sorted(pack.held_back)}
    heads = [pack.heads[name] for name in sorted(pack.heads)]
    meta["heads"] = [_put_head(arrays, f"head{i}", head) for i, head in enumerate(heads)]
    for kind in ("skins", "attachments", "lights"):
        items = getattr(pack, kind)
        meta[kind] = [_put(arrays, f"{kind}{i}", item) for i, item in enumerate(items)]
    meta["skin_masks"] = sorted(pack.skin_masks)
    arrays |= {f"mask.{name}": pack.skin_masks[name] for name in meta["skin_masks"]}
    arrays["meta"] = np.array(json.dumps(meta, sort_keys=True))
    buffer = io.BytesIO()
    np.savez(buffer, **{key: arrays[key] for key in sorted(arrays)})
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load_pack(path: Path) -> SynthPack:
    """Read a pack written by `save_pack`.

    Raises: AssetError: if the file is missing, damaged, or no pack.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        return _from_arrays(arrays)
    except OSError as error:
        raise AssetError(
            f"synthesis pack {path} cannot be read: {error.strerror or error}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, EOFError) as error:
        raise AssetError(
            f"{path} is not a readable synthesis pack ({error}); "
            "make it again with `python -m engine.synth.build_pack`"
        ) from error


def _put_head(arrays: Arrays, key: str, head: SynthHead) -> dict[str, Any]:
    arrays[f"{key}.model"] = np.frombuffer(head_model_bytes(head.model), np.uint8)
    for name in ("face_class", "part", "uv", "uv_faces", "shape_samples", "expr_samples",
                 "val_shape_samples"):  # fmt: skip
        if (array := getattr(head, name)) is not None:
            arrays[f"{key}.{name}"] = array
    # The full openhead goes by the id of the one in assets/: their parameters are the same.
    return {"name": head.name, "model_id": head.model.model_id}


def _put(arrays: Arrays, key: str, item: Skin | Attachment | SynthLight) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    for field in fields(item):
        value = getattr(item, field.name)
        if field.name in _TEXTS:
            meta[field.name] = value
        elif field.name in _BOUND:
            meta["populations"] = sorted(value)
            arrays |= {f"{key}.{field.name}.{p}": value[p] for p in meta["populations"]}
        else:
            arrays[f"{key}.{field.name}"] = value
    return meta


def _from_arrays(arrays: Arrays) -> SynthPack:
    meta = json.loads(str(arrays["meta"]))
    found = meta.get("format") if isinstance(meta, dict) else None
    if found != _FORMAT:
        raise ValueError(f"format {found!r}, expected {_FORMAT!r}")
    heads = [_head(arrays, f"head{i}", entry) for i, entry in enumerate(meta["heads"])]
    return SynthPack(
        heads={head.name: head for head in heads},
        skins=tuple(_items(arrays, "skins", meta, Skin)),
        skin_masks={name: arrays[f"mask.{name}"] for name in meta["skin_masks"]},
        attachments=tuple(_items(arrays, "attachments", meta, Attachment)),
        lights=tuple(_items(arrays, "lights", meta, SynthLight)),
        held_back=frozenset(meta["held_back"]),
    )


def _head(arrays: Arrays, key: str, entry: Mapping[str, str]) -> SynthHead:
    model = head_model_from_bytes(arrays[f"{key}.model"].tobytes())
    return SynthHead(
        name=entry["name"],
        model=replace(model, model_id=entry["model_id"]),
        face_class=arrays[f"{key}.face_class"],
        part=arrays[f"{key}.part"],
        uv=arrays[f"{key}.uv"],
        uv_faces=arrays[f"{key}.uv_faces"],
        shape_samples=arrays.get(f"{key}.shape_samples"),
        expr_samples=arrays.get(f"{key}.expr_samples"),
        val_shape_samples=arrays.get(f"{key}.val_shape_samples"),
    )


def _items(arrays: Arrays, kind: str, meta: Mapping[str, Any], make: Any) -> list[Any]:  # noqa: ANN401
    items = []
    for i, entry in enumerate(meta[kind]):
        values: dict[str, Any] = {}
        for field in fields(make):
            key = f"{kind}{i}.{field.name}"
            if field.name in _TEXTS:
                values[field.name] = entry[field.name]
            elif field.name in _BOUND:
                values[field.name] = {p: arrays[f"{key}.{p}"] for p in entry["populations"]}
            else:
                values[field.name] = arrays[key]
        items.append(make(**values))
    return items
