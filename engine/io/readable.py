"""What can be said about a file before decoding it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import CaptureError, EngineError

__all__ = ["check_readable", "probing"]

_LONGEST_SHOWN = 255
"""Characters; more than any name that can exist, so that only what cannot exist is cut."""


@contextmanager
def probing(path: Path, fix: str, kind: type[EngineError] = CaptureError) -> Iterator[None]:
    """Around questions to the system about a path, such as is_dir() and resolve().

    They fail on names that are too long, loops of links, unknown ~users, NULs, and folders that
    may not be searched.
    Args:
        fix: what to do about it, e.g. "check --model".
        kind: the error to raise.
    Raises: kind, naming cause and fix.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise kind(f"{_shown(path)} cannot be looked at: {reason}; {fix}") from error


def check_readable(path: Path, kind: str) -> None:
    """Raises: CaptureError: naming cause and fix, if path is no readable file with contents.

    Args:
        path: the file.
        kind: what it should be, e.g. "picture".
    """
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise CaptureError(f"{path} is empty (0 bytes); copy or download it again")
    except FileNotFoundError as error:
        raise CaptureError(f"{path} does not exist; check the path") from error
    except IsADirectoryError as error:
        raise CaptureError(f"{path} is a folder, not a {kind}; name a file in it") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise CaptureError(
            f"{_shown(path)} cannot be opened: {reason}; check the path and its permissions"
        ) from error


def _shown(path: Path) -> str:
    """The path as one line; of a very long one its start."""
    text = str(path) if str(path).isprintable() else ascii(str(path))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
