"""The tables of a report: the paper's two in their shape, and what stands behind each figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from engine.benchmark.document import Table
from engine.benchmark.now_protocol import now_values
from engine.benchmark.paper import ABLATION, COMPARISON
from engine.benchmark.rows import Row
from engine.benchmark.runner import SuiteRun, error_file
from engine.benchmark.summary import DASH, latencies_ms, number, scores, stats_of
from engine.benchmark.types import REGIONS
from engine.methods import METHODS

__all__ = [
    "ablation_table",
    "comparison_table",
    "detail_table",
    "failure_table",
    "group_table",
    "latency_table",
    "now_table",
]

NME: Final = "nme_interocular_percent"
PAPER_NOTE: Final = (
    "Columns of the paper are its own figures, on its own data, by a protocol and on hardware that "
    "it does not tell in full: quoted, not measured here."
)
Methods = Mapping[str, list[Row]]


def comparison_table(methods: Methods, obstacles: Mapping[str, str]) -> Table:
    """Table 3: CD, MNE, CR and frames a second; methods that could not run say why."""
    lines = []
    for name, rows in methods.items():
        whole, rest = latencies_ms(rows)
        lines.append([
            f"`{name}`", str(len(scores(rows, "cd_mm"))), str(_n_failed(rows)),
            _mean(rows, "cd_mm", 2), _mean(rows, "mne_rad", 3), _mean(rows, "cr", 2),
            _rate(whole), _rate(rest), *_paper_comparison(name), "",
        ])  # fmt: skip
    for name in COMPARISON:
        if name not in methods:
            why = obstacles.get(name) or "not asked for"
            lines.append([f"`{name}`", *[DASH] * 7, *_paper_comparison(name), why])
    for name, why in obstacles.items():
        if why and name not in COMPARISON:
            lines.append([f"`{name}`", *[DASH] * 11, why])
    head = ("method", "n", "failed", "CD mm", "MNE rad", "CR", "FPS", "FPS, face known")
    paper = tuple(f"paper: {name}" for name in ("CD mm", "MNE rad", "CR", "FPS"))
    return Table(
        (*head, *paper, "note"),
        lines,
        "Means over each method's own scored samples. FPS: one over the median time of a picture; "
        "each picture is one of its own, in which the face is first looked for; face known: "
        f"without that. {PAPER_NOTE}",
    )


def ablation_table(methods: Methods, landmarks: Methods, obstacles: Mapping[str, str]) -> Table:
    """Table 1: CD by region, and NME.

    Args:
        landmarks: rows that NME is taken from: those of 300-W where it was run too.
    """
    places = dict(ABLATION)
    if "finetuned" not in methods:
        places["n2fnet"] = places.pop("finetuned")  # the shipped network is that one
    lines = []
    for name, rows in methods.items():
        regions = [_mean(rows, _key(region, "cd_mm"), 2) for region in REGIONS]
        nme = _mean(landmarks.get(name, []), NME, 2)
        n = str(len(scores(rows, "cd_mm")))
        lines.append([f"`{name}`", n, *regions, nme, *_paper_ablation(places.get(name)), ""])
    for name, row in places.items():
        if name not in methods:
            absent = "not asked for" if name in METHODS else f"give --network {name}=FILE"
            why = obstacles.get(name) or absent
            lines.append([f"`{name}`", *[DASH] * 7, *_paper_ablation(row), why])
    head = ("method", "n", *(f"{region} CD mm" for region in REGIONS), "NME %")
    paper = tuple(f"paper: {name}" for name in ("row", *REGIONS, "NME %"))
    return Table(
        (*head, *paper, "note"), lines, f"Means. NME by the outer eye corners. {PAPER_NOTE}"
    )


def detail_table(methods: Methods, keys: Sequence[tuple[str, str, int]]) -> Table:
    """Mean, median and 95th percentile of some scores: (key, title with unit, digits)."""
    lines = []
    for key, title, digits in keys:
        for name, rows in methods.items():
            s = stats_of(scores(rows, key))
            if s.n:
                values = [number(v, digits) for v in (s.mean, s.median, s.p95)]
                lines.append([title, f"`{name}`", str(s.n), *values])
    return Table(("score", "method", "n", "mean", "median", "95 % under"), lines)


def group_table(methods: Methods, key: str, title: str, digits: int) -> Table | None:
    """The mean of one score by the suite's groups; None where there is but one."""
    groups = list(dict.fromkeys(row.group for rows in methods.values() for row in rows))
    if len(groups) < 2:
        return None
    lines = []
    for name, rows in methods.items():
        parts = [scores([r for r in rows if r.group == group], key) for group in groups]
        cells = [f"{number(stats_of(p).mean, digits)} ({len(p)})" for p in parts]
        lines.append([f"`{name}`", *cells, f"{number(stats_of(scores(rows, key)).mean, digits)}"])
    return Table(("method", *groups, "all"), lines, f"Mean {title}; in brackets the samples.")


def latency_table(methods: Methods, jobs: int) -> Table:
    """Milliseconds a picture, after each worker's first."""
    lines = []
    for name, rows in methods.items():
        whole, rest = latencies_ms(rows)
        cells = [_percentile(times, q) for times in (whole, rest) for q in (50, 95, 99)]
        lines.append([f"`{name}`", str(len(whole)), *cells])
    alone = "one process" if jobs == 1 else f"{jobs} processes at once, which slow each other down"
    return Table(
        ("method", "n", "p50 ms", "p95 ms", "p99 ms",
         "face known: p50 ms", "p95 ms", "p99 ms"),
        lines,
        f"Picture to head, first runs left out; {alone}. p99 is given from 100 pictures on. The "
        "speed of a video is measured by `n2f bench speed`.",
    )  # fmt: skip


def failure_table(methods: Methods) -> Table | None:
    """What failed and what looked wrong, each kind with how often and one example; None if none."""
    lines = []
    for name, rows in methods.items():
        told: dict[str, list[Row]] = {}
        for row in rows:
            if row.status != "ok":
                told.setdefault(row.status, []).append(row)
            if row.warnings:
                told.setdefault("warned", []).append(row)
        for kind, own in told.items():
            example = own[0]
            text = example.message or example.warnings
            lines.append([f"`{name}`", kind, str(len(own)), f"{example.sample}: {text}"])
    return Table(("method", "what", "n", "for example"), lines) if lines else None


def now_table(suite: SuiteRun, methods: Methods, out: Path) -> Table:
    """NoW's figures: all distances of all scans in one pool."""
    lines = []
    for name, rows in methods.items():
        ids = {row.sample for row in rows if row.status == "ok"}
        pairs = zip(suite.indices, suite.sample_ids, strict=True)
        files = [error_file(out, suite.name, name, i) for i, sample in pairs if sample in ids]
        errors = [np.load(file) for file in files if file.exists()]
        if errors:
            v = now_values(errors)
            cells = [f"{v[f'now_{k}_mm']:.2f}" for k in ("median", "mean", "std")]
            lines.append([f"`{name}`", str(len(errors)), str(_n_failed(rows)), *cells])
    return Table(("method", "n", "failed", "median mm", "mean mm", "std mm"), lines)


def _key(region: str, key: str) -> str:
    return key if region == "face" else f"{region}_{key}"


def _mean(rows: Sequence[Row], key: str, digits: int) -> str:
    return number(stats_of(scores(rows, key)).mean, digits)


def _n_failed(rows: Sequence[Row]) -> int:
    return sum(row.status != "ok" for row in rows)


def _rate(times_ms: list[float]) -> str:
    """A second's frames; those of methods that take seconds with two digits that count."""
    if not times_ms:
        return DASH
    fps = 1e3 / float(np.median(times_ms))
    return f"{fps:.1f}" if fps >= 1 else f"{fps:.2g}"


def _percentile(times_ms: list[float], share: int) -> str:
    if not times_ms or (share == 99 and len(times_ms) < 100):
        return DASH
    return number(float(np.percentile(times_ms, share)), 1)


def _paper_comparison(name: str) -> list[str]:
    row = COMPARISON.get(name)
    if row is None:
        return [DASH] * 4
    return [f"{row.cd_mm:.2f}", f"{row.mne_rad:.3f}", f"{row.cr:.2f}", f"{row.fps:.2f}"]


def _paper_ablation(
    row: "tuple[str, float, float, float, float, float, float] | None",
) -> list[str]:
    if row is None:
        return [DASH] * 7
    return [row[0], *(number(float(value), 2) for value in row[1:])]
