"""`n2f live`: the window on a source."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import MethodOption, ModelOption, N2FNetOption, NormalsOption

if TYPE_CHECKING:
    from engine.streaming.targets import SendTarget

__all__ = ["live"]


def live(
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            "-s",
            help="webcam:N, a video, a picture, a folder of pictures, an rtsp:// or http:// "
            "address, screen, sample or synthetic. Default: the last time's, else the first "
            "camera, else the sample clip.",
        ),
    ] = None,
    method: MethodOption = None,
    model: ModelOption = None,
    faces: Annotated[
        int | None,
        typer.Option(min=1, max=8, help="Faces to follow. Default: as set in the window, else 1."),
    ] = None,
    normals: NormalsOption = None,
    n2fnet: N2FNetOption = None,
    pipelined: Annotated[
        bool,
        typer.Option(
            "--pipelined",
            help="See the next frame while one is fitted: more frames, "
            "more lag. Default: as set in the window.",
        ),
    ] = False,
    send: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TARGET",
            help="Send the face to vmc:HOST:PORT (avatar programs), livelink:HOST:PORT (Unreal) "
            "or camera (a virtual one); may be given several times. HOST and PORT may be left out: "
            "127.0.0.1, and 39539 or 11111.",
        ),
    ] = None,
    test_send: Annotated[
        bool,
        typer.Option(
            "--test-send", help="Move every channel of --send in turn, half a minute, then quit."
        ),
    ] = False,
    record_to: Annotated[
        Path | None,
        typer.Option(help="Folder for recordings. Default: as set, else n2fnet in your videos."),
    ] = None,
    private: Annotated[
        bool,
        typer.Option(
            "--private", help="Record and send parameters alone; no picture leaves memory."
        ),
    ] = False,
    safe: Annotated[
        bool, typer.Option("--safe", help="Begin with default settings, and keep none.")
    ] = False,
    screenshot: Annotated[
        Path | None, typer.Option(help="Write a picture of the window to this PNG, then quit.")
    ] = None,
    after: Annotated[
        int, typer.Option(min=1, help="Fitted frames to show before the screenshot.")
    ] = 60,
) -> None:
    """Track a face in a window."""
    from app.cli.choices import checked_method, checked_targets

    targets = checked_targets(send or [])
    if private and (screenshot is not None or any(t.kind == "camera" for t in targets)):
        raise typer.BadParameter("--private goes with neither --screenshot nor --send camera")
    if test_send:
        _test(targets)
        return
    from app.live import LiveSettings, run_window

    settings = LiveSettings(
        source=source,
        method=checked_method(method, live=True),
        model=model,
        n_faces=faces,
        normals=normals,
        n2fnet=n2fnet,
        pipelined=pipelined,
        recall=not safe and screenshot is None,
        safe=safe,
        send=targets,
        record_to=record_to,
        private=private,
        smooth_edges=screenshot is not None,
        screenshot=screenshot,
        screenshot_after=after,
    )
    raise typer.Exit(run_window(settings))


def _test(targets: "tuple[SendTarget, ...]") -> None:
    from engine.streaming.senders import send_pattern

    if not targets or any(target.kind == "camera" for target in targets):
        raise typer.BadParameter("--test-send needs --send vmc:... or livelink:...")
    for target in targets:
        send_pattern(target, lambda name, to=target: typer.echo(f"{to}  {name}", err=True))
