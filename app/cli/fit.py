"""`n2f fit`: heads for pictures, videos and folders, without a window."""

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import (
    InitOption,
    ItersOption,
    JointOption,
    MethodOrPeerOption,
    ModelOption,
    N2FNetOption,
    NormalsOption,
    OptimizerOption,
    TrustOption,
    UvCheckpointOption,
    UvCoordsOption,
)

if TYPE_CHECKING:
    from app.cli.fit_report import FitReport
    from engine.batch import Batch, Outcome
    from engine.batch_plan import Job

__all__ = ["fit"]


def fit(
    inputs: Annotated[
        list[
            str
        ],  # no Path: it would shorten addresses, and typer would refuse what cannot be read
        typer.Argument(metavar="INPUT...", help="Pictures, videos and folders of them, mixed."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results; made where it is not there.")],
    method: MethodOrPeerOption = None,
    model: ModelOption = None,
    faces: Annotated[
        int, typer.Option(min=1, max=8, help="Most faces to fit in one picture, largest first.")
    ] = 1,
    normals: NormalsOption = None,
    n2fnet: N2FNetOption = None,
    optimizer: OptimizerOption = None,
    init: InitOption = None,
    iters: ItersOption = None,
    joint: JointOption = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Weights of the peer that --method names, as its authors gave them, or of "
            "n2f peers convert or export. See n2f peers list.",
        ),
    ] = None,
    uv_checkpoint: UvCheckpointOption = None,
    uv_coords: UvCoordsOption = None,
    trust: TrustOption = False,
    export: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="What to write, comma-separated: npz (always), csv, obj, ply, glb (moving head, "
            "morph targets), arkit (52 blend shapes, as CSV), png (overlay), mp4 (overlay, for "
            "videos), normals (the network's maps, as pictures).",
        ),
    ] = "npz",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print summary.json's content to stdout.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            help="Do inputs again that are done. Otherwise they are kept, so that the same "
            "command goes on where it stopped."
        ),
    ] = False,
) -> None:
    """Fit the head model to pictures and videos.

    Exit code 1 if any input failed or shows no face; the others are done all the same.
    """
    try:
        _fit(
            inputs, out, method, model, faces, normals, n2fnet, checkpoint, export,
            (optimizer, init, iters, joint), (uv_checkpoint, uv_coords),
            trust=trust, as_json=as_json, overwrite=overwrite,
        )  # fmt: skip
    except KeyboardInterrupt:
        again = "the same command without --overwrite" if overwrite else "the same command"
        typer.echo(f"stopped; finished inputs are kept, {again} goes on", err=True)
        raise


def _fit(
    inputs: list[str],
    out: Path,
    method: str | None,
    model: Path | None,
    faces: int,
    normals: str | None,
    n2fnet: Path | None,
    checkpoint: Path | None,
    export: str,
    optimising: tuple[str | None, str | None, int | None, bool | None],
    uv: tuple[Path | None, Path | None],
    *,
    trust: bool,
    as_json: bool,
    overwrite: bool,
) -> None:
    from app.cli.choices import checked_exports, checked_method, fit_settings
    from app.cli.fit_method import (
        FRONT_END,
        by_front_end,
        by_method,
        by_optimising,
        by_peer,
        check_optimiser_flags,
        check_peer_flags,
        check_uv_flags,
    )
    from app.cli.fit_report import FitReport
    from engine.batch import Batch, BatchSettings
    from engine.batch_plan import check_output_folder, plan_jobs
    from engine.head_choice import chosen_head_model
    from engine.methods import METHODS
    from engine.normal_choice import choose_normals
    from engine.peers.registry import PEERS

    asked = checked_method(method, peers=True)
    network = choose_normals(normals)
    exports = checked_exports(export)
    check_peer_flags(asked, checkpoint, exports, trust=trust)
    check_optimiser_flags(asked, *optimising)
    check_uv_flags(asked, *uv)
    if "normals" in exports and network.path is None:
        raise typer.BadParameter(f"--export normals needs a network: {network.reason}")
    check_output_folder(out, inputs)
    head = chosen_head_model(model)
    jobs = plan_jobs(inputs, out)
    report = FitReport(len(jobs))
    told = {"on_progress": report.optimising, "on_joint": report.joint}
    if asked in PEERS:
        how = by_peer(asked, head, faces, checkpoint, trust=trust)
    elif asked == FRONT_END:
        how = by_front_end(head, faces, checkpoint, fit_settings(*optimising), *uv, **told)
    elif asked in METHODS and METHODS[asked].optimised:
        how = by_optimising(asked, head, faces, network, fit_settings(*optimising), **told)
    else:
        how = by_method(asked, head, faces, network, n2fnet)
    settings = BatchSettings(out, how.name, faces, exports, overwrite, how.normals, how.network)
    with closing(Batch(head, settings, how.make_fitter)) as batch, report:
        outcomes = _run_all(batch, jobs, out, report)
    if as_json:
        typer.echo(json.dumps([_as_dict(outcome) for outcome in outcomes], ensure_ascii=False))
    else:
        report.print_totals(outcomes, out)
    if any(outcome.failed for outcome in outcomes):
        raise typer.Exit(1)


def _run_all(batch: "Batch", jobs: "list[Job]", out: Path, report: "FitReport") -> "list[Outcome]":
    """All jobs, one by one; the summary is written also when they are cut short."""
    from engine.io.results import write_summary

    outcomes: list[Outcome] = []
    try:
        for job in jobs:
            report.begin(job.path)
            outcomes.append(batch.run(job, report.count_frame, lambda: report.asked_to_stop))
            report.end(outcomes[-1])
            if report.asked_to_stop:
                raise KeyboardInterrupt
    finally:
        write_summary(out / "summary.json", [outcome.row for outcome in outcomes])
    return outcomes


def _as_dict(outcome: "Outcome") -> dict[str, object]:
    row = outcome.row
    return {
        "input": row.input,
        "status": row.status,
        "message": row.message,
        "stage_ms": dict(row.stage_ms),
        "outputs": list(outcome.outputs),
        "kept": outcome.kept,
    }
