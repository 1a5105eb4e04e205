"""Records a file that a script has made in assets/manifest.toml."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from engine.files import replacing
from engine.io.assets import MANIFEST, Asset, load_manifest, sha256_of

__all__ = ["record_asset", "write_manifest"]

_TEXTS: Final = ("licence", "source", "command", "notice")


def record_asset(
    file: Path,
    *,
    licence: str,
    source: str,
    command: str,
    notice: str = "",
    figures: Mapping[str, float | int | str] | None = None,
    folder: Path | None = None,
) -> Asset:
    """Add a file to the manifest, or bring its entry up to date; the others stay as they are.

    Args:
        file: the finished file, in the assets folder or below it.
        licence: SPDX name where there is one.
        source: what it was made from.
        command: the command that makes it again.
        notice: text that the licence asks to be shown.
        figures: validation figures, name with unit -> value.
        folder: the assets folder; default the file's own.
    Returns: the entry.
    Raises: ValueError: if the file is not in the folder. AssetError: if the manifest that is there
        is damaged. OutputError: if it cannot be written.
    """
    folder = folder or file.parent
    asset = Asset(
        file=file.resolve().relative_to(folder.resolve()).as_posix(),
        sha256=sha256_of(file),
        size=file.stat().st_size,
        licence=licence,
        source=source,
        command=command,
        notice=notice,
        figures=dict(figures or {}),
        folder=folder,
    )
    others = load_manifest(folder) if (folder / MANIFEST).exists() else []
    write_manifest(folder, [*(a for a in others if a.file != asset.file), asset])
    return asset


def write_manifest(folder: Path, assets: Iterable[Asset]) -> None:
    """Write the manifest; the same assets, in any order, give the same bytes.

    Raises: ValueError: if a figure is not finite. OutputError: if it cannot be written.
    """
    head = "# The files of this folder. Written by engine/io/manifest_write.py.\n"
    parts = [_entry(asset) for asset in sorted(assets, key=lambda asset: asset.file)]
    with replacing(folder / MANIFEST) as temporary:
        temporary.write_text("\n".join([head, *parts]), encoding="utf-8")


def _entry(asset: Asset) -> str:
    lines = ["[[asset]]", f"file = {_text(asset.file)}", f"sha256 = {_text(asset.sha256)}"]
    lines.append(f"size = {asset.size}")
    lines += [f"{key} = {_text(getattr(asset, key))}" for key in _TEXTS]
    if asset.figures:
        lines.append("[asset.figures]")
        lines += [f"{_text(k)} = {_value(v)}" for k, v in sorted(asset.figures.items())]
    return "\n".join(lines) + "\n"


def _value(value: float | int | str) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return str(int(value))
    if not math.isfinite(value):
        raise ValueError(f"figure {value} is not finite")
    return repr(float(value))


def _text(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's, but for DEL, which TOML does not allow."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
