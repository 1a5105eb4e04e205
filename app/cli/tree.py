"""The typer tree: which commands there are, and what holds for all of them."""

import logging
from importlib.metadata import version
from typing import Annotated

import typer

from app.cli.assets import assets_app
from app.cli.bench import bench
from app.cli.bench_live import live as bench_live
from app.cli.compare import compare
from app.cli.demo import demo
from app.cli.doctor import doctor
from app.cli.export import export_app
from app.cli.fit import fit
from app.cli.live import live
from app.cli.peers import peers_app
from app.cli.synth import synth
from app.cli.train import train_app

__all__ = ["cli"]

cli = typer.Typer(
    name="n2f",
    help="Real-time 3D face capture: camera, video or photo in, a fitted head model out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"n2f {version('n2fnet')}")
        raise typer.Exit


@cli.callback()
def _for_all_commands(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log more to stderr. Default: warnings only.")
    ] = False,
    version: Annotated[  # acted on by _show_version
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show and exit."),
    ] = False,
) -> None:
    logging.basicConfig(  # to stderr: stdout is for results
        level=logging.DEBUG if verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
    )


cli.command()(demo)
cli.command()(live)
cli.command()(fit)
cli.command()(bench)
cli.command()(compare)
cli.command()(synth)
cli.add_typer(train_app, name="train")
cli.add_typer(export_app, name="export")
cli.add_typer(assets_app, name="assets")
cli.add_typer(peers_app, name="peers")
cli.command()(doctor)
cli.command("bench-live", hidden=True)(bench_live)
