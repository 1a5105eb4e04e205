"""Writing files whole or not at all, and deleting them."""

import os
import platform
import re
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from engine.errors import OutputError

__all__ = ["delete", "remove_leftovers", "replacing"]

_STEM_LENGTH: Final = 40
"""Of a temporary's name, which must not become longer than file systems take."""
_LEFTOVER: Final = re.compile(r"\..*\.partial-(?P<machine>[0-9a-f]{8})-(?P<pid>[0-9]+)-[0-9a-f]+")


def delete(path: Path) -> None:
    """Delete a file, if it is there. Raises: OutputError: if that cannot be."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be deleted: {error.strerror or error}; delete it by hand"
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes the place of `path`.

    The temporary keeps the suffix, so that writers that look at it still work, and has a name of
    its own, so that processes may write the same file at once: the last to finish wins. On any
    error the temporary is removed and an existing `path` stays as it was.
    Raises: OutputError: if the folder cannot be written or the disk is full.
    """
    own = f"partial-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    temporary = path.with_name(f".{path.stem[:_STEM_LENGTH]}.{own}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}; "
            "choose another folder or free some space"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def remove_leftovers(folder: Path) -> None:
    """Remove temporaries of `replacing` whose process was killed, on this machine."""
    for path in folder.glob(".*.partial-*"):
        found = _LEFTOVER.match(path.name)
        if found and found["machine"] == _machine() and not _runs(int(found["pid"])):
            with suppress(OSError):
                path.unlink()


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _runs(pid: int) -> bool:
    """Whether there is such a process; True where that cannot be asked."""
    if os.name != "posix":  # elsewhere the question ends the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
