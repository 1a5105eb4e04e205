"""What a person sees of a batch, on stderr: a progress bar on a terminal, a line for each input."""

import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from engine.batch import Outcome

if TYPE_CHECKING:
    from engine.fitting.curve import CurvePoint

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
        self.asked_to_stop = False
        """By Ctrl-C in a stage that keeps what it has."""
        self._listens = False
        self._handler: Any = signal.SIG_DFL

    def begin(self, path: Path) -> None:
        self._name = escape(path.name)
        self._progress.update(self._task, description=self._name)

    def count_frame(self, n_done: int) -> None:
        """A video's frame is done."""
        if n_done > 1:
            self._progress.update(self._task, description=f"{self._name}, frame {n_done}")

    def optimising(self, point: "CurvePoint", n: int) -> bool:
        """A face is being optimised; ends that, with the best so far, on Ctrl-C.

        The results of this input are then written, of a video those of the frames until then, and
        no further input is begun.
        """
        return self._optimising(self._name, point, n)

    def joint(self, point: "CurvePoint", n: int) -> bool:
        """As `optimising`, of all frames of a video together."""
        return self._optimising(f"{self._name}, all frames together", point, n)

    def _optimising(self, what: str, point: "CurvePoint", n: int) -> bool:
        if not self._listens:
            self._listens = True
            self._handler = signal.signal(signal.SIGINT, self._ask_to_stop)
        done = f"{what}: {point.iteration + 1} of {n}, energy {point.total:.4g}"
        self._progress.update(self._task, description=done)
        return not self.asked_to_stop

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self.asked_to_stop:  # once more: at once
            raise KeyboardInterrupt
        self.asked_to_stop = True
        self._console.print("stopping; what is found so far is written")

    def _listen_no_more(self) -> None:
        if self._listens:
            self._listens = False
            signal.signal(signal.SIGINT, self._handler)

    def end(self, outcome: Outcome) -> None:
        """One line for the input, above the bar."""
        self._listen_no_more()
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
        self._listen_no_more()
        self._progress.stop()
