"""A comparison as files: a row for each frame, and one summary."""

import csv
import io
import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.compare.difference import Difference
from engine.compare.side_fit import SideFit
from engine.files import replacing
from engine.types import Frame

__all__ = ["Compared", "Row", "row_of", "summary_of", "write_rows", "write_summary"]

Cell = str | float | int | None
Row = dict[str, Cell]
"""By column; None: nothing to say."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """One frame, both sides."""

    frame: Frame
    left: SideFit
    right: SideFit
    difference: Difference | None  # None: not both sides have a face


def row_of(compared: Compared) -> Row:
    """The columns of differences.csv: lengths mm, angles degrees, times seconds."""
    row: Row = {"frame": compared.frame.index, "time_s": compared.frame.t_ns / 1e9}
    for name, side in (("left", compared.left), ("right", compared.right)):
        row |= {f"{name}_{column}": value for column, value in _side_cells(side).items()}
    for name, spread in _spreads(compared.difference).items():
        row[name] = spread
    return row


def _side_cells(side: SideFit) -> Row:
    fit = side.fit
    return {
        "found": int(fit is not None),
        "seconds": side.seconds,
        "from_cache": int(side.from_cache),
        "normal_residual_deg": fit.normal_residual_deg if fit is not None else None,
        "landmark_rms_percent": 100 * fit.landmark_rms if fit is not None else None,
        "quality": fit.quality if fit is not None else None,
        "energy": side.curve[-1].total if side.curve else None,
        "problem": side.problem,
    }


def _spreads(difference: Difference | None) -> Row:
    cells: Row = {}
    for kind in ("aligned", "in_view"):
        for part in ("mean", "p95", "largest"):
            value = getattr(getattr(difference, kind), part) if difference is not None else None
            cells[f"{kind}_{part}_mm"] = value
    return cells


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Raises: OutputError: if it cannot be written."""
    text = io.StringIO()
    if rows:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows([[_written(value) for value in row.values()] for row in rows])
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def _written(value: Cell) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def summary_of(
    rows: Sequence[Row], methods: tuple[str, str], settings: Mapping[str, Cell], *, stopped: bool
) -> dict[str, object]:
    """Medians over the frames; a figure that nothing was measured for is null.

    Args:
        settings: in force.
        stopped: the comparison was cut short.
    """
    sides = {
        name: {
            "method": method,
            "n_found": sum(row[f"{name}_found"] == 1 for row in rows),
            "n_from_cache": sum(row[f"{name}_from_cache"] == 1 for row in rows),
            "n_failed": sum(bool(row[f"{name}_problem"]) for row in rows),
        }
        | {
            f"median_{column}": _median(rows, f"{name}_{column}")
            for column in ("seconds", "normal_residual_deg", "landmark_rms_percent")
        }
        for name, method in zip(("left", "right"), methods, strict=True)
    }
    slower, faster = (_median(rows, f"{name}_seconds") for name in ("left", "right"))
    ratio = slower / faster if slower is not None and faster else None
    return {
        "n_frames": len(rows),
        "n_compared": sum(row["aligned_mean_mm"] is not None for row in rows),
        "stopped": stopped,
        **sides,
        "left_seconds_over_right": ratio,
        "median_aligned_mean_mm": _median(rows, "aligned_mean_mm"),
        "largest_aligned_mean_mm": _over(rows, "aligned_mean_mm", max),
        "median_in_view_mean_mm": _median(rows, "in_view_mean_mm"),
        "settings": dict(settings),
    }


def write_summary(path: Path, summary: Mapping[str, object]) -> None:
    """Raises: OutputError: if it cannot be written."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _median(rows: Sequence[Row], column: str) -> float | None:
    return _over(rows, column, statistics.median)


def _over(rows: Sequence[Row], column: str, take: Callable[[list[float]], float]) -> float | None:
    values = [row[column] for row in rows]
    known = [v for v in values if isinstance(v, (int, float)) and math.isfinite(v)]
    return float(take(known)) if known else None
