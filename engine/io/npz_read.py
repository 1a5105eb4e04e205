"""Opening archives of arrays that a user supplies, which may be damaged."""

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np

__all__ = ["UNREADABLE_NPZ", "open_npz"]

UNREADABLE_NPZ: Final = (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)
"""What opening and reading a missing, damaged or other archive raises."""


def open_npz(path: Path) -> Any:  # noqa: ANN401  (numpy's NpzFile)
    """The archive, to be closed by `with`; numpy would leave the file open where it is no archive.

    Raises: one of UNREADABLE_NPZ.
    """
    archive = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError(f"{path.name} is one array, expected an archive of several")
    return archive
