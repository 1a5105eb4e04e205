"""What a training tells while it runs: log.csv, and the settings in force beside it."""

import csv
import json
import logging
import time
from pathlib import Path
from typing import Any, Protocol

from engine.files import replacing

__all__ = ["ReportSettings", "TrainReport"]

log = logging.getLogger(__name__)

_LOSSES = ("loss", "head", "view", "pose", "edges", "parsing", "gradient")
_SCORES = (
    "head_mean_deg", "head_median_deg", "view_mean_deg", "view_median_deg", "mask_iou",
    "rotation_median_deg",
)  # fmt: skip


class ReportSettings(Protocol):
    """What a report needs of a training's settings."""

    @property
    def batch_size(self) -> int: ...

    @property
    def checkpoint_minutes(self) -> float: ...

    def to_dict(self) -> dict[str, Any]: ...


class TrainReport:
    """Keeps the time and the means of losses; appends rows to OUT/log.csv.

    Losses are means since the row before; scores are there where it was validated.
    """

    def __init__(
        self,
        settings: ReportSettings,
        out: Path,
        max_minutes: float,
        losses: tuple[str, ...] = _LOSSES,
        scores: tuple[str, ...] = _SCORES,
    ) -> None:
        """losses, scores: names of the log's columns."""
        self._names = losses
        self._columns = ("step", "minutes", "lr", "samples_per_s", *losses, *scores)
        self.last_scores: dict[str, float] = {}
        self._settings, self._out, self._max_minutes = settings, out, max_minutes
        self._started = self._saved = self._row_from = time.monotonic()
        self._losses: list[dict[str, float]] = []
        self._scores: dict[str, float] = {}

    def begin(self) -> None:
        """Write the settings in force, which a training that goes on may have changed, and the
        log's first line where there is no log, or one of other columns.

        Raises: OutputError.
        """
        with replacing(self._out / "settings.json") as temporary:
            temporary.write_text(json.dumps(self._settings.to_dict(), indent=1) + "\n")
        before = self._rows_before()
        if before is None or (before and tuple(before[0]) != self._columns):
            with (
                replacing(self._out / "log.csv") as temporary,
                temporary.open("w", newline="", encoding="utf-8") as file,
            ):
                writer = csv.DictWriter(
                    file, self._columns, extrasaction="ignore", lineterminator="\n"
                )
                writer.writeheader()
                writer.writerows(before or [])

    def _rows_before(self) -> list[dict[str, str]] | None:
        """The rows of the log; None: there is no log."""
        try:
            with (self._out / "log.csv").open(newline="", encoding="utf-8") as file:
                return list(csv.DictReader(file))
        except FileNotFoundError:
            return None

    def time_is_up(self) -> bool:
        """Whether the minutes given are over."""
        return time.monotonic() - self._started > 60 * self._max_minutes

    def checkpoint_is_due(self) -> bool:
        """Whether the last checkpoint is old; asking counts as writing one."""
        due = time.monotonic() - self._saved > 60 * self._settings.checkpoint_minutes
        if due:
            self._saved = time.monotonic()
        return due

    def count(self, losses: dict[str, float]) -> None:
        """Take in a step's losses."""
        self._losses.append(losses)

    def scores(self, scores: dict[str, float]) -> None:
        """Take in the scores of a validation; the time it took spoils the row's samples/s."""
        self.last_scores = self._scores = scores

    def write_row(self, step: int, lr: float) -> None:
        """Append the means since the last row, if there were any steps since."""
        now = time.monotonic()
        if not (n := len(self._losses)):
            return
        values: dict[str, float] = {
            "step": step,
            "minutes": (now - self._started) / 60,
            "lr": lr,
            "samples_per_s": n * self._settings.batch_size / max(now - self._row_from, 1e-9),
            **{name: sum(x[name] for x in self._losses) / n for name in self._names},
            **self._scores,
        }
        self._append([f"{values[name]:.6g}" if name in values else "" for name in self._columns])
        log.info("%s", {name: round(value, 4) for name, value in values.items()})
        self._losses, self._scores, self._row_from = [], {}, now

    def _append(self, row: list[str]) -> None:
        path = self._out / "log.csv"
        with path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerow(row)
