"""What `n2f compare --out` does: film, pictures, CSV and summary of a comparison."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import typer

from engine.batch_plan import check_output_folder
from engine.compare.difference import MeshDifference
from engine.compare.plan import Plan
from engine.compare.report import Compared, Row, row_of, summary_of, write_rows, write_summary
from engine.compare.runner import compare_frames
from engine.compare.selection import chosen_frames, n_chosen
from engine.compare.sheet import SheetPainter, fitted_into
from engine.compare.side_fit import Step
from engine.compare.sides import Side
from engine.errors import CaptureError
from engine.io.image import ImageSource, save_png
from engine.io.recorder import VideoRecorder
from engine.io.source import Source
from engine.render.overlay import OverlayPainter
from engine.types import U8

__all__ = ["write_comparison"]

_FRAMES_OFFLINE = 10
"""Where a method takes seconds for each, and nothing else is asked for."""
_FRAMES_ENDLESS = 100
"""Of a source without an end."""
FILM, PICTURE, ROWS, SUMMARY = "compare.mp4", "compare.png", "differences.csv", "summary.json"


def write_comparison(plan: Plan, out: Path, *, as_json: bool) -> None:
    """Compare and write; after Ctrl-C, what is done so far.

    Raises: EngineError: if the source or a method fails, no face is found, or out cannot be
        written.
    """
    check_output_folder(out, [plan.spec])
    source = plan.open_source()
    with ExitStack() as stack:
        stack.callback(source.close)
        at_most = _at_most(plan, source)
        sides = plan.open_sides(source)
        for side in sides:
            stack.callback(side.close)
        painter = stack.enter_context(OverlayPainter(plan.model))
        each = isinstance(source, ImageSource)
        files = stack.enter_context(_Files(out, plan, painter, picture_of_each=each))
        lines = _Lines(n_chosen(source, plan.every, at_most))
        frames = chosen_frames(source, plan.every, at_most)
        compared = compare_frames(frames, sides, MeshDifference(plan.model), lines.step)
        stopped = _write_all(compared, files, lines)
    if problem := getattr(source, "problem", None):  # of a film that is cut off or damaged
        typer.echo(problem, err=True)
    summary = summary_of(files.rows, plan.methods, plan.settings(), stopped=stopped)
    write_summary(out / SUMMARY, summary)
    if not files.n_compared and not stopped:
        raise CaptureError(_nothing(plan, source, files.rows))
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
    else:
        for name in (*files.names, SUMMARY):
            typer.echo(out / name)
    typer.echo(f"{files.n_compared} of {len(files.rows)} frames compared", err=True)
    if stopped:
        raise typer.Exit(130)


def _write_all(compared: Iterator[Compared], files: "_Files", lines: "_Lines") -> bool:
    """Returns: whether it was cut short by Ctrl-C."""
    try:
        for one in compared:
            files.add(one)
            lines.frame()
    except KeyboardInterrupt:
        typer.echo("stopped; writing what is done", err=True)
        return True
    return False


def _at_most(plan: Plan, source: Source) -> int | None:
    if plan.at_most is not None:
        return plan.at_most
    if any(plan.offline):
        return _FRAMES_OFFLINE
    return _FRAMES_ENDLESS if source.n_frames is None else None


def _nothing(plan: Plan, source: Source, rows: list[Row]) -> str:
    problems = [str(p) for row in rows for p in (row["left_problem"], row["right_problem"]) if p]
    if problems:
        return f"no frame of {source.name} could be compared: {problems[0]}"
    if not rows:
        return f"{source.name} has no frames; choose another input"
    return (
        f"{plan.methods[0]} and {plan.methods[1]} found no face in {len(rows)} frames of "
        f"{source.name}; the whole head should be in view, with light on the face"
    )


class _Files:
    """Film and picture grow with the frames; the rows are written at the end, whatever ends it."""

    def __init__(
        self, out: Path, plan: Plan, painter: OverlayPainter, *, picture_of_each: bool
    ) -> None:
        """picture_of_each: of every frame; else of the one where the methods differ most."""
        self._out, self._picture_of_each = out, picture_of_each
        self._sheets = SheetPainter(
            painter, plan.methods, offline=plan.offline, top_mm=plan.top_mm, whole=plan.whole
        )
        self._stack = ExitStack()
        self._recorder: VideoRecorder | None = None
        self._size = (0, 0)  # of the film: width, height px
        self._largest_mm = -1.0
        self.rows: list[Row] = []
        self.names: list[str] = []

    @property
    def n_compared(self) -> int:
        """Frames with a face on both sides."""
        return sum(row["aligned_mean_mm"] is not None for row in self.rows)

    def add(self, compared: Compared) -> None:
        """Raises: OutputError."""
        self.rows.append(row_of(compared))
        sheet = self._sheets.paint(
            compared.frame, compared.left, compared.right, compared.difference
        )
        self._film(sheet, compared.frame.t_ns)
        if self._picture_of_each:
            self._save(f"compare_{compared.frame.index:04}.png", sheet)
        elif compared.difference is not None:
            mean_mm = compared.difference.aligned.mean
            if mean_mm > self._largest_mm:
                self._largest_mm = mean_mm
                self._save(PICTURE, sheet)

    def _save(self, name: str, sheet: U8) -> None:
        save_png(self._out / name, sheet)
        self._note(name)

    def _film(self, sheet: U8, t_ns: int) -> None:
        if self._recorder is None:
            height, width = sheet.shape[:2]
            recorder = VideoRecorder(self._out / FILM, width, height)
            self._recorder = self._stack.enter_context(recorder)
            self._size = (width, height)
            self._note(FILM)
        self._recorder.write(fitted_into(sheet, self._size), t_ns)

    def _note(self, name: str) -> None:
        if name not in self.names:
            self.names.append(name)

    def __enter__(self) -> "_Files":
        self._stack.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.__exit__(*raised)
        if self.rows:
            write_rows(self._out / ROWS, self.rows)
            self._note(ROWS)


class _Lines:
    """How far it is, on stderr, at most every two seconds."""

    _INTERVAL_S = 2.0

    def __init__(self, n_frames: int | None) -> None:
        self._of = "" if n_frames is None else f" of {n_frames}"
        self._n_done = 0
        self._told_s = time.perf_counter()

    def frame(self) -> None:
        """One more is done."""
        self._n_done += 1
        self._tell(f"frame {self._n_done}{self._of}")

    def step(self, side: Side, step: Step) -> None:
        self._tell(
            f"frame {self._n_done + 1}{self._of}: {side.method} at {step.place}, "
            f"energy {step.total:.4g}"
        )

    def _tell(self, line: str) -> None:
        now_s = time.perf_counter()
        if now_s - self._told_s >= self._INTERVAL_S:
            self._told_s = now_s
            typer.echo(line, err=True)
