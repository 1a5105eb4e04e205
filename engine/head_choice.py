"""The head model that a person chose: the bundled one, one of our files, or a FLAME file."""

from pathlib import Path

from engine.errors import AssetError
from engine.flame.cache import open_head
from engine.flame.model import HeadModel, load_head_model
from engine.io.assets import asset_path
from engine.io.readable import probing

__all__ = ["chosen_head_model"]


def chosen_head_model(path: Path | None) -> HeadModel:
    """Load a head model; None: the bundled openhead.

    Args:
        path: .npz as written by `save_head_model`, or an official FLAME .pkl or .zip.
    Raises: AssetError: if it is missing, damaged or refused.
    """
    if path is not None:
        with probing(path, "check --model", AssetError):
            missing = not path.exists()
        if missing:
            raise AssetError(f"head model {path} does not exist; check --model")
    bundled = load_head_model(asset_path("openhead.npz"))
    return bundled if path is None else open_head(path, bundled)
