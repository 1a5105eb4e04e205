"""People whose head shape is known: learned once, kept under a name, used from the first frame."""

import logging
import zipfile
from pathlib import Path

import numpy as np

from engine.errors import AssetError
from engine.files import delete, replacing
from engine.types import F32, FlameParams

__all__ = ["Persons"]

logger = logging.getLogger(__name__)


class Persons:
    """Shapes in a folder, one file for each person; no pixels are kept."""

    def __init__(self, folder: Path | None) -> None:
        """folder: None: nobody is known, nothing is kept."""
        self._folder = folder

    def names(self) -> list[str]:
        """Who is known."""
        return sorted(p.stem for p in self._folder.glob("*.npz")) if self._folder else []

    def keep(self, name: str, params: FlameParams) -> None:
        """Keep the shape of these parameters. Raises: OutputError; ValueError: for a bad name."""
        if not name.strip() or any(c in name for c in '/\\:*?"<>|') or name.startswith("."):
            raise ValueError(f"{name!r} cannot be a file's name; use letters, digits and spaces")
        if self._folder is not None:
            with replacing(self._folder / f"{name}.npz") as temporary:
                np.savez(temporary, shape=params.shape, model_id=np.array(params.model_id))

    def forget(self, name: str) -> None:
        """Delete a person's shape. Raises: OutputError: if that cannot be."""
        if self._folder is not None:
            delete(self._folder / f"{name}.npz")

    def shape_of(self, name: str, model_id: str) -> F32 | None:
        """(n_shape,) of a person; None where nothing is kept, or it belongs to another head model.

        Raises: AssetError: if the file is damaged.
        """
        if self._folder is None or not name:
            return None
        path = self._folder / f"{name}.npz"
        try:
            with np.load(path) as kept:
                shape, of_model = kept["shape"], str(kept["model_id"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise AssetError(
                f"{path} is damaged ({error}); delete it, and keep {name} again"
            ) from error
        if of_model != model_id:
            logger.warning("%s was kept with another head model and is learned anew", name)
            return None
        return shape.astype(np.float32)
