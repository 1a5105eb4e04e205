"""Names of takes, and what a killed program left of them."""

import time
from datetime import datetime
from pathlib import Path
from typing import Final

from engine.errors import OutputError
from engine.io.living import is_living

__all__ = ["free_path", "make_folder", "rescue_partials", "take_stem"]

_KINDS: Final = (".mp4", ".mkv", ".csv")
_LIVING_S: Final = 10.0
"""Where no lock tells it, a file that was written to more recently may belong to a program that
still runs."""


def take_stem(now: datetime) -> str:
    """What a take begun at that moment is called."""
    return f"n2f-{now:%Y%m%d-%H%M%S}"


def make_folder(folder: Path) -> None:
    """Make a folder for takes, unless it is there.

    Raises: OutputError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made: {error.strerror or error}; choose another folder"
        ) from error


def free_path(folder: Path, stem: str, suffix: str) -> Path:
    """A file of that name, or with a number behind it, that is not there yet.

    Raises: OutputError: if the folder cannot be made.
    """
    make_folder(folder)
    path, number = folder / f"{stem}{suffix}", 2
    while path.exists():
        path, number = folder / f"{stem}-{number}{suffix}", number + 1
    return path


def rescue_partials(folder: Path, now_s: float | None = None) -> list[Path]:
    """Give films and tables that a killed program left unfinished a name that people see.

    Args:
        now_s: seconds since the epoch; None: the clock's.
    Returns: where they are now. What cannot be renamed stays, and what a program still writes to.
    """
    now_s = time.time() if now_s is None else now_s
    rescued = []
    for partial in sorted(folder.glob(".*.partial.*")):
        if partial.suffix not in _KINDS:
            continue
        stem = partial.name.removeprefix(".").removesuffix(f".partial{partial.suffix}")
        try:
            if partial.stat().st_size and not _is_living(partial, now_s):
                path = free_path(folder, f"{stem} (recovered)", partial.suffix)
                rescued.append(partial.replace(path))
        except (OSError, OutputError):
            continue
    return rescued


def _is_living(partial: Path, now_s: float) -> bool:
    """Whether a program still writes to it."""
    living = is_living(partial)
    return now_s - partial.stat().st_mtime <= _LIVING_S if living is None else living
