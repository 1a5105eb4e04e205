"""What a person sees of a batch, on stderr: a progress bar on a terminal, a line for each input."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from engine.batch import Outcome

__all__ = ["FitReport"]

_COLOURS = {"ok": "green", "low": "yellow", "no-face": "red", "error": "red"}


class FitReport:
    """Progress of a batch of so many inputs."""

    def __init__(self, n_jobs: int) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("", total=n_jobs)
        self._name = ""

    def begin(self, path: Path) -> None:
        self._name = escape(path.name)
        self._progress.update(self._task, description=self._name)

    def count_frame(self, n_done: int) -> None:
        """A video's frame is done."""
        if n_done > 1:
            self._progress.update(self._task, description=f"{self._name}, frame {n_done}")

    def end(self, outcome: Outcome) -> None:
        """One line for the input, above the bar."""
        row = outcome.row
        kept = " (kept from an earlier run)" if outcome.kept else ""
        message = f": {escape(row.message)}" if row.message else ""
        status = f"[{_COLOURS[row.status]}]{row.status:7}[/]"
        self._console.print(f"{status} {escape(row.input)}{kept}{message}")
        self._progress.advance(self._task)

    def print_totals(self, outcomes: Sequence[Outcome], out: Path) -> None:
        """How many went how, and where the results are."""
        counts = Counter(outcome.row.status for outcome in outcomes)
        parts = [f"{counts[status]} {status}" for status in _COLOURS if counts[status]]
        kept = sum(outcome.kept for outcome in outcomes)
        parts += [f"{kept} kept from an earlier run"] if kept else []
        self._console.print(f"{', '.join(parts)}. Results: {escape(str(out))}")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._progress.stop()
