"""Permission tests that hold for root, too, whom permission bits do not bind."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["as_nobody"]

NOBODY = 65534


@contextmanager
def as_nobody(folder: Path, mode: int = 0o555) -> Iterator[None]:
    """Set folder's permission bits; root becomes an ordinary user meanwhile."""
    before, user = folder.stat().st_mode, os.geteuid()
    temporary = Path(tempfile.gettempdir())
    parents = [p for p in folder.parents if user == 0 and temporary in p.parents]
    opened = {p: p.stat().st_mode for p in parents if not p.stat().st_mode & 0o001}
    for parent in opened:
        parent.chmod(opened[parent] | 0o001)
    folder.chmod(mode)
    try:
        if user == 0:
            os.seteuid(NOBODY)
        yield
    finally:
        if user == 0:
            os.seteuid(user)
        folder.chmod(before)
        for parent, parent_mode in opened.items():
            parent.chmod(parent_mode)
