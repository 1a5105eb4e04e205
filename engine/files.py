"""Writing files whole or not at all, and deleting them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import OutputError

__all__ = ["delete", "replacing"]


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

    The temporary keeps the suffix, so that writers that look at it still work. On any error the
    temporary is removed and an existing `path` stays as it was.
    Raises: OutputError: if the folder cannot be written or the disk is full.
    """
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
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
