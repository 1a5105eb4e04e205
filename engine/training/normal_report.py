"""What an evaluation of normal networks writes: rows.csv, summary.json and Markdown.

No other place turns these figures into text.
"""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.files import replacing
from engine.synth.sample import PARSING
from engine.training.evaluate_normals import SampleResult
from engine.training.normal_summary import (
    calibration,
    figures,
    grouped,
    parsing_iou,
    sample_row,
)

__all__ = ["Evaluated", "report_markdown", "summary_of", "write_rows", "write_summary"]

_KINDS = ("median", "mean", "median of samples")
_ERRORS = tuple(f"{which}_{kind}_deg" for which in ("head", "view")
                for kind in ("median", "mean", "sample_median"))  # fmt: skip
_TURNS = ("rotation_median_deg", "rotation_p95_deg")


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """One network over the samples."""

    name: str  # of its file
    sha256: str
    size_bytes: int
    metadata: Mapping[str, str]  # of the graph
    results: Sequence[SampleResult]
    ms: tuple[float, float] | None = None  # median and 95th percentile of a run; None: not measured


def write_rows(path: Path, results: Sequence[SampleResult]) -> None:
    """One row a sample. Raises: OutputError: if it cannot be written."""
    rows = [sample_row(result) for result in results]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})


def summary_of(evaluated: Sequence[Evaluated], settings: Mapping[str, Any]) -> dict[str, Any]:
    """All figures of all networks, and the settings in force, as JSON values."""
    return {"settings": dict(settings), "networks": [_network(e) for e in evaluated]}


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Raises: OutputError: if it cannot be written."""
    text = json.dumps(_finite(summary), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def report_markdown(summary: Mapping[str, Any]) -> str:
    """The first network in full, then all of them side by side."""
    first = summary["networks"][0]
    parts = [
        _head(summary["settings"], first),
        _groups(first),
        _parsing(first),
        _confidences(first),
    ]
    if len(summary["networks"]) > 1 or first["ms_p50"] is not None:
        parts.append(_side_by_side(summary))
    return "\n\n".join(parts) + "\n"


def _network(e: Evaluated) -> dict[str, Any]:
    return {
        "file": e.name,
        "sha256": e.sha256,
        "size_bytes": e.size_bytes,
        "metadata": dict(e.metadata),
        "ms_p50": None if e.ms is None else e.ms[0],
        "ms_p95": None if e.ms is None else e.ms[1],
        "all": figures(e.results),
        "groups": grouped(e.results),
        "parsing_iou": parsing_iou(e.results),
        "calibration": calibration(e.results),
    }


def _finite(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """JSON has no NaN: null."""
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _head(settings: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    return (
        "# The normal network in figures\n\n"
        "Written by `scripts/evaluate_normals.py`; [training.md](training.md) tells what was done."
        "\n\n"
        f"Network `{first['file']}` (sha256 {first['sha256'][:12]}) on {first['all']['n']} samples "
        f"of split `{settings['split']}`, on the CPU. Errors are angles to the true normals in the "
        "true skin (brows and lips are skin; eyes, mouth, ears, neck and hair are not counted).\n\n"
        "- *median*, *mean*: over all pixels of skin of all samples together; *median of samples*: "
        "of each sample's own median.\n"
        "- *IoU*: face mask (skin, eyes and inside of the mouth, without hair and what lies over "
        "the face), mean over samples.\n"
        "- *Rotation*: angle between the head's rotation by the two predicted maps, weighted by "
        "mask and confidence as in the program, and the true one.\n"
        "- *Covered*: share of the outline of the 68 true landmarks that hair or things lie over. "
        "*Not found*: MediaPipe saw no face there; its points are modelled."
    )


def _groups(first: Mapping[str, Any]) -> str:
    rows = []
    for name, f in {"**all**": first["all"], **first["groups"]}.items():
        errors, turns = ([_number(f[k], 2) for k in ks] for ks in (_ERRORS, _TURNS))
        rows.append([name, str(f["n"]), *errors, _number(f["mask_iou"], 3), *turns])
    errors_of = [f"{which} {kind} °" for which in ("head", "view") for kind in _KINDS]
    heads = ["samples", "n", *errors_of, "IoU", "rotation median °", "95 % under °"]
    return _table(heads, rows)


def _parsing(first: Mapping[str, Any]) -> str:
    cells = [_number(first["parsing_iou"][name], 3) for name in PARSING]
    heads = [name.replace("_", " ") for name in PARSING]
    return "Parsing, overlap (IoU) of each class over all pixels:\n\n" + _table(heads, [cells])


def _confidences(first: Mapping[str, Any]) -> str:
    rows = [
        [_number(t["confidence"], 3), _number(t["expected_deg"], 2), _number(t["true_deg"], 2)]
        for t in first["calibration"]
    ]
    title = "Confidence, tenths of all pixels of skin from the least confident (means):\n\n"
    return title + _table(["confidence", "expected error °", "true error °"], rows)


def _side_by_side(summary: Mapping[str, Any]) -> str:
    rows = []
    for e in summary["networks"]:
        f, of = e["all"], e["groups"]
        halves = [of.get(name, {}).get("head_median_deg") for name in ("openhead", "makehuman")]
        size, times = f"{e['size_bytes'] / 1e6:.2f}", (e["ms_p50"], e["ms_p95"])
        errors = [f["head_median_deg"], f["view_median_deg"], f["rotation_median_deg"], *halves]
        cells = [*(_number(t, 1) for t in times), *(_number(x, 2) for x in errors)]
        made = [e["metadata"].get("population", "both"), e["metadata"].get("precision", "fp32")]
        rows.append([f"`{e['file']}`", *made, size, *cells, _number(f["mask_iou"], 3)])
    heads = ["network", "trained on", "precision", "MB", "ms median", "95 % under",
             "head median °", "view median °", "rotation median °", "head median, openhead °",
             "head median, makehuman °", "IoU"]  # fmt: skip
    text = "Side by side:\n\n" + _table(heads, rows)
    if speed := summary["settings"].get("speed"):
        text += f"\n\nTimes: {speed}"
    return text


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(heads), "|".join(["---"] * len(heads)), *(" | ".join(r) for r in rows)]
    return "\n".join(f"| {line} |" for line in lines)
