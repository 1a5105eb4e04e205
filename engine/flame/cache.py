"""Turns a user's FLAME file into a head model of ours, once, and keeps the result.

The result lies in the user's cache under a hash of everything that went into it: the file, which
model of it, the reference that the landmarks came from, eyelid files, and the way of converting.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from platformdirs import user_cache_dir

from engine.errors import AssetError, OutputError
from engine.flame.archive import Source, find_source
from engine.flame.model import HeadModel, load_head_model, save_head_model
from engine.flame.pickle_loader import FlameFile, read_flame_source
from engine.flame.releases import Release, recognise
from engine.flame.transfer import transfer
from engine.types import F32

__all__ = ["ImportedHead", "default_cache_dir", "import_flame", "imported_heads", "open_head"]

_CONVERSION = 2
"""Raise when the same input would give another result."""
_EYELIDS = ("l_eyelid.npy", "r_eyelid.npy")
_EYELID_MAX_M = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class ImportedHead:
    """A converted FLAME file."""

    path: Path  # the .npz in the cache
    model: HeadModel
    release: Release
    from_cache: bool  # converted earlier


def default_cache_dir() -> Path:
    """Where converted heads and the like are kept for this user."""
    return Path(user_cache_dir("n2fnet"))


def import_flame(
    path: Path,
    reference: HeadModel,
    *,
    member: str | None = None,
    cache_dir: Path | None = None,
) -> ImportedHead:
    """Convert an official FLAME file, or find it converted.

    Args:
        path: a pickle, or the official zip.
        reference: the head model that gives landmarks and regions, which FLAME's files lack.
        member: which pickle of the zip; None takes the generic model.
        cache_dir: None for the user's own.
    Raises: AssetError: if the file is refused or the cache cannot be written.
    """
    source = find_source(path, member=member)
    eyelids = _eyelid_files(path.parent)
    target = _target(source, reference, eyelids, cache_dir or default_cache_dir())
    if (kept := _kept(target)) is not None:
        return kept
    file = read_flame_source(source)
    release = recognise(file)
    directions = _eyelid_directions(eyelids, len(file.v_template))
    model = _convert(file, release, reference, directions)
    try:
        save_head_model(model, target)
    except OutputError as error:
        raise AssetError(
            f"{target.parent} cannot be written ({error.__cause__}); free some space there, or set "
            "XDG_CACHE_HOME to another folder"
        ) from error
    return ImportedHead(target, load_head_model(target), release, from_cache=False)


def open_head(
    name: Path | str, reference: HeadModel, *, cache_dir: Path | None = None
) -> HeadModel:
    """The head model that a user names: ours, a converted .npz, or a FLAME .pkl or .zip.

    Args:
        name: "openhead" (in any case) for the reference itself, else a path.
    Raises: AssetError: if there is no such head.
    """
    path = Path(name)
    if str(name).lower() == "openhead" and not path.exists():
        return reference
    if path.suffix.lower() == ".npz":
        return load_head_model(path)
    return import_flame(path, reference, cache_dir=cache_dir).model


def imported_heads(cache_dir: Path | None = None) -> list[ImportedHead]:
    """All heads converted so far that can still be read, by path."""
    folder = (cache_dir or default_cache_dir()) / "heads"
    kept = (_kept(path) for path in sorted(folder.glob("*.npz")) if path.name[0] != ".")
    return [head for head in kept if head is not None]


def _target(
    source: Source, reference: HeadModel, eyelids: tuple[bytes, bytes] | None, cache_dir: Path
) -> Path:
    parts = [str(_CONVERSION), source.sha256, source.member or "", reference.model_id]
    parts += [hashlib.sha256(data).hexdigest() for data in eyelids or ()]
    # The name counts too: where the contents do not tell the release, it does.
    parts.append(source.path.name)
    return cache_dir / "heads" / f"{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()}.npz"


def _kept(target: Path) -> ImportedHead | None:
    """The converted head, if it is there and whole."""
    if not target.is_file():
        return None
    try:
        model = load_head_model(target)
        release = Release.from_meta(model.meta["release"])
    except (AssetError, KeyError, TypeError):
        return None  # damaged or of an older program: convert again
    return ImportedHead(target, model, release, from_cache=True)


def _convert(
    file: FlameFile, release: Release, reference: HeadModel, eyelids: F32 | None
) -> HeadModel:
    carried = transfer(reference, file.v_template, file.faces, file.J_regressor)
    return HeadModel(
        name=release.name,
        licence=release.licence,
        model_id="",  # known once it is saved
        v_template=file.v_template,
        shapedirs=file.shapedirs,
        exprdirs=file.exprdirs,
        posedirs=file.posedirs,
        J_regressor=file.J_regressor,
        parents=file.parents,
        lbs_weights=file.lbs_weights,
        faces=file.faces,
        regions=carried.regions,
        landmarks68=carried.landmarks68,
        mediapipe=carried.mediapipe,
        mediapipe_idx=carried.mediapipe_idx,
        contour=carried.contour,
        eyelid_dirs=eyelids,
        mirror=carried.mirror,
        meta={
            "release": release.to_meta(),
            "attribution": release.attribution,
            "jaw_fixed": release.key == "2023-no-jaw",
            "source_file": file.source.path.name,
            "source_member": file.source.member,
            "source_sha256": file.source.sha256,
            "pickle_sha256": file.pickle_sha256,
            "landmarks_from": reference.model_id,
            "landmarks_residual_mm": round(carried.residual_mm, 3),
        },
    )


def _eyelid_files(folder: Path) -> tuple[bytes, bytes] | None:
    """Both eyelid shapes, where somebody put them beside the model; FLAME itself has none."""
    left, right = (folder / name for name in _EYELIDS)
    if not (left.is_file() and right.is_file()):
        return None
    try:
        return left.read_bytes(), right.read_bytes()
    except OSError as error:
        raise AssetError(f"{left} cannot be read: {error.strerror or error}") from error


def _eyelid_directions(files: tuple[bytes, bytes] | None, n_vertices: int) -> F32 | None:
    """(V, 3, 2) metres, left then right; None without files."""
    if files is None:
        return None
    lids = []
    for name, data in zip(_EYELIDS, files, strict=True):
        try:
            lid = np.load(io.BytesIO(data), allow_pickle=False)
        except (ValueError, EOFError, OSError, MemoryError) as error:
            raise AssetError(f"{name} beside the model is no array file ({error})") from error
        proper = lid.shape == (n_vertices, 3) and lid.dtype.kind == "f"
        if not proper or not (np.abs(lid) < _EYELID_MAX_M).all():
            raise AssetError(
                f"{name} beside the model does not fit it: shape {lid.shape}, expected "
                f"({n_vertices}, 3) in metres. Move it away or replace it"
            )
        lids.append(lid)
    directions: F32 = np.stack(lids, axis=-1).astype(np.float32)
    return directions
