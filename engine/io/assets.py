"""The files that come with the program, each checked by the hash in assets/manifest.toml."""

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal

from engine.errors import AssetError

__all__ = ["Asset", "AssetState", "asset_path", "assets_dir", "load_manifest", "sha256_of"]

AssetState = Literal["ok", "missing", "changed"]

MANIFEST: Final = "manifest.toml"
_LONGEST_TOLD: Final = 80
"""Characters of a command that is told in a message; longer ones are looked up."""
ENVIRONMENT: Final = "N2F_ASSETS"
"""Names another folder of assets, e.g. for a packaged program."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of ours: what it must be, where it comes from, what may be done with it."""

    file: str  # path below the assets folder, with "/"
    sha256: str  # of its contents, lower-case hexadecimal
    size: int  # bytes
    licence: str  # SPDX name where there is one
    source: str  # what it was made from
    command: str  # makes it again
    notice: str = ""  # text that the licence asks to be shown
    figures: Mapping[str, float | int | str] = field(default_factory=dict)  # of its validation
    folder: Path = Path()  # the assets folder it was found in

    @property
    def path(self) -> Path:
        """Where the file is, or should be."""
        return self.folder / self.file

    @property
    def remedy(self) -> str:
        """What to do where the file is not as it should be."""
        short = len(self.command) <= _LONGEST_TOLD
        how = f"({self.command})" if short else f"as {self.folder / MANIFEST} says"
        return f"take it from a fresh copy of the project, or make it again {how}"

    def check(self) -> AssetState:
        """Compare the file with its record: size first, then hash."""
        try:
            if self.path.stat().st_size != self.size:
                return "changed"
            return "ok" if sha256_of(self.path) == self.sha256 else "changed"
        except OSError:
            return "missing"


def assets_dir() -> Path:
    """The folder of assets: N2F_ASSETS, else beside the package, else where the wheel put it.

    Raises: AssetError: if it is in none of these places.
    """
    if named := os.environ.get(ENVIRONMENT):
        if (Path(named) / MANIFEST).is_file():
            return Path(named)
        raise AssetError(f"{ENVIRONMENT} is {named}, but there is no {MANIFEST} in it; correct it")
    checkout = Path(__file__).resolve().parents[2] / "assets"
    if (checkout / MANIFEST).is_file():
        return checkout
    try:
        installed = metadata.files("n2fnet") or []
    except metadata.PackageNotFoundError:
        installed = []
    for file in installed:
        if file.match(f"n2fnet/assets/{MANIFEST}"):
            return Path(str(file.locate())).resolve().parent
    raise AssetError(
        f"the assets are missing: expected {checkout / MANIFEST} or the wheel's "
        f"share/n2fnet/assets; install n2fnet again, or set {ENVIRONMENT} to their folder"
    )


def load_manifest(folder: Path | None = None) -> list[Asset]:
    """What the manifest lists, in its order.

    Args:
        folder: the assets folder; default `assets_dir()`.
    Raises: AssetError: if the manifest is missing or not as it should be.
    """
    folder = folder or assets_dir()
    path = folder / MANIFEST
    try:
        entries = tomllib.loads(path.read_text("utf-8")).get("asset", [])
        return [_asset(entry, folder) for entry in entries]
    except OSError as error:
        raise AssetError(
            f"{path} cannot be read: {error.strerror}; take a fresh copy of the project"
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise AssetError(f"{path} is damaged: {error}; take a fresh copy of it") from error


def asset_path(name: str, folder: Path | None = None) -> Path:
    """Where an asset is, after its hash has been checked.

    Args:
        name: as in the manifest, e.g. "openhead.npz".
        folder: the assets folder; default `assets_dir()`.
    Raises: AssetError: if it is not listed, missing or changed.
    """
    assets = {asset.file: asset for asset in load_manifest(folder)}
    if name not in assets:
        raise AssetError(f"no asset is called {name}; there are: {', '.join(assets) or 'none'}")
    asset = assets[name]
    if (state := asset.check()) == "ok":
        return asset.path
    what = "is missing" if state == "missing" else "is not the file that the manifest records"
    raise AssetError(f"{asset.path} {what} (sha256 {asset.sha256[:12]}...); {asset.remedy}")


def sha256_of(path: Path) -> str:
    """Hash of a file's contents, lower-case hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _asset(entry: dict[str, Any], folder: Path) -> Asset:
    asset = Asset(**entry, folder=folder)
    for key in ("file", "sha256", "licence", "source", "command", "notice"):
        if not isinstance(getattr(asset, key), str):
            raise ValueError(f"{key} of {asset.file!r} is not text")
    if not isinstance(asset.size, int):
        raise ValueError(f"size of {asset.file!r} is not a whole number")
    return asset
