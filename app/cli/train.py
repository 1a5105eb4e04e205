"""`n2f train`: the networks' training, on synthetic samples."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import PackOption, announced_pack
from app.cli.train_n2fnet import n2fnet

__all__ = ["train_app"]

train_app = typer.Typer(
    help="Train networks on synthetic samples (needs n2fnet[train]).", no_args_is_help=True
)


@train_app.callback()
def _group() -> None:
    """Its commands' common parent."""


train_app.command("n2fnet")(n2fnet)


@train_app.command()
def normals(
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for checkpoint.pt, weights.npz and log.csv; training goes on where a "
            "checkpoint is there."
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(help="Folder of train-*.tar, from n2f synth. This or --fly.")
    ] = None,
    fly: Annotated[
        bool,
        typer.Option(
            "--fly", help="Make the samples meanwhile: each is used once and none is stored."
        ),
    ] = False,
    pack: PackOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --fly: processes that make samples, for each of --devices. Default: one for "
            "each processor but one.",
        ),
    ] = None,
    population: Annotated[
        str | None,
        typer.Option(help="Whose samples: both, openhead or makehuman, in place of the settings'."),
    ] = None,
    val: Annotated[
        Path | None,
        typer.Option(
            help="Folder of val-*.tar. Default: the data folder, if it has any; without, nothing "
            "is validated."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings, TOML. Default: the program's own.")
    ] = None,
    init: Annotated[
        Path | None, typer.Option(help="Weights to start from, .pt or .npz. Default: random.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps in all, in place of the settings' number.")
    ] = None,
    max_minutes: Annotated[
        float, typer.Option(min=0, help="Stop, and save, after this many minutes. Default: never.")
    ] = float("inf"),
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder for decoded samples, 0.2 MB each. Default: .cache in the data folders."
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads. Default: one for each core.")
    ] = None,
    devices: Annotated[
        int, typer.Option(min=1, help="Processes, or graphics cards; more than 1 needs Fabric.")
    ] = 1,
    strategy: Annotated[
        str, typer.Option(help="How several share the work: auto, or ddp and others of Fabric.")
    ] = "auto",
    accelerator: Annotated[
        str, typer.Option(help="cpu, cuda or mps; other than cpu needs Fabric.")
    ] = "cpu",
) -> None:
    """Train the normal network.

    Prints the scores of the last validation as JSON. Ctrl-C or SIGTERM saves and ends.
    """
    from dataclasses import replace

    from engine.errors import ProviderError
    from engine.training.settings import NormalTrainSettings, read_settings

    if (data is not None) == fly:
        raise typer.BadParameter("give either --data FOLDER or --fly")
    if not fly and (pack is not None or workers is not None):
        raise typer.BadParameter("--pack and --workers go with --fly")
    try:
        from engine.training.fly import Fly
        from engine.training.launch import launch
        from engine.training.train_normals import TrainPaths, train_normals
    except ModuleNotFoundError as error:
        raise ProviderError(f"{error.name} is missing; install n2fnet[train]") from error
    settings = read_settings(config) if config else NormalTrainSettings()
    if steps is not None:
        settings = replace(settings, steps=steps)
    if population is not None:
        try:
            settings = replace(settings, population=population)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    on = launch(devices, strategy, accelerator, threads)
    samples = data or Fly(announced_pack(pack, settings.population), workers)
    paths = TrainPaths(data=samples, out=out, val=val, init=init, cache=cache)
    scores = train_normals(settings, paths, on, max_minutes=max_minutes)
    if on.rank == 0:
        typer.echo(json.dumps(scores))
