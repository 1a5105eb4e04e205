"""`n2f export`: trained networks as the files that the program runs."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["export_app"]

export_app = typer.Typer(
    help="Write trained networks as ONNX (needs n2fnet[train]).", no_args_is_help=True
)


@export_app.callback()
def _group() -> None:
    """One command so far; the callback keeps its name on the command line."""


@export_app.command()
def normals(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="checkpoint.pt or weights.npz.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.onnx", help="Where the network goes.")],
) -> None:
    """Write the normal network, and check it in ONNX Runtime against torch.

    Nothing is written where the two differ.
    """
    from dataclasses import asdict

    from engine.errors import ProviderError
    from engine.io.assets import asset_path, sha256_of

    try:
        from engine.training.export_normals import export_normals
    except ModuleNotFoundError as error:
        raise ProviderError(f"{error.name} is missing; install n2fnet[train]") from error
    parity = export_normals(checkpoint, out, sha256_of(asset_path("openhead.npz")))
    typer.echo(f"{out}: {asdict(parity)}")
