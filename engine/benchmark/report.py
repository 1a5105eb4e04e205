"""Report: the rows of a run as report.md and report.html, with figures beside them."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np

from engine.benchmark.cases import case_sheet, mean_error_sheet
from engine.benchmark.curves import draw_curves
from engine.benchmark.document import (
    Block,
    Heading,
    Paragraph,
    Picture,
    as_html,
    as_markdown,
)
from engine.benchmark.error_painter import WORST_MM, ErrorPainter
from engine.benchmark.rows import Row
from engine.benchmark.runner import BenchRun, BenchSettings, SuiteRun, error_file
from engine.benchmark.speed import SpeedResult, speed_blocks
from engine.benchmark.summary import by_method, scores
from engine.benchmark.tables import (
    NME,
    ablation_table,
    comparison_table,
    detail_table,
    failure_table,
    group_table,
    latency_table,
    now_table,
)
from engine.benchmark.work import BenchWorker
from engine.errors import EngineError
from engine.files import replacing
from engine.types import F64

__all__ = ["write_report"]

logger = logging.getLogger(__name__)

_ALIGNMENTS: Final = {
    "A": "similarity from landmarks, then rigid ICP with that size",
    "B": "similarity from landmarks, then ICP in which the size is free too",
    "C": "metrical: rigid alone, the method's own size",
}
_MESH_SCORES: Final = (
    ("cd_mm", "CD mm", 3),
    ("cd_acc_mm", "CD truth to prediction mm", 3),
    ("cd_comp_mm", "CD prediction to truth mm", 3),
    ("mne_rad", "MNE rad", 3),
    ("cr", "CR (2 mm)", 3),
    ("r1", "R@1", 3),
    ("r2_5", "R@2.5", 3),
    ("nc", "NC", 3),
    ("vertex_mm", "vertex error mm", 3),
    ("rotation_deg", "rotation °", 2),
    (NME, "NME %", 2),
    ("nme51_interocular_percent", "NME inner 51 %", 2),
)
_LANDMARK_SCORES: Final = (
    (NME, "NME, eye corners %", 2),
    ("nme51_interocular_percent", "NME inner 51 %", 2),
    ("nme_interpupil_percent", "NME, pupils %", 2),
    ("nme_box_percent", "NME, box %", 2),
)
_KEY: Final = {"mesh": ("cd_mm", "mm CD"), "landmarks": (NME, "% NME"),
               "now": ("now_mean_mm", "mm mean")}  # fmt: skip
Methods = Mapping[str, list[Row]]


def write_report(settings: BenchSettings | None, run: BenchRun | None, speed: SpeedResult | None,
                 out: Path) -> None:  # fmt: skip
    """Write OUT/report.md, report.html and OUT/figures.

    Args:
        settings, run: both or neither.
    Raises: OutputError.
    """
    blocks: list[Block] = [Heading("n2fnet benchmark", 1)]
    with ExitStack() as stack:
        if settings is not None and run is not None:
            worker = BenchWorker(settings.work)
            stack.callback(worker.close)
            blocks += _Accuracy(settings, run, worker, _painter(stack)).blocks()
        if speed is not None:
            blocks += speed_blocks(speed)
    for name, text in (
        ("report.md", as_markdown(blocks)),
        ("report.html", as_html(blocks, "n2fnet benchmark")),
    ):
        with replacing(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _painter(stack: ExitStack) -> ErrorPainter | None:
    try:
        return stack.enter_context(ErrorPainter())
    except EngineError as error:
        logger.warning("no error maps: %s", error)
        return None


class _Accuracy:
    """The part of a report that is about accuracy."""

    def __init__(
        self,
        settings: BenchSettings,
        run: BenchRun,
        worker: BenchWorker,
        painter: ErrorPainter | None,
    ) -> None:
        self._settings, self._run = settings, run
        self._worker, self._painter = worker, painter
        self._rows = {
            s.name: by_method((r for r in run.rows if r.suite == s.name), settings.methods)
            for s in run.suites
        }

    def blocks(self) -> list[Block]:
        """All of it."""
        blocks: list[Block] = [Paragraph(self._what())]
        for suite in self._run.suites:
            blocks.append(Heading(suite.title))
            blocks += [Paragraph(f"Missing: {problem}") for problem in suite.problems]
            if self._rows[suite.name]:
                blocks += self._suite(suite)
        return blocks

    def _what(self) -> str:
        record = self._run.record
        program, machine = record["program"], record["machine"]
        commit = f", commit {program['commit'][:12]}" if program["commit"] else ""
        return (
            f"n2fnet {program['version']}{commit}; head model {record['head_model']['name']}; "
            f"{machine['processor']}, {machine['cores']} cores. `run.json` has all settings, "
            "versions and hashes, `rows.csv` a row for each sample and method."
        )

    def _suite(self, suite: SuiteRun) -> list[Block]:
        methods = self._rows[suite.name]
        blocks: list[Block] = [Paragraph(self._about(suite))]
        if suite.kind == "mesh":
            blocks += self._mesh_tables(methods)
        elif suite.kind == "now":
            blocks.append(now_table(suite, methods, self._settings.out))
        else:
            blocks.append(detail_table(methods, _LANDMARK_SCORES))
        key, unit = _KEY[suite.kind]
        if (groups := group_table(methods, key, unit, 2)) is not None:
            blocks += [Heading("By group", 3), groups]
        if suite.kind == "mesh":
            blocks += [Heading("All scores", 3), detail_table(methods, _MESH_SCORES)]
        jobs = int(self._run.record["jobs"])
        blocks += [Heading("Time a picture", 3), latency_table(methods, jobs)]
        if (failures := failure_table(methods)) is not None:
            blocks += [Heading("Failures and warnings", 3), failures]
        return blocks + self._pictures(suite, methods)

    def _about(self, suite: SuiteRun) -> str:
        taken = len(suite.indices)
        some = f"{taken} of {suite.n} samples" if taken < suite.n else f"{taken} samples"
        alignment = self._settings.work.alignment
        how = f" Alignment {alignment}: {_ALIGNMENTS[alignment]}." if suite.kind == "mesh" else ""
        return f"{some}. Data: {suite.licence}.{how}"

    def _mesh_tables(self, methods: Methods) -> list[Block]:
        landmarks = self._rows.get("300w") or methods
        obstacles = self._run.obstacles
        return [
            Heading("Table 3: methods", 3),
            comparison_table(methods, obstacles),
            Heading("Table 1: ablation, by region", 3),
            ablation_table(methods, landmarks, obstacles),
        ]

    def _pictures(self, suite: SuiteRun, methods: Methods) -> list[Block]:
        """Those that can be drawn; one that cannot is told in the log and left out."""
        folder = self._settings.out / "figures"
        blocks: list[Block] = []
        curves = self._curves(suite, methods)
        if curves:
            path = folder / f"{suite.name}_curves.png"
            if suite.kind == "landmarks":
                draw_curves(path, curves, limit=10, axis="NME of a picture, %",
                            share="share of pictures, %", mark=5)  # fmt: skip
            else:
                draw_curves(path, curves, limit=WORST_MM, axis="distance to the prediction, mm",
                            share="share of true points, %", mark=2)  # fmt: skip
            blocks.append(Picture(f"figures/{path.name}", "Cumulative errors, failures left out."))
        if self._painter is not None and suite.kind != "landmarks":
            path = folder / f"{suite.name}_mean_error.png"
            if mean_error_sheet(path, self._worker, self._painter, suite, methods):
                text = "Mean distance of each point of the true head to the prediction."
                blocks.append(Picture(f"figures/{path.name}", text))
        for name, rows in methods.items():
            blocks += self._cases(suite, name, rows, folder)
        heading: list[Block] = [Heading("Pictures", 3)]
        return heading + blocks if blocks else []

    def _cases(self, suite: SuiteRun, name: str, rows: list[Row], folder: Path) -> list[Block]:
        path = folder / f"{suite.name}_{name}_cases.png"
        key, unit = _KEY[suite.kind]
        painter = self._painter if suite.kind != "landmarks" else None
        try:
            drawn = case_sheet(path, self._worker, painter, suite, rows, key, unit)
        except EngineError as error:
            logger.warning("no pictures of %s: %s", name, error)
            return []
        meshes = "; the method's head; the true one, coloured by its distance to it"
        text = f"`{name}`: landmarks green, true ones red{meshes if painter else ''}."
        return [Picture(f"figures/{path.name}", text)] if drawn else []

    def _curves(self, suite: SuiteRun, methods: Methods) -> dict[str, F64]:
        """Errors by method: of pictures (NME), or of all true points."""
        if suite.kind == "landmarks":
            found = {name: np.array(scores(rows, NME)) for name, rows in methods.items()}
            return {name: values for name, values in found.items() if len(values)}
        pools = {}
        for name in methods:
            files = [error_file(self._settings.out, suite.name, name, i) for i in suite.indices]
            errors = [np.load(file) for file in files if file.exists()]
            if errors:
                pool = np.concatenate([e[np.isfinite(e)] for e in errors]).astype(np.float64)
                pools[name] = pool
        return pools
