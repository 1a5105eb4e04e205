"""Figures of rows: how many, how many failed, mean, median, percentiles."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from engine.benchmark.rows import Row

__all__ = [
    "DASH",
    "FINDING",
    "Stats",
    "by_method",
    "figures",
    "latencies_ms",
    "number",
    "scores",
    "stats_of",
]

DASH: Final = "-"
FINDING: Final = "crop"
"""The stage that looks for faces and their landmarks, in all methods."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Of one score over the samples that have it; NaN without any."""

    n: int
    mean: float
    median: float
    p95: float


def stats_of(values: Sequence[float]) -> Stats:
    """Figures of some values."""
    if not len(values):
        return Stats(0, math.nan, math.nan, math.nan)
    array = np.asarray(values, np.float64)
    return Stats(
        len(array),
        float(array.mean()),
        float(np.median(array)),
        float(np.percentile(array, 95)),
    )


def by_method(rows: Iterable[Row], methods: Sequence[str]) -> dict[str, list[Row]]:
    """The rows of each method that has some, in the methods' order."""
    found: dict[str, list[Row]] = {name: [] for name in methods}
    for row in rows:
        if row.method in found:
            found[row.method].append(row)
    return {name: own for name, own in found.items() if own}


def scores(rows: Iterable[Row], key: str) -> list[float]:
    """One score of the rows that have it."""
    return [row.values[key] for row in rows if key in row.values]


def latencies_ms(rows: Iterable[Row]) -> tuple[list[float], list[float]]:
    """Of rows with a face: the whole method; and without looking for it, where that is not all."""
    timed = [row for row in rows if row.ms is not None and row.status in ("ok", "not-scored")]
    whole = [row.ms for row in timed if row.ms is not None]
    rest = [
        ms - row.stage_ms.get(FINDING, 0.0)
        for row, ms in zip(timed, whole, strict=True)
        if set(row.stage_ms) != {FINDING}
    ]
    return whole, rest


def number(value: float, digits: int) -> str:
    """As printed in tables; a dash where there is none."""
    return f"{value:.{digits}f}" if math.isfinite(value) else DASH


def figures(rows: Iterable[Row]) -> dict[str, dict[str, dict[str, Any]]]:
    """By suite and method: n, failed, and of each score n, mean, median and p95; for programs."""
    told: dict[str, dict[str, dict[str, Any]]] = {}
    every = list(rows)
    for suite in dict.fromkeys(row.suite for row in every):
        own = [row for row in every if row.suite == suite]
        methods = by_method(own, list(dict.fromkeys(row.method for row in own)))
        told[suite] = {name: _figures(found) for name, found in methods.items()}
    return told


def _figures(rows: list[Row]) -> dict[str, Any]:
    keys = sorted({key for row in rows for key in row.values})
    whole, rest = latencies_ms(rows)
    return {
        "n": len(rows),
        "failed": sum(row.status != "ok" for row in rows),
        "ms_p50": float(np.median(whole)) if whole else None,
        "ms_face_known_p50": float(np.median(rest)) if rest else None,
        "scores": {key: asdict(stats_of(scores(rows, key))) for key in keys},
    }
