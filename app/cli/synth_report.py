"""What a person sees of a production of samples, on stderr: a bar, or lines without a terminal."""

import time
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from engine.synth.manifest import Manifest
from engine.synth.produce import Progress

__all__ = ["SynthReport"]

_LINE_EVERY_S = 30.0


class SynthReport:
    """Progress of a production of n samples."""

    def __init__(self, n: int) -> None:
        self.last = Progress(n, 0, 0)
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar = Bar(
            TextColumn("samples"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=n, rate="")
        self._start = self._told = time.perf_counter()

    def show(self, progress: Progress) -> None:
        """How far it is."""
        self.last = progress
        n_done = progress.n_kept + progress.n_made
        now = time.perf_counter()
        rate = f"{progress.n_made / max(now - self._start, 1e-9):.1f} samples/s"
        self._bar.update(self._task, completed=n_done, rate=rate)
        if not self._console.is_terminal and now - self._told >= _LINE_EVERY_S:
            self._told = now
            self._console.print(f"sample {n_done} of {progress.n}, {rate}")

    def print_totals(self, manifest: Manifest, out: Path, seconds: float) -> None:
        """What was made, how fast, and where it is."""
        n_made, n_kept = self.last.n_made, self.last.n_kept
        kept = f" {n_kept} kept from an earlier run," if n_kept else ""
        files = "1 shard" if len(manifest.shards) == 1 else f"{len(manifest.shards)} shards"
        self._console.print(
            f"{manifest.n_done} {manifest.split} samples in {files}:{kept} {n_made} made in "
            f"{seconds:.1f} s, {n_made / seconds:.1f} samples/s. Results: {escape(str(out))}"
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.stop()
