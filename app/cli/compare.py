"""`n2f compare`: two methods on the same frames, in a window or as files."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import (
    METHODS_SAID,
    InitOption,
    ItersOption,
    ModelOption,
    N2FNetOption,
    NormalsOption,
    OptimizerOption,
    TrustOption,
    UvCheckpointOption,
    UvCoordsOption,
)

__all__ = ["compare"]


def compare(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="A video, a picture, a folder of pictures, sample, synthetic, webcam:N or an "
            "address.",
        ),
    ],
    methods: Annotated[
        str | None,
        typer.Option(
            metavar="LEFT,RIGHT",
            help=f"Two of pixel3dmm (offline), {METHODS_SAID}; or, with --checkpoint, deca, emoca, "
            "smirk, sheap, mica, pixel3dmm-net. Default: pixel3dmm,n2fnet-refined.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Open no window; write film, pictures, CSV and summary there."),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="At most so many frames, spread over the whole input. Default: 100; with --out "
            "10 where a method is offline, else all.",
        ),
    ] = None,
    every: Annotated[
        int | None, typer.Option(min=1, help="Each so many-th frame instead of spreading them.")
    ] = None,
    model: ModelOption = None,
    normals: NormalsOption = None,
    n2fnet: N2FNetOption = None,
    optimizer: OptimizerOption = None,
    init: InitOption = None,
    iters: ItersOption = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="Weights of a peer or of pixel3dmm-net, as its authors gave them.",
        ),
    ] = None,
    uv_checkpoint: UvCheckpointOption = None,
    uv_coords: UvCoordsOption = None,
    trust: TrustOption = False,
    scale_mm: Annotated[
        float, typer.Option(min=0.01, help="Where the colours of the error map end, mm.")
    ] = 5.0,
    whole: Annotated[
        bool, typer.Option("--whole", help="With --out: show whole frames, not only the face.")
    ] = False,
    cache: Annotated[
        bool, typer.Option(help="Keep fits of offline methods, and take those that were kept.")
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --out: print the summary to stdout.")
    ] = False,
    screenshot: Annotated[
        Path | None, typer.Option(help="Write a picture of the window to this PNG, then quit.")
    ] = None,
    after: Annotated[int, typer.Option(min=1, help="Frames to compare before the screenshot.")] = 5,
) -> None:
    """Show two methods side by side, with a wipe and an error map.

    Exit code 1 if no frame shows a face to both.
    """
    if out is None and as_json:
        raise typer.BadParameter("--json needs --out")
    if out is not None and screenshot is not None:
        raise typer.BadParameter("--screenshot is of the window, which --out does without")
    from app.cli.compare_choices import chosen_sides, fitting_of
    from engine.compare.plan import Plan, check_plan
    from engine.compare.ways import SideSetup
    from engine.head_choice import chosen_head_model
    from engine.normal_choice import choose_normals

    fitting = fitting_of(optimizer, init, iters)
    common = SideSetup("", model, normals, n2fnet, fitting, None, trust, uv_checkpoint, uv_coords)
    head, network = chosen_head_model(model), choose_normals(normals)
    sides = chosen_sides(methods, common, checkpoint or [], head, network)
    plan = Plan(source, sides, head, network, every, frames, scale_mm, whole, cache)
    check_plan(plan)
    if out is not None:
        from app.cli.compare_files import write_comparison

        write_comparison(plan, out, as_json=as_json)
        return
    from app.compare_live import run_compare_window

    raise typer.Exit(run_compare_window(plan, screenshot, after))
