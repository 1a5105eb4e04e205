"""`n2f bench live`, with more flags `n2f bench-live`: how the live path does on this machine."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.live_bench import LiveFigures, SoakFigures

__all__ = ["live", "live_suite"]

_WORST_AGE_MS, _WORST_SLOPE = 80.0, 1.0
_LEAST_FPS = {True: 20.0, False: 40.0}
"""Of the real networks, with overlay and without drawing."""


def live(
    seconds: Annotated[
        float, typer.Option(min=5, help="Of the soak, after 3 s that are not counted.")
    ] = 60.0,
    real_seconds: Annotated[
        float, typer.Option(min=0, help="Of each run with the real networks; 0: none.")
    ] = 15.0,
    method: Annotated[str, typer.Option(help="How the real networks fit.")] = "n2fnet-refined",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON. Default: text.")] = False,
) -> None:
    """Measure the live path: a soak with fakes, then the real networks on the clip at 720p.

    Windows are 960 x 640 pixels; what draws them, a card or the processor, decides much.

    Needs a display (xvfb-run will do). Exit code 1 if the soak's 95th percentile of the displayed
    frames' age is 80 ms or more, memory grows by 1 MB a minute or more, or a thread is left; or if
    the real networks show less than 20 frames/s with the overlay, or 40 without drawing.
    """
    from app.cli.choices import checked_method

    checked_method(method, live=True)
    soaked, real = _measured(seconds, real_seconds, method)
    typer.echo(_json(soaked, real) if as_json else _text(soaked, real))
    if problems := _problems(soaked, real):
        typer.echo("; ".join(problems), err=True)
        raise typer.Exit(1)


def live_suite(out: Path, *, as_json: bool) -> list[str]:
    """Measure as `live` does with its own values; prints, and writes OUT/live.json and live.txt.

    Returns: what does not hold.
    """
    from engine.files import replacing

    soaked, real = _measured(60.0, 15.0, "n2fnet-refined")
    for name, text in (("live.json", _json(soaked, real)), ("live.txt", _text(soaked, real))):
        with replacing(out / name) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    typer.echo(_json(soaked, real) if as_json else _text(soaked, real))
    return _problems(soaked, real)


def _measured(
    seconds: float, real_seconds: float, method: str
) -> "tuple[SoakFigures, list[LiveFigures]]":
    from app.live_bench import measure_live, soak
    from engine.head_choice import chosen_head_model

    model = chosen_head_model(None)
    soaked = soak(model, seconds)
    real: list[LiveFigures] = []
    if real_seconds > 0:
        real = [
            figures
            for drawn in (True, False)
            for figures in measure_live(model, real_seconds, drawn=drawn, method=method)
        ]
    return soaked, real


def _json(soaked: "SoakFigures", real: "list[LiveFigures]") -> str:
    return json.dumps({"soak": asdict(soaked), "real": [asdict(f) for f in real]}, indent=1)


def _problems(soaked: "SoakFigures", real: "list[LiveFigures]") -> list[str]:
    """What does not hold; of the real networks the better of both ways counts."""
    problems = []
    if not soaked.live.age_p95_ms < _WORST_AGE_MS:
        problems.append(f"age p95 is {soaked.live.age_p95_ms:.0f} ms, expected < 80 ms")
    if not soaked.memory_slope_mb_min < _WORST_SLOPE:
        problems.append(f"memory grows by {soaked.memory_slope_mb_min:.2f} MB/min, expected < 1")
    if soaked.threads_left:
        problems.append(f"threads are left: {', '.join(soaked.threads_left)}")
    for drawn, least in _LEAST_FPS.items():
        fps = [f.frames_per_s for f in real if f.drawn == drawn]
        if fps and not max(fps) >= least:
            way = "with overlay" if drawn else "without drawing"
            problems.append(f"{max(fps):.1f} frames/s {way}, expected >= {least:.0f}")
    return problems


def _text(soaked: "SoakFigures", real: list["LiveFigures"]) -> str:
    lines = [f"{'':<46}{'frames/s':>9}{'age p50':>9}{'p95 ms':>8}{'dropped':>9}{'CPU ms':>8}"]
    for f in (soaked.live, *real):
        lines.append(
            f"{f.way:<46}{f.frames_per_s:>9.1f}{f.age_p50_ms:>9.1f}{f.age_p95_ms:>8.1f}{f.dropped:>9}{f.cpu_ms:>8.1f}"
        )
        if f.stage_ms:
            stages = ", ".join(f"{name} {ms:.1f}" for name, ms in f.stage_ms.items())
            lines.append(f"    median ms: {stages}; on {f.provider}")
    left = ", ".join(soaked.threads_left) or "none"
    lines.append(
        f"soak of {soaked.live.seconds:.0f} s: memory {soaked.memory_mb:.0f} MB, "
        f"{soaked.memory_slope_mb_min:+.2f} MB/min; threads left: {left}"
    )
    return "\n".join(lines)
