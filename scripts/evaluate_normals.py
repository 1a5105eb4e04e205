"""Evaluate normal networks on held-out synthetic samples, where the truth is known.

python scripts/evaluate_normals.py FILE.onnx [MORE.onnx ...] --data DIR --out DIR [--sheet FILE.png]

Runs the graphs as the program does over DIR/val-*.tar and writes rows.csv (a row per sample of the
first network), summary.json (all figures, and the settings in force) and report.md. Several
networks are compared side by side: precisions, or trainings with and without a population.
"""

import argparse
import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from engine.batch_plan import program_version
from engine.errors import EngineError
from engine.files import replacing
from engine.io.assets import sha256_of
from engine.io.image import save_png
from engine.stages.normal_network import OwnNetwork
from engine.synth.manifest import manifest_path
from engine.training.error_sheet import error_row, error_sheet
from engine.training.evaluate_normals import SampleResult, evaluate, predicted, spread_samples
from engine.training.normal_report import (
    Evaluated,
    report_markdown,
    summary_of,
    write_rows,
    write_summary,
)
from engine.training.precision_speed import median_and_p95_ms

SPEED_THREADS = 2


def main() -> int:
    options = _parser().parse_args()
    start = time.monotonic()
    try:
        evaluated, summary = measure(options)
        write(options, evaluated, summary)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for entry in summary["networks"]:
        cells = "  ".join(f"{name} {value:.4g}" for name, value in entry["all"].items())
        sys.stdout.write(f"{entry['file']}: {cells}\n")
    sys.stderr.write(f"{time.monotonic() - start:.0f} s; figures are in {options.out}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("networks", type=Path, nargs="+", metavar="FILE.onnx", help="networks; the first in full")
    add("--data", type=Path, required=True, help="folder of SPLIT-*.tar, from n2f synth")
    add("--out", type=Path, required=True, help="folder for rows.csv, summary.json and report.md")
    add("--split", default="val", help="default: val")
    add("--n", type=int, default=0, help="samples, spread over the shards; default: all")
    add("--population", default="both", choices=("both", "openhead", "makehuman"))
    add("--threads", type=int, default=1, help="of the CPU while measuring errors; default: 1")
    add("--speed", action="store_true", help=f"measure times too, with {SPEED_THREADS} threads")
    add("--speed-note", default="", help="what else the report says of the times")
    add("--sheet", type=Path, help="PNG: worst and random samples of the first network")
    add("--rows", type=int, default=8, help="worst, and as many random, rows of the sheet")
    add("--report", type=Path, help="a further place for report.md")
    return parser


def measure(options: argparse.Namespace) -> tuple[list[Evaluated], dict[str, Any]]:
    """All networks over all samples; each sample is decoded once."""
    networks = [_open(path, options.threads) for path in options.networks]
    results: list[list[SampleResult]] = [[] for _ in networks]
    for sample in _samples(options):
        for network, mine in zip(networks, results, strict=True):
            mine.extend(evaluate(network, [sample]))
    if not results[0]:
        raise EngineError(f"{options.data} has no samples of {options.population}; choose others")
    evaluated = [
        Evaluated(
            name=path.name,
            sha256=sha256_of(path),
            size_bytes=path.stat().st_size,
            metadata=network.session.metadata,
            results=mine,
            ms=median_and_p95_ms(_open(path, SPEED_THREADS)) if options.speed else None,
        )
        for path, network, mine in zip(options.networks, networks, results, strict=True)
    ]
    return evaluated, summary_of(evaluated, _settings(options))


def _open(path: Path, threads: int) -> OwnNetwork:
    return OwnNetwork(path, threads=threads, provider="cpu", may_fall_back=False)


def _samples(options: argparse.Namespace) -> Any:  # noqa: ANN401  (an iterator of samples)
    return spread_samples(options.data, options.split, options.n, options.population)


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    manifest = manifest_path(options.data, options.split)
    settings = {
        "split": options.split,
        "n": options.n,
        "population": options.population,
        "threads": options.threads,
        "manifest_sha256": sha256_of(manifest) if manifest.is_file() else None,
        "versions": {"n2fnet": program_version()}
        | {name: version(name) for name in ("numpy", "onnxruntime")},
    }
    if options.speed:
        note = f"; {options.speed_note}" if options.speed_note else ""
        settings["speed"] = f"the graph alone, {SPEED_THREADS} threads of the CPU{note}."
    return settings


def write(options: argparse.Namespace, evaluated: list[Evaluated], summary: dict[str, Any]) -> None:
    """All files; the report last."""
    results = evaluated[0].results
    write_rows(options.out / "rows.csv", results)
    write_summary(options.out / "summary.json", summary)
    if options.sheet is not None:
        save_png(options.sheet, _sheet(options, results))
    report = options.out / "report.md"
    with replacing(report) as temporary:
        temporary.write_text(report_markdown(summary), encoding="utf-8")
    if options.report is not None:
        with replacing(options.report) as temporary:
            shutil.copyfile(report, temporary)


def _sheet(options: argparse.Namespace, results: Any) -> Any:  # noqa: ANN401  (U8)
    """The worst by the mean of both maps' medians, then random others."""
    medians = [
        np.median(r.scores.head_deg) + np.median(r.scores.view_deg) if len(r.confidence) else -1.0
        for r in results
    ]
    order = np.argsort(medians, kind="stable")[::-1]
    worst, rest = order[: options.rows], order[options.rows :]
    some = np.random.default_rng(0).permutation(np.sort(rest))[: options.rows]
    wanted = {int(k): "worst" for k in worst} | {int(k): "random" for k in some}
    network = _open(options.networks[0], options.threads)
    rows = {
        k: error_row(sample, predicted(network, sample), wanted[k])
        for k, sample in enumerate(_samples(options))
        if k in wanted
    }
    return error_sheet([rows[k] for k in wanted])


if __name__ == "__main__":
    raise SystemExit(main())
