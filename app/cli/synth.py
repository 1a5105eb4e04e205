"""`n2f synth`: synthetic faces with their truth, to train on."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.options import PackOption, announced_pack

if TYPE_CHECKING:
    from app.cli.synth_report import SynthReport
    from engine.synth.manifest import Manifest
    from engine.synth.settings import SynthSettings

__all__ = ["synth"]

_ON_SHEET = 16


def synth(
    n: Annotated[int, typer.Option("--n", min=1, help="Samples.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the shards; samples in it are kept and added to.")
    ],
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same samples.")] = 0,
    size: Annotated[int, typer.Option(min=16, max=1024, help="Side of the pictures, px.")] = 128,
    split: Annotated[
        str, typer.Option(help="train or val: the two share no person, skin, hair or light.")
    ] = "train",
    population: Annotated[str, typer.Option(help="Heads: both, openhead or makehuman.")] = "both",
    pack: PackOption = None,
    mediapipe: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of the samples whose points come from MediaPipe itself."
        ),
    ] = 0.5,
    varied: Annotated[
        bool, typer.Option(help="For training, cut hair anew and mix skins and lights.")
    ] = True,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one for each processor.")
    ] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Samples in a file.")] = 500,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Ray cluster that does the work: its address, auto, or local. Default: none.",
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help=f"Also draw the first {_ON_SHEET} samples."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary to stdout.")] = False,
) -> None:
    """Make synthetic faces with normals, parsing, depth and landmarks.

    Writes WebDataset tars. The same command goes on where it stopped.
    """
    from app.cli.synth_report import SynthReport
    from engine.synth.produce import produce

    if sheet is not None and sheet.suffix.lower() != ".png":
        raise typer.BadParameter(f"--sheet {sheet}: its name must end in .png")
    settings = _settings(seed, size, split, population, pack, mediapipe, varied)
    start = time.perf_counter()
    try:
        with SynthReport(n) as report:
            manifest = produce(
                settings,
                out,
                n,
                workers,
                samples_per_shard=shard_size,
                ray_address=ray,
                progress=report.show,
            )
    except KeyboardInterrupt:
        typer.echo("stopped; finished shards are kept, the same command goes on", err=True)
        raise
    seconds = time.perf_counter() - start
    if sheet is not None:
        _write_sheet(sheet, out, manifest)
    if as_json:
        typer.echo(json.dumps(_summary(manifest, settings, out, sheet, report, seconds)))
    else:
        report.print_totals(manifest, out, seconds)


def _settings(
    seed: int,
    size: int,
    split: str,
    population: str,
    pack: Path | None,
    mediapipe: float,
    varied: bool,
) -> "SynthSettings":
    """With the pack that is there."""
    from engine.synth.settings import SynthSettings

    pack = announced_pack(pack, population)
    if pack is None and population == "both":
        population = "openhead"
    try:
        return SynthSettings.from_dict({
            "seed": seed,
            "size_px": size,
            "split": split,
            "population": population,
            "pack": pack,
            "mediapipe_share": mediapipe,
            "varied": varied,
        })  # fmt: skip
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _write_sheet(path: Path, out: Path, manifest: "Manifest") -> None:
    from itertools import chain, islice

    from engine.io.image import save_png
    from engine.synth.shards import read_shard
    from engine.synth.sheet import SAMPLE_HEADINGS, contact_sheet, sample_row

    samples = chain.from_iterable(read_shard(shard) for shard in manifest.paths(out))
    rows = [sample_row(sample) for sample in islice(samples, _ON_SHEET)]
    save_png(path, contact_sheet(rows, SAMPLE_HEADINGS))


def _summary(
    manifest: "Manifest",
    settings: "SynthSettings",
    out: Path,
    sheet: Path | None,
    report: "SynthReport",
    seconds: float,
) -> dict[str, Any]:
    return {
        "out": str(out),
        "n": manifest.n,
        "kept": report.last.n_kept,
        "made": report.last.n_made,
        "shards": sorted(manifest.shards),
        "settings": settings.to_dict(),
        "model_ids": manifest.model_ids,
        "seconds": round(seconds, 3),
        "samples_per_s": round(report.last.n_made / seconds, 3),
        "sheet": None if sheet is None else str(sheet),
    }
