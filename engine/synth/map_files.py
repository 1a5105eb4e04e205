"""Folders of rows for N2FNet: `{split}-{number:06d}.npy`, and maps.json, which describes them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from engine.errors import AssetError
from engine.files import replacing

__all__ = ["MapInfo", "MapStore", "begin_folder", "read_info", "rows_path", "write_rows"]

Rows = npt.NDArray[np.void]
MapKind = Literal["drawn", "predicted", "real"]
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class MapInfo:
    """What all files of a folder share."""

    kind: MapKind
    model_id: str  # of the head model that coefficients belong to
    map_px: int
    seed: int = 0  # of drawn ones
    source: str = ""  # sha256 of the normal network's file, of predicted ones

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {"format": _FORMAT, **asdict(self)}


def begin_folder(folder: Path, info: MapInfo) -> None:
    """Make a folder for rows, or go on in one.

    Raises: AssetError: if it holds rows of another kind. OutputError.
    """
    if (folder / "maps.json").exists():
        if (found := read_info(folder)) != info:
            raise AssetError(f"{folder} holds {found}, now wanted: {info}; choose another folder")
        return
    with replacing(folder / "maps.json") as temporary:
        temporary.write_text(json.dumps(info.to_dict(), indent=1) + "\n")


def read_info(folder: Path) -> MapInfo:
    """Raises: AssetError: if the folder is no such one."""
    path = folder / "maps.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("format") != _FORMAT:
            raise ValueError(f"expected format {_FORMAT}")
        return MapInfo(**values)
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AssetError(
            f"{path} does not describe maps ({error}); make the folder anew"
        ) from error


def rows_path(folder: Path, split: str, number: int) -> Path:
    """Where a file of rows is."""
    return folder / f"{split}-{number:06d}.npy"


def write_rows(path: Path, rows: Sequence[Rows]) -> None:
    """Rows () or (n,) into a file, whole or not at all."""
    with replacing(path) as temporary:
        np.save(temporary, np.stack(rows), allow_pickle=False)


class MapStore:
    """All rows of one split in a folder, memory-mapped; a `row_source.Store`."""

    def __init__(self, folder: Path, split: str, model_id: str) -> None:
        """Raises: AssetError: if the folder is no such one, or of another head model."""
        self.folder, self.split = folder, split
        self.info = read_info(folder)
        if self.info.model_id != model_id:
            raise AssetError(
                f"{folder} belongs to head model {self.info.model_id[:12]}, the training to "
                f"{model_id[:12]}; choose that model with --model, or make maps for this one"
            )
        self._maps: dict[Path, Rows] = {}
        self._starts = np.zeros(1, np.int64)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def refresh(self, *, may_write: bool = True) -> int:
        """Take in files that have come since; returns how many rows there are now.

        Raises: AssetError: if there are none, or one is damaged or unlike the others.
        """
        for path in sorted(self.folder.glob(f"{self.split}-*.npy")):
            if path not in self._maps:
                self._maps[path] = self._open(path)
        if not self._maps:
            raise AssetError(f"{self.folder} has no {self.split}-*.npy; make them first")
        self._starts = np.cumsum([0, *(len(rows) for rows in self._maps.values())])
        return len(self)

    def read(self, indices: npt.NDArray[np.integer[Any]]) -> Rows:
        """(n,) rows, copied."""
        maps = list(self._maps.values())
        rows = np.empty(len(indices), maps[0].dtype)
        files = np.searchsorted(self._starts, indices, side="right") - 1
        for k, (file, index) in enumerate(zip(files.tolist(), indices.tolist(), strict=True)):
            rows[k] = maps[file][index - self._starts[file]]
        return rows

    def _open(self, path: Path) -> Rows:
        try:
            rows: Rows = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise AssetError(f"{path} is damaged ({error}); delete it") from error
        kinds = {rows.dtype, *(kept.dtype for kept in self._maps.values())}
        if len(kinds) > 1 or not rows.dtype.names:
            raise AssetError(f"{path} holds other fields than its neighbours; delete it")
        return rows
