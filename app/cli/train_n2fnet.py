"""`n2f train n2fnet`: from normal maps to a head model's parameters."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import ModelOption

__all__ = ["n2fnet"]


def n2fnet(
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for checkpoint.pt, weights.npz, log.csv, and maps that are made; training "
            "goes on where a checkpoint is there."
        ),
    ],
    model: ModelOption = None,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="baseline, two-stage, both-frames, with-points (as the shipped one), finetuned, "
            "finetuned-drawn, noseg, rgb, drawn, or a TOML file. Default: two-stage with --shards "
            "or --predicted, else drawn; with --stage finetune as told there.",
        ),
    ] = None,
    drawn: Annotated[
        Path | None,
        typer.Option(help="Folder of drawn maps. Default: OUT/drawn, drawn now as far as needed."),
    ] = None,
    draw: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many are drawn, 33 kB each, and a fiftieth (200 at least) to validate. "
            "Default: 50,000 times --scale, 2,000 at least.",
        ),
    ] = None,
    shards: Annotated[
        Path | None,
        typer.Option(
            help="Folder of train-*.tar and val-*.tar from n2f synth; what --normals sees in them "
            "goes to OUT/predicted."
        ),
    ] = None,
    normals: Annotated[
        Path | None, typer.Option(help="Normal network, ONNX. Default: the bundled one.")
    ] = None,
    predicted: Annotated[
        Path | None, typer.Option(help="Folder of predicted maps, in place of --shards.")
    ] = None,
    real: Annotated[
        Path | None, typer.Option(help="Folder of maps of real faces with fitted parameters.")
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(
            help="finetune: goes on from --init with --data; without --config by finetuned, or by "
            "finetuned-drawn where the weights look at what those of drawn do. What it wants of "
            "predicted maps is drawn where neither --shards nor --predicted is given."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of photos or videos for --stage finetune; they are fitted first, a video "
            "by one frame a second."
        ),
    ] = None,
    val: Annotated[
        Path | None,
        typer.Option(help="Folder of val-*.npy. Default: predicted maps, else drawn ones."),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            help="Weights to start from, .pt or .npz. Default: random; with --stage finetune the "
            "shipped ones, for the bundled head model."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that draw. Default: one a processor.")
    ] = None,
    scale: Annotated[
        float,
        typer.Option(
            min=1e-5,
            max=1000,
            help="Share of the configuration's steps; 0.04 suits two cores.",
        ),
    ] = 1.0,
    max_minutes: Annotated[
        float, typer.Option(min=0, help="Stop, and save, after this many minutes. Default: never.")
    ] = float("inf"),
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
    """Train N2FNet for a head model.

    Prints the scores of the last validation as JSON. Ctrl-C or SIGTERM saves and ends.
    """
    from engine.errors import ProviderError
    from engine.head_choice import chosen_head_model

    if shards is not None and predicted is not None:
        raise typer.BadParameter("give either --shards or --predicted")
    if stage not in (None, "finetune"):
        raise typer.BadParameter(f"{stage!r}; there is: finetune", param_hint="--stage")
    if stage == "finetune" and data is None and real is None:
        raise typer.BadParameter("--stage finetune needs --data FOLDER")
    if stage is None and data is not None:
        raise typer.BadParameter("--data goes with --stage finetune; samples come by --shards")
    try:
        from engine.training.finetune import finetune_config, finetune_start, without_predicted
        from engine.training.launch import launch
        from engine.training.n2f_maps import MapSources, check_sources, n_to_draw, prepare_maps
        from engine.training.n2f_settings import config_names, read_n2f_settings
        from engine.training.train_n2fnet import N2FPaths, check_init, train_n2fnet
    except ModuleNotFoundError as error:
        raise ProviderError(f"{error.name} is missing; install n2fnet[train]") from error
    has_predicted = shards is not None or predicted is not None
    head = chosen_head_model(model)
    if stage == "finetune":
        if (init := finetune_start(init, head, out)) is None:
            raise typer.BadParameter(
                "--stage finetune needs --init WEIGHTS and --data FOLDER: the shipped weights are "
                f"not of {head.name}; train some with --config drawn"
            )
        config = config or finetune_config(init)
    settings = read_n2f_settings(config or ("two-stage" if has_predicted else "drawn"))
    if stage == "finetune" and not has_predicted and config in config_names():
        settings = without_predicted(settings)
    try:
        settings = settings.scaled(scale)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scale") from error
    on = launch(devices, strategy, accelerator, threads)
    n_drawn = draw or n_to_draw(scale)
    sources = MapSources(drawn, n_drawn, shards, normals, predicted, real, data, val)
    check_sources(settings, head, sources)
    check_init(settings, head, init, out)
    if on.rank == 0:
        prepare_maps(settings, head, sources, out, workers)
    on.wait()
    folders, val_folder = sources.folders(settings, out)
    paths = N2FPaths(folders, out, val_folder, init)
    scores = train_n2fnet(settings, head, paths, on, max_minutes=max_minutes)
    if on.rank == 0:
        typer.echo(json.dumps(scores))
