"""Which pack to use where none is named."""

from pathlib import Path

from platformdirs import user_data_path

from engine.errors import AssetError

__all__ = ["chosen_pack", "user_pack_path"]


def user_pack_path() -> Path:
    """Where a pack is looked for in the user's data folder."""
    return user_data_path("n2fnet", appauthor=False) / "synth_pack.npz"


def chosen_pack(path: Path | None) -> Path | None:
    """The pack that is named, else the user's own, else None: built-in looks.

    Raises: AssetError: if a named one is not there.
    """
    if path is None:
        return user_pack_path() if user_pack_path().is_file() else None
    if not path.is_file():
        raise AssetError(
            f"pack {path} is not there; make one with python -m engine.synth.build_pack, or leave "
            "it out for built-in looks"
        )
    return path
