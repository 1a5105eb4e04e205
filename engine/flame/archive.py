"""Finds the model inside what a user downloaded: a pickle, or the official zip around it.

Nothing is unpacked to disk, so names inside an archive cannot lead anywhere; sizes are checked
while reading, so an archive cannot swell.
"""

import hashlib
import lzma
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.errors import AssetError

__all__ = ["SITE", "Source", "find_source", "read_source"]

SITE = "https://flame.is.tue.mpg.de"

_MAX_BYTES = 256 * 2**20
"""Official files have 51 MiB."""
_MAX_ARCHIVE_BYTES = 2**30
_MAX_MEMBERS = 1000
_MAX_TEXT_BYTES = 2**18
_PREFERRED = ("generic_model.pkl", "flame2023_open.pkl", "flame2023.pkl")
_NO_MODEL = ("flame_masks.pkl", "flame_static_embedding.pkl", "flame_static_embedding_68.pkl")
_ZIP_START = b"PK\x03\x04"
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError),
    *(EOFError, OSError, KeyError, ValueError),
)
"""What zipfile raises on archives that are cut, scrambled or of a kind it does not know."""


@dataclass(frozen=True, slots=True)
class Source:
    """One model in one file on disk."""

    path: Path
    member: str | None  # its name inside the zip; None for a bare pickle
    sha256: str  # of the file on disk
    notice: str = ""  # licence and read-me texts found beside the model in the zip

    @property
    def label(self) -> str:
        return str(self.path) if self.member is None else f"{self.path} ({self.member})"

    @property
    def names(self) -> str:
        """Everything the model is called, lower case: the file's name, its name in the zip."""
        return f"{self.path.name}/{self.member or ''}".lower()


def find_source(path: Path, *, member: str | None = None) -> Source:
    """Look at a file and decide which model in it is meant.

    Args:
        path: a pickle, or a zip that holds one.
        member: which pickle of a zip, by path, name or stem; None takes the generic model.
    Raises: AssetError: if the file is missing, empty, too large, or holds no such model.
    """
    size, start = _look_at(path)
    if start != _ZIP_START:
        if member is not None:
            raise AssetError(
                f"{path} is no zip, so it has no member {member!r}; leave out --member"
            )
        if size > _MAX_BYTES:
            raise AssetError(_too_large(str(path), size))
        return Source(path, None, _sha256(path))
    if size > _MAX_ARCHIVE_BYTES:
        raise AssetError(_too_large(str(path), size))
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > _MAX_MEMBERS:
                raise AssetError(f"{path} has over {_MAX_MEMBERS} files inside; it is no FLAME zip")
            found = _choose(path, [i for i in archive.infolist() if _is_candidate(i)], member)
            return Source(path, found.filename, _sha256(path), _notice(archive))
    except _DAMAGE as error:
        raise AssetError(
            f"{path} is a damaged zip ({error}); download it again from {SITE}"
        ) from error


def read_source(source: Source) -> bytes:
    """The bytes of the pickle. Raises: AssetError: if they cannot be read or are too many."""
    try:
        if source.member is None:
            return source.path.read_bytes()
        with zipfile.ZipFile(source.path) as archive, archive.open(source.member) as stream:
            data = stream.read(_MAX_BYTES + 1)
    except RuntimeError as error:  # zipfile's word for "encrypted"
        raise AssetError(f"{source.label} is encrypted; unpack it and import the .pkl") from error
    except _DAMAGE as error:
        raise AssetError(
            f"{source.label} is damaged ({error}); download it again from {SITE}"
        ) from error
    if len(data) > _MAX_BYTES:
        raise AssetError(_too_large(source.label, len(data)))
    return data


def _look_at(path: Path) -> tuple[int, bytes]:
    try:
        if path.is_dir():
            raise AssetError(f"{path} is a folder; name the .pkl or .zip file in it")
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(len(_ZIP_START))
    except OSError as error:
        raise AssetError(
            f"head model {path} cannot be read: {error.strerror or error}; FLAME's files are "
            f"downloaded by hand from {SITE}"
        ) from error
    if size == 0:
        raise AssetError(f"{path} is empty; download it again from {SITE}")
    return size, start


def _too_large(label: str, size: int) -> str:
    return (
        f"{label} is too large for a FLAME model: over {size >> 20} MiB, official files have 51. "
        f"Give the .pkl or .zip from {SITE}"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_candidate(info: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(info.filename.replace("\\", "/"))
    tricky = name.is_absolute() or ".." in name.parts or not info.filename.isprintable()
    hidden = "__MACOSX" in name.parts or name.name.startswith(".")
    is_pickle = name.suffix.lower() == ".pkl" and name.name.lower() not in _NO_MODEL
    return is_pickle and not tricky and not hidden


def _choose(path: Path, found: list[zipfile.ZipInfo], member: str | None) -> zipfile.ZipInfo:
    if not found:
        raise AssetError(f"{path} holds no FLAME model (.pkl); take FLAME2020.zip or the like")
    names = ", ".join(info.filename for info in found)
    if member is not None:
        named = [i for i in found if member.lower() in _names_of(i)]
        if len(named) != 1:
            problem = "no model" if not named else f"{len(named)} models"
            raise AssetError(f"{path} has {problem} called {member!r}; it holds: {names}")
        return _checked(path, named[0])
    for preferred in _PREFERRED:
        named = [i for i in found if preferred in _names_of(i)]
        if len(named) == 1:
            return _checked(path, named[0])
    if len(found) == 1:
        return _checked(path, found[0])
    raise AssetError(f"{path} holds several models; choose one with --member: {names}")


def _names_of(info: zipfile.ZipInfo) -> tuple[str, str, str]:
    name = PurePosixPath(info.filename.lower())
    return info.filename.lower(), name.name, name.stem


def _checked(path: Path, info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    if info.file_size > _MAX_BYTES:
        raise AssetError(_too_large(f"{path} ({info.filename})", info.file_size))
    return info


def _notice(archive: zipfile.ZipFile) -> str:
    """Plain-text licences and read-mes; the official PDF ones are left to the user's eyes."""
    texts = []
    for info in archive.infolist():
        name = PurePosixPath(info.filename.lower())
        telling = any(word in name.name for word in ("license", "licence", "readme", "read_me"))
        if telling and name.suffix in ("", ".txt", ".md") and info.file_size <= _MAX_TEXT_BYTES:
            if info.flag_bits & 0x1:  # encrypted
                continue
            with archive.open(info) as stream:
                texts.append(stream.read(_MAX_TEXT_BYTES).decode("utf-8", "replace"))
    return "\n".join(texts)
