"""`n2f compare`: two methods on the same frames, in a window or as files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import (
    InitOption,
    ItersOption,
    ModelOption,
    N2FNetOption,
    NormalsOption,
    OptimizerOption,
)

if TYPE_CHECKING:
    from engine.compare.plan import Plan
    from engine.fitting.settings import FitSettings

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
            help="Two of pixel3dmm (offline), n2fnet-refined, n2fnet, n2fnet-noseg, rgb, "
            "landmarks-refined, landmarks. Default: pixel3dmm,n2fnet-refined.",
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
    plan = _plan(
        source, methods, model, normals, n2fnet, _fitting(optimizer, init, iters), frames, every,
        scale_mm, whole=whole, cached=cache,
    )  # fmt: skip
    if out is not None:
        from app.cli.compare_files import write_comparison

        write_comparison(plan, out, as_json=as_json)
        return
    from app.compare_live import run_compare_window

    raise typer.Exit(run_compare_window(plan, screenshot, after))


def _plan(
    source: str,
    methods: str | None,
    model: Path | None,
    normals: str | None,
    n2fnet: Path | None,
    fitting: "FitSettings | None",
    frames: int | None,
    every: int | None,
    scale_mm: float,
    *,
    whole: bool,
    cached: bool,
) -> "Plan":
    """Checked: what is wrong with a method is told before anything is opened."""
    from engine.compare.plan import DEFAULT_METHODS, WITHOUT_OFFLINE, Plan, check_plan
    from engine.compare.ways import SideSetup, is_offline, why_not
    from engine.head_choice import chosen_head_model
    from engine.normal_choice import choose_normals

    asked = _two(methods) if methods is not None else DEFAULT_METHODS
    head, network = chosen_head_model(model), choose_normals(normals)
    setups = [SideSetup(name, model, normals, n2fnet, fitting) for name in asked]
    if methods is None and (reason := why_not(setups[0], head, network)):
        typer.echo(f"{asked[0]} cannot be used: {reason}", err=True)
        setups = [SideSetup(name, model, normals, n2fnet) for name in WITHOUT_OFFLINE]
    if fitting is not None and not any(is_offline(setup.method) for setup in setups):
        raise typer.BadParameter(
            "--optimizer, --init and --iters are of pixel3dmm, not compared here"
        )
    left, right = setups
    plan = Plan(source, (left, right), head, network, every, frames, scale_mm, whole, cached)
    check_plan(plan)
    return plan


def _two(listed: str) -> tuple[str, str]:
    """The methods of a list, if they are two that there are."""
    from engine.compare.ways import COMPARED

    names = [name.strip() for name in listed.split(",")]
    if unknown := [name for name in names if name not in COMPARED]:
        raise typer.BadParameter(
            f"--methods: {', '.join(unknown) or 'nothing'}; choose two from: {', '.join(COMPARED)}"
        )
    if len(names) != 2 or names[0] == names[1]:
        raise typer.BadParameter("--methods takes two different methods, LEFT,RIGHT")
    return names[0], names[1]


def _fitting(optimizer: str | None, init: str | None, iters: int | None) -> "FitSettings | None":
    """The optimiser's settings; None where nothing is asked for."""
    given = {"optimizer": optimizer, "init": init, "iters": iters}
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        return None
    from engine.fitting.settings import FitSettings

    try:
        return FitSettings(**given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
