"""The speed suite: what each stage takes, beside the peers' networks and what the machine could.

One process, one picture at a time. Figures are of this machine at this moment: only those of one
run can be compared.
"""

import json
import math
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engine.benchmark.document import Block, Heading, Paragraph, Table
from engine.benchmark.machine import describe_machine, describe_program
from engine.benchmark.network_cost import peak_multiply_adds_per_s
from engine.benchmark.speed_subjects import (
    THREADS,
    WHOLE,
    frames_per_s,
    optimiser_subjects,
    our_subjects,
    peer_subjects,
)
from engine.benchmark.timed import Timing, time_in_turn
from engine.files import replacing
from engine.flame.model import HeadModel
from engine.methods import DEFAULT

__all__ = ["SPEED_METHODS", "SpeedResult", "run_speed", "speed_blocks"]

SPEED_METHODS: Final = ("n2fnet-refined", "n2fnet", "landmarks")


@dataclass(frozen=True, slots=True)
class SpeedResult:
    """What was measured."""

    timings: list[Timing]
    peak_per_s: float  # multiply-adds
    problems: list[str]  # what could not be timed, and why
    program: dict[str, Any]
    machine: dict[str, Any]
    frames_per_s: float = math.nan  # of DEFAULT, its steps at once as `n2f fit` runs them

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "threads": THREADS,
            "program": self.program,
            "machine": self.machine,
            "peak_multiply_adds_per_s": self.peak_per_s,
            "problems": self.problems,
            "fit_frames_per_s": self.frames_per_s if math.isfinite(self.frames_per_s) else None,
            "timings": [timing.to_dict() for timing in self.timings],
        }

    def figures(self) -> dict[str, Any]:
        """Percentiles by subject; for programs."""
        told = self.to_dict()
        for timing, values in zip(self.timings, told["timings"], strict=True):
            del values["ms"]
            for share in (50, 95, 99):
                ms = timing.percentile(share)
                values[f"p{share}_ms"] = ms if math.isfinite(ms) else None
        return told

    def median_ms(self, name: str, runtime: str = "") -> float:
        """Of the timing called so, of a runtime that begins so; NaN without it."""
        for timing in self.timings:
            if timing.name == name and timing.runtime.startswith(runtime):
                return timing.percentile(50)
        return math.nan


def run_speed(
    model: HeadModel,
    out: Path,
    *,
    methods: tuple[str, ...] = SPEED_METHODS,
    n: int = 200,
    progress: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> SpeedResult:
    """Time everything and write OUT/speed.json with every single time.

    Args:
        methods: names of `engine.methods.METHODS`.
        n: most runs of each subject; slow ones run fewer times.
        progress: told what runs now, and how many of how many turns are done.
    Raises: OutputError, AssetError.
    """
    problems: list[str] = []
    machine = describe_machine()  # its load before this adds to it
    peak = peak_multiply_adds_per_s(THREADS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        subjects = our_subjects(model, methods, problems, stack)
        subjects += optimiser_subjects(model, problems, stack)
        subjects += peer_subjects(folder, problems)
        timings = time_in_turn(subjects, n, progress)
    rate = frames_per_s(model, DEFAULT, n) if DEFAULT in methods else math.nan
    peak = max(peak, peak_multiply_adds_per_s(THREADS))
    result = SpeedResult(timings, peak, problems, describe_program(), machine, rate)
    with replacing(out / "speed.json") as temporary:
        temporary.write_text(json.dumps(result.to_dict(), indent=1) + "\n", encoding="utf-8")
    return result


def speed_blocks(result: SpeedResult) -> list[Block]:
    """The suite's part of a report."""
    machine = result.machine
    blocks: list[Block] = [
        Heading("Speed"),
        Paragraph(
            f"{machine['processor']}, {machine['cores']} cores; one picture at a time, the "
            f"normal network and the peers' with {THREADS} threads, everything else with one. "
            "Subjects ran in turn, in rounds, after a warm-up. p99 is given from 100 runs on. "
            "Compare figures of one run only: "
            f"{_load(machine['load'])}."
        ),
        Heading("The pipeline", 3),
        _pipeline_table(result),
        *_throughput(result),
        Heading("Networks", 3),
        _network_table(result),
        Heading("Ratios", 3),
        _ratio_table(result),
    ]
    if result.problems:
        blocks.append(Paragraph("Not timed: " + "; ".join(result.problems) + "."))
    return blocks


def _load(load: float | None) -> str:
    if load is None:
        return "how busy the machine was is not known"
    return f"the load average was {load:.1f} when it began"


def _pipeline_table(result: SpeedResult) -> Table:
    rows = []
    for t in result.timings:
        if t.group == "pipeline":
            median = t.percentile(50)
            rate = f"{1e3 / median:.1f}" if t.name.endswith(WHOLE) or ":" not in t.name else ""
            rows.append([f"`{t.name}`", t.runtime, str(len(t.ms)), *_three(t), rate])
    return Table(
        ("part", "on", "n", "p50 ms", "p95 ms", "p99 ms", "frames/s"),
        rows,
        "The sample clip, 640 x 480, followed as a video; frames/s from p50 of the whole. "
        "Optimisers fit one frame of it as a single picture, and look for its face first.",
    )


def _throughput(result: SpeedResult) -> list[Block]:
    if not math.isfinite(result.frames_per_s):
        return []
    latency = result.median_ms(f"{DEFAULT}: {WHOLE}")
    return [
        Paragraph(
            f"`n2f fit` by `{DEFAULT}`: {result.frames_per_s:.1f} frames/s of the same clip, "
            "decoding included, drawing and writing not. It finds faces, looks at normals and fits "
            "at once, in three frames: that is how many come out, not how long one takes. One "
            f"frame after the other, by the whole's p50 above: {1e3 / latency:.1f} frames/s, "
            "without decoding."
        )
    ]


def _network_table(result: SpeedResult) -> Table:
    rows = []
    for t in result.timings:
        if t.group == "pipeline":
            continue
        cost, least = "", ""
        gap = ""
        if t.multiply_adds is not None:
            least_ms = 1e3 * t.multiply_adds / result.peak_per_s
            cost, least = f"{t.multiply_adds / 1e6:.0f}", f"{least_ms:.2f}"
            gap = f"{t.percentile(50) / least_ms:.1f}"
        name = f"`{t.name}` (random weights)" if t.note else f"`{t.name}`"
        rows.append([name, t.runtime, str(len(t.ms)), *_three(t), cost, least, gap])
    peak = result.peak_per_s / 1e9
    return Table(
        ("network", "on", "n", "p50 ms", "p95 ms", "p99 ms", "million multiply-adds",
         "least ms", "p50 / least"),
        rows,
        f"Least: multiply-adds of convolutions and matrix products over the {peak:.1f} thousand "
        f"million a second that a product of large matrices reaches here in {THREADS} threads. "
        "Peers: their encoders alone, without crop, landmarks and head model.",
    )  # fmt: skip


def _ratio_table(result: SpeedResult) -> Table:
    whole = result.median_ms(f"{DEFAULT}: {WHOLE}")
    rivals = [
        ("SMIRK's encoder in torch, as published", "smirk", "torch"),
        ("SMIRK's encoder in ONNX Runtime", "smirk", "ONNX"),
        ("DECA's encoder in torch, as published", "deca", "torch"),
        ("EMOCA's encoders in torch, as published", "emoca", "torch"),
        ("MICA's network in torch, as published", "mica", "torch"),
        ("MediaPipe alone", "mediapipe", ""),
        ("`pixel3dmm`, 800 iterations of Adam", "pixel3dmm", ""),
        ("`pixel3dmm-gn`, the same energy", "pixel3dmm-gn", ""),
    ]
    rows = []
    for title, name, runtime in rivals:
        other = result.median_ms(name, runtime)
        if math.isfinite(other) and math.isfinite(whole):
            rows.append([title, f"{other:.1f}", f"{whole:.1f}", f"{other / whole:.2f}"])
    return Table(
        ("beside", "its p50 ms", f"`{DEFAULT}`, whole, p50 ms", "times as long as the whole"),
        rows,
        "Over 1: the whole pipeline, camera picture to posed head, is faster.",
    )


def _three(timing: Timing) -> list[str]:
    values = [timing.percentile(share) for share in (50, 95, 99)]
    return [f"{value:.1f}" if math.isfinite(value) else "-" for value in values]
