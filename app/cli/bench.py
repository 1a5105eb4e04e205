"""`n2f bench`: the paper's tables on the data there is, and how fast everything is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli.options import ModelOption, N2FNetOption, NormalsOption, PackOption

if TYPE_CHECKING:
    from engine.benchmark.methods import MethodSetup
    from engine.benchmark.runner import BenchRun, BenchSettings
    from engine.benchmark.speed import SpeedResult

__all__ = ["bench"]

_SPEED, _LIVE = "speed", "live"


def bench(
    suites: Annotated[
        list[str],
        typer.Argument(
            metavar="SUITE...",
            help="synthetic (nothing needed), multiface, 300w, now (--data), speed; several are "
            "reported together. Or live: the window's path, which needs a display.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for rows, run.json, report and figures.")],
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR|SUITE=DIR", help="Where a data set lies; once for each suite."),
    ] = None,
    methods: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Comma-separated. Default: mediapipe and all of this program's; peers where a "
            "--checkpoint is given.",
        ),
    ] = "",
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Samples of each suite, drawn evenly; of speed, runs."),
    ] = None,
    alignment: Annotated[
        Literal["A", "B", "C"],
        typer.Option(
            help="A: size from landmarks, then rigid; B: size free throughout; C: no change of "
            "size. Of NoW, C is the metrical protocol."
        ),
    ] = "A",
    preset: Annotated[
        list[str] | None,
        typer.Option(metavar="SUITE=NAME", help="A suite's own choice of samples, see the docs."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the synthetic suite.")] = 0,
    pack: PackOption = None,
    facescape: Annotated[
        bool, typer.Option(help="Also FaceScape's own measure; takes seconds a sample.")
    ] = False,
    model: ModelOption = None,
    normals: NormalsOption = None,
    n2fnet: N2FNetOption = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE", help="A network of yours, run as n2fnet, e.g. baseline=mine.onnx."
        ),
    ] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PEER=FILE",
            help="A peer's weights, e.g. deca=deca_model.tar; of Pixel3DMM's networks "
            "pixel3dmm-net=normals.ckpt and pixel3dmm-uv=uv.ckpt.",
        ),
    ] = None,
    trust_code: Annotated[
        bool, typer.Option(help="Run code that a checkpoint brings (TorchScript).")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one for each processor.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Ray cluster that does the work: its address, auto, or local. Default: none.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures to stdout.")] = False,
) -> None:
    """Measure methods on samples with known truth, and how fast they are.

    The same command goes on where it stopped. Exit code 1 if a data set or a method that was asked
    for is missing; the others are measured all the same.
    """
    from engine.batch_plan import check_output_folder
    from engine.benchmark.methods import MethodSetup

    chosen = _checked_suites(suites)
    setup = MethodSetup(
        model=model,
        normals=normals,
        n2fnet=n2fnet,
        networks=_paths("--network", network),
        checkpoints=_paths("--checkpoint", checkpoint),
        trust=trust_code,
    )
    names = _checked_methods(methods, setup)
    check_output_folder(out, [])
    settings = None
    if chosen == [_LIVE]:
        _measure_live(out, as_json=as_json)
        return
    if accuracy := [name for name in chosen if name != _SPEED]:
        places, presets = _places(data, accuracy), dict(_pairs("--preset", preset))
        settings = _settings(
            accuracy, places, presets, setup, names, out, limit=limit, jobs=jobs, ray=ray,
            alignment=alignment, facescape=facescape, seed=seed, pack=pack,
        )  # fmt: skip
    try:
        run, speed = _measure(settings, out, setup, timed=_SPEED in chosen, n=limit)
    except KeyboardInterrupt:
        typer.echo("stopped; finished rows are kept, the same command goes on", err=True)
        raise
    _print(run, speed, out, as_json=as_json)
    if run is not None and run.problems:
        raise typer.Exit(1)


def _measure_live(out: Path, *, as_json: bool) -> None:
    from app.cli.bench_live import live_suite

    if problems := live_suite(out, as_json=as_json):
        typer.echo("; ".join(problems), err=True)
        raise typer.Exit(1)


def _measure(
    settings: "BenchSettings | None", out: Path, setup: "MethodSetup", *, timed: bool, n: int | None
) -> "tuple[BenchRun | None, SpeedResult | None]":
    """Run and write the report."""
    from app.cli.bench_report import BenchReport
    from engine.benchmark.report import write_report
    from engine.benchmark.runner import run_bench
    from engine.benchmark.speed import run_speed
    from engine.head_choice import chosen_head_model

    run, speed = None, None
    with BenchReport() as report:
        if settings is not None:
            run = run_bench(settings, report.show)
            for problem in run.problems:
                report.say(problem)
        if timed:
            head = chosen_head_model(setup.model)
            speed = run_speed(head, out, n=n or 200, progress=report.show_speed)
            for problem in speed.problems:
                report.say(f"not timed: {problem}")
        write_report(settings, run, speed, out)
    return run, speed


def _settings(
    suites: list[str],
    places: dict[str, Path],
    presets: dict[str, str],
    setup: "MethodSetup",
    methods: tuple[str, ...],
    out: Path,
    *,
    limit: int | None,
    jobs: int | None,
    ray: str | None,
    alignment: Literal["A", "B", "C"],
    facescape: bool,
    seed: int,
    pack: Path | None,
) -> "BenchSettings":
    from engine.benchmark.runner import BenchSettings
    from engine.benchmark.suites import open_suite
    from engine.benchmark.types import DEFAULT_SAMPLES, SuiteSettings
    from engine.benchmark.work import WorkSettings
    from engine.synth.pack_choice import chosen_pack

    made = "synthetic" in suites
    pack = chosen_pack(pack) if made else None
    each = []
    for name in suites:
        one = SuiteSettings(
            name,
            data=places.get(name),
            preset=presets.get(name, ""),
            seed=seed,
            n_samples=limit or DEFAULT_SAMPLES,
            pack=pack if name == "synthetic" else None,
            cache=out / "cache",
        )
        try:
            open_suite(one).close()
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        each.append(one)
    work = WorkSettings(tuple(each), setup, alignment, facescape, open_suite, pack)
    return BenchSettings(work, methods, out, limit, jobs, ray)


def _checked_suites(asked: list[str]) -> list[str]:
    from engine.benchmark.suites import SUITES

    known = (*SUITES, _SPEED, _LIVE)
    names = [name for given in asked for name in given.split(",") if name]
    if unknown := [name for name in names if name not in known]:
        raise typer.BadParameter(f"{', '.join(unknown)}; choose from: {', '.join(known)}")
    if _LIVE in names and len(set(names)) > 1:
        raise typer.BadParameter("live is measured by itself: other suites would slow it down")
    return list(dict.fromkeys(names))


def _checked_methods(listed: str, setup: "MethodSetup") -> tuple[str, ...]:
    from engine.benchmark.methods import DEFAULT_METHODS, UV_NETWORK

    files = (name for name, _ in setup.checkpoints if name != UV_NETWORK)
    own = (*(name for name, _ in setup.networks), *files)
    names = [name.strip() for name in listed.split(",") if name.strip()]
    chosen = tuple(dict.fromkeys(names or (*DEFAULT_METHODS, *own)))
    if unknown := [name for name in chosen if name not in setup.names()]:
        raise typer.BadParameter(f"{', '.join(unknown)}; choose from: {', '.join(setup.names())}")
    return chosen


def _pairs(flag: str, given: list[str] | None) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in given or ()]
    if wrong := [left for left, mark, right in pairs if not (left and mark and right)]:
        raise typer.BadParameter(f"{flag} {wrong[0]}: expected NAME=VALUE")
    return [(left, right) for left, _, right in pairs]


def _paths(flag: str, given: list[str] | None) -> tuple[tuple[str, Path], ...]:
    return tuple((name, Path(value)) for name, value in _pairs(flag, given))


def _places(given: list[str] | None, suites: list[str]) -> dict[str, Path]:
    """Folder by suite; one without a name is that of the only suite that takes one."""
    places: dict[str, Path] = {}
    takers = [name for name in suites if name != "synthetic"]
    for text in given or ():
        name, mark, folder = text.partition("=")
        if mark and name in suites:
            places[name] = Path(folder)
        elif len(takers) == 1:
            places[takers[0]] = Path(text)
        else:
            raise typer.BadParameter(
                f"--data {text}: say which suite it is for, as SUITE=DIR, with one of "
                f"{', '.join(takers) or 'multiface, 300w, now'}"
            )
    return places


def _print(
    run: "BenchRun | None", speed: "SpeedResult | None", out: Path, *, as_json: bool
) -> None:
    if not as_json:
        typer.echo((out / "report.md").read_text(encoding="utf-8"))
        typer.echo(f"results: {out}, to read: {out / 'report.html'}", err=True)
        return
    from engine.benchmark.summary import figures

    told: dict[str, Any] = {"out": str(out)}
    if run is not None:
        told |= {"suites": figures(run.rows), "problems": run.problems}
    if speed is not None:
        told["speed"] = speed.figures()
    typer.echo(json.dumps(told, ensure_ascii=False))
