"""`n2f peers`: published networks, which run with checkpoints of the user's own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engine.peers.layouts import Loaded

__all__ = ["peers_app"]

peers_app = typer.Typer(
    help="Other published networks: which file each needs, and their conversion.",
    no_args_is_help=True,
)

_File = Annotated[
    Path, typer.Argument(metavar="FILE", help="Checkpoint as its authors gave it, or converted.")
]


@peers_app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON. Default: text.")] = False,
) -> None:
    """Which peers can be run, which file each needs, from where, under which licence."""
    from dataclasses import asdict

    from engine.peers.registry import PEERS

    if as_json:
        typer.echo(json.dumps([asdict(peer) for peer in PEERS.values()], indent=2))
        return
    for peer in PEERS.values():
        typer.echo(f"{peer.name}: {peer.title} ({peer.paper})")
        typer.echo(f"  gives:   {peer.gives}; of {peer.head}")
        typer.echo(f"  files:   {' or '.join(peer.files)}")
        typer.echo(f"  from:    {peer.source}")
        typer.echo(f"  licence: {peer.licence}")
    typer.echo(
        "Use one with: n2f fit ... --method NAME --checkpoint FILE --model generic_model.pkl"
    )


@peers_app.command()
def convert(
    file: _File,
    out: Annotated[Path, typer.Option(metavar="FILE.safetensors", help="Where it goes.")],
) -> None:
    """Write the weights that a peer's network uses as .safetensors, which runs no code.

    The file is read as data; whatever asks for more is refused.
    """
    from engine.errors import ProviderError

    if out.suffix != ".safetensors":
        raise typer.BadParameter(f"{out}: expected the ending .safetensors", param_hint="--out")
    try:
        from engine.peers.export import convert_checkpoint
    except ModuleNotFoundError as error:
        raise ProviderError(f"{error.name} is missing; install n2fnet[train]") from error
    _tell(convert_checkpoint(file, out), out)


@peers_app.command()
def export(
    file: _File,
    out: Annotated[Path, typer.Option(metavar="FILE.onnx", help="Where the network goes.")],
) -> None:
    """Write a peer's network as ONNX, and check it in ONNX Runtime against torch.

    Nothing is written where the two differ.
    """
    from engine.errors import ProviderError

    try:
        from engine.peers.export import export_checkpoint
    except ModuleNotFoundError as error:
        raise ProviderError(f"{error.name} is missing; install n2fnet[train]") from error
    loaded, parity = export_checkpoint(file, out)
    _tell(loaded, out)
    typer.echo(f"largest difference {parity.largest:.2g}, codes up to {parity.size:.2g}")


def _tell(loaded: "Loaded", out: Path) -> None:
    typer.echo(f"{out}: {loaded.architecture}, {loaded.n_used} tensors used")
    for name, n in loaded.unused:
        typer.echo(f"  not used: {name}.* ({n})")
