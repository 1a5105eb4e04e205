"""What a person sees of a benchmark, on stderr: a bar, or lines without a terminal."""

import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from engine.benchmark.runner import Progress as Done

__all__ = ["BenchReport"]

_LINE_EVERY_S = 30.0


class BenchReport:
    """Progress of a benchmark."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None)
        self._start = self._told = time.perf_counter()

    def show(self, done: "Done") -> None:
        """How far the suites with a truth are, in predictions."""
        self._tell("predictions", done.n_kept + done.n_done, done.n, done.n_done)

    def show_speed(self, name: str, n_done: int, n: int) -> None:
        """How far the speed suite is."""
        self._tell(f"timing {name}", n_done, n, n_done)

    def say(self, text: str) -> None:
        """A line of its own."""
        self._console.print(text, markup=False)

    def _tell(self, what: str, n_done: int, n: int, n_new: int) -> None:
        self._bar.update(self._task, description=what, completed=n_done, total=n)
        now = time.perf_counter()
        if not self._console.is_terminal and now - self._told >= _LINE_EVERY_S:
            self._told = now
            left = (now - self._start) / n_new * (n - n_done) if n_new else None
            time_left = "" if left is None else f", about {left / 60:.0f} min left"
            self._console.print(f"{what}: {n_done} of {n}{time_left}")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.stop()
