"""`n2f live`: the window on a source."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import MethodOption, ModelOption, N2FNetOption, NormalsOption

__all__ = ["live"]


def live(
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            "-s",
            help="webcam:N, a video, a picture, a folder of pictures, an rtsp:// or http:// "
            "address, sample or synthetic. Default: the first camera, else the sample clip.",
        ),
    ] = None,
    method: MethodOption = None,
    model: ModelOption = None,
    faces: Annotated[int, typer.Option(min=1, max=8, help="How many faces to follow.")] = 1,
    normals: NormalsOption = None,
    n2fnet: N2FNetOption = None,
    screenshot: Annotated[
        Path | None, typer.Option(help="Write a picture of the window to this PNG, then quit.")
    ] = None,
    after: Annotated[
        int, typer.Option(min=1, help="Fitted frames to show before the screenshot.")
    ] = 60,
) -> None:
    """Track a face in a window."""
    from app.cli.choices import checked_method
    from app.live import LiveSettings, run_window

    settings = LiveSettings(
        source=source,
        method=checked_method(method, live=True),
        model=model,
        n_faces=faces,
        normals=normals,
        n2fnet=n2fnet,
        screenshot=screenshot,
        screenshot_after=after,
    )
    raise typer.Exit(run_window(settings))
