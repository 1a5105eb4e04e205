"""`n2f demo`: the main job with nothing to set up."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import NormalsOption

if TYPE_CHECKING:
    from engine.render.overlay import OverlayPainter
    from engine.video_fit import FittedVideo

__all__ = ["demo"]

_LIVE_FRAMES = 150
"""Of a camera, which has no end: about five seconds."""


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Open no window; write results into --out.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="With --headless: folder for the results. Default: out/demo."),
    ] = None,
    normals: NormalsOption = None,
) -> None:
    """Track the first camera, or the sample clip where there is none."""
    if out is not None and not headless:
        raise typer.BadParameter("--out needs --headless")
    if not headless:
        from app.live import LiveSettings, run_window

        raise typer.Exit(run_window(LiveSettings(normals=normals)))
    _run_headless(out or Path("out/demo"), normals)


def _run_headless(out: Path, normals: str | None) -> None:
    from app.cli.choices import chosen_method
    from app.cli.frame_lines import FrameLines
    from engine.batch_plan import check_output_folder
    from engine.errors import CaptureError
    from engine.head_choice import chosen_head_model
    from engine.methods import network_identity
    from engine.normal_choice import choose_normals
    from engine.pipeline import Reconstructor
    from engine.render.overlay import OverlayPainter
    from engine.source_factory import first_source_spec, open_source
    from engine.video_fit import fit_video

    check_output_folder(out, [])
    model, network = chosen_head_model(None), choose_normals(normals, may_fall_back=True)
    method = chosen_method(None, model, network, None)
    source = open_source(first_source_spec(), model)
    typer.echo(f"fitting {source.name} ...", err=True)
    with OverlayPainter(model) as painter:
        fitter = Reconstructor(model, method=method, normals=network.load())
        try:
            fitted = fit_video(
                source,
                fitter,
                model,
                painter=painter,
                recording=out / "demo.mp4",
                max_frames=_LIVE_FRAMES if source.is_live else None,
                on_frame=FrameLines(_LIVE_FRAMES if source.is_live else source.n_frames),
            )
        finally:
            fitter.close()
        if fitted.best is None:
            raise CaptureError(
                f"no face found in {fitted.n_frames} frames of {source.name}; look at the camera, "
                "with light on the face"
            )
        names = _write_results(out, fitted, painter)
    settings: dict[str, str | int] = {
        "method": method,
        "model_id": model.model_id,
        "faces": 1,
        "max_frames": _LIVE_FRAMES if source.is_live else 0,  # 0: all
    }
    if network.path is not None:
        settings["normals"] = network.identity
    if identity := network_identity(method, None):
        settings["network"] = identity
    names.append(_write_record(out, source.name, fitted, settings, names))
    typer.echo(
        f"face found in {fitted.n_found} of {fitted.n_frames} frames of {source.name}", err=True
    )
    typer.echo(f"results in {out.resolve()}:", err=True)
    for name in names:
        typer.echo(out / name)


def _write_results(out: Path, fitted: "FittedVideo", painter: "OverlayPainter") -> list[str]:
    """Parameters, and the best frame in every mode. Returns: file names."""
    from engine.io.image import save_png
    from engine.io.results import save_sequence_npz, write_csv
    from engine.render.prediction import PredictionMode
    from engine.render.renderer import RenderMode

    sequence = next(iter(fitted.sequences.values()))
    save_sequence_npz(out / "demo.npz", sequence)
    write_csv(out / "demo.csv", sequence)
    names = ["demo.mp4", "demo.npz", "demo.csv"]
    frame, fits = fitted.best or (None, [])
    modes: list[RenderMode | PredictionMode] = [*RenderMode]
    if any(fit.normals is not None for fit in fits):
        modes += [*PredictionMode]
    for mode in modes if frame is not None else ():
        names.append(f"demo_{mode.value}.png")
        save_png(out / names[-1], painter.paint(frame.image, fits, mode=mode))
    return names


def _write_record(
    out: Path,
    source: str,
    fitted: "FittedVideo",
    settings: dict[str, str | int],
    outputs: list[str],
) -> str:
    """The settings in force, as `n2f fit` keeps them. Returns: the file's name."""
    from engine.batch import judge_video
    from engine.batch_plan import Record, program_version, write_record

    status, message = judge_video(fitted)
    record = Record(
        input=source,
        size=0,
        modified_ns=0,
        version=program_version(),
        settings=settings,
        exports=("mp4", "npz", "csv", "png"),
        status=status,
        message=message,
        stage_ms=fitted.stage_ms,
        outputs=tuple(outputs),
    )
    write_record(out, "demo", record)
    return "demo.json"
