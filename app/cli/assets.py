"""`n2f assets`: head models and other files, their hashes and licences, and a user's own FLAME."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from engine.flame.cache import ImportedHead
    from engine.flame.model import HeadModel
    from engine.io.assets import Asset

__all__ = ["assets_app"]

assets_app = typer.Typer(
    help="Head models and weights: what is there, whether it is whole, and under which licence.",
    no_args_is_help=True,
)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON. Default: text.")]


@assets_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="FLAME's .pkl, or the .zip it came in.")],
    member: Annotated[
        str | None,
        typer.Option(help="Which model of a zip, by its name there. Default: the generic one."),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Convert a FLAME file once; after that, `--model FILE` starts at once."""
    from engine.flame.cache import import_flame

    typer.echo(f"Reading {file}; the first time takes some seconds.", err=True)
    head = import_flame(file, _reference(), member=member)
    if as_json:
        typer.echo(json.dumps(_head_as_dict(head), indent=2))
        return
    typer.echo(_head_as_text(head))
    typer.echo(f"Use it with: n2f live --model {file}")


@assets_app.command("list")
def list_(as_json: _Json = False) -> None:
    """What comes with the program, and the heads imported so far."""
    from engine.flame.cache import imported_heads
    from engine.io.assets import load_manifest

    assets, heads = load_manifest(), imported_heads()
    if as_json:
        found = {
            "assets": [_asset_as_dict(asset) for asset in assets],
            "imported": [_head_as_dict(head) for head in heads],
        }
        typer.echo(json.dumps(found, indent=2))
        return
    for asset in assets:
        typer.echo(f"{asset.file}  {_megabytes(asset.size)}  {asset.licence}")
        typer.echo(f"  from: {asset.source}")
        if asset.notice:
            typer.echo(f"  notice: {asset.notice}")
    for head in heads:
        typer.echo("")
        typer.echo(_head_as_text(head))


@assets_app.command()
def verify(as_json: _Json = False) -> None:
    """Compare every file with its recorded hash; exit code 1 if one is missing or changed."""
    from engine.io.assets import load_manifest

    states = [(asset, asset.check()) for asset in load_manifest()]
    if as_json:
        typer.echo(json.dumps([_asset_as_dict(a) | {"status": s} for a, s in states], indent=2))
    else:
        for asset, state in states:
            typer.echo(f"{state:8}{asset.file}")
    bad = [asset for asset, state in states if state != "ok"]
    for asset in bad:
        typer.echo(f"{asset.path} is not as recorded; {asset.remedy}", err=True)
    if bad:
        raise typer.Exit(1)


def _reference() -> "HeadModel":
    """The bundled head model, which gives landmarks and regions to imported ones."""
    from engine.flame.model import load_head_model
    from engine.io.assets import asset_path

    return load_head_model(asset_path("openhead.npz"))


def _head_as_dict(head: "ImportedHead") -> dict[str, Any]:
    return {
        **head.release.to_meta(),
        "model_id": head.model.model_id,
        "vertices": head.model.n_vertices,
        "triangles": len(head.model.faces),
        "shape_components": head.model.n_shape,
        "expression_components": head.model.n_expr,
        "eyelids": head.model.eyelid_dirs is not None,
        "landmarks_residual_mm": head.model.meta["landmarks_residual_mm"],
        "source_file": head.model.meta["source_file"],
        "source_member": head.model.meta["source_member"],
        "source_sha256": head.model.meta["source_sha256"],
        "path": str(head.path),
        "from_cache": head.from_cache,
    }


def _head_as_text(head: "ImportedHead") -> str:
    model, release = head.model, head.release
    member = model.meta["source_member"]
    lines = [
        f"{release.name} (recognised by {release.recognised_by})",
        f"  file:     {model.meta['source_file']}" + (f" ({member})" if member else ""),
        f"  licence:  {release.licence}",
        f"  use:      {release.use}",
        f"  credit:   {release.attribution}",
        f"  contents: {model.n_vertices} vertices, {len(model.faces)} triangles, "
        f"{model.n_shape} shape and {model.n_expr} expression components"
        + (", eyelids" if model.eyelid_dirs is not None else ""),
        f"  kept as:  {head.path}" + (" (converted earlier)" if head.from_cache else ""),
    ]
    return "\n".join([*lines, *(f"  note:     {note}" for note in release.notes)])


def _asset_as_dict(asset: "Asset") -> dict[str, Any]:
    return {
        "file": asset.file,
        "sha256": asset.sha256,
        "size": asset.size,
        "licence": asset.licence,
        "source": asset.source,
        "command": asset.command,
        "notice": asset.notice,
        "figures": dict(asset.figures),
        "path": str(asset.path),
    }


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
