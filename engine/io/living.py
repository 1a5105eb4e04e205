"""Files of programs that still run: locked by them, and free at once however they end."""

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["is_living", "mark_living"]


def mark_living(path: Path) -> Callable[[], None]:
    """Lock a file until its program ends, by a kill too.

    Where the file system knows no locks it stays unlocked; Windows needs none, as it lets nobody
    rename a file that is open.
    Returns: unlocks it.
    Raises: OSError: if the file cannot be opened.
    """
    if sys.platform == "win32":
        return lambda: None
    import fcntl

    file = path.open("rb")
    with suppress(OSError):
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file.close


def is_living(path: Path) -> bool | None:
    """Whether a program that runs has marked the file, this one too; None: it cannot be known.

    Raises: OSError: if the file cannot be opened.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    with path.open("rb") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return None
    return False
