"""rows.csv: one row for each sample and method, failures too; grows while a benchmark runs.

Columns: who and what, status, times, then the scores, which a row may lack. A run that was broken
off goes on from the rows that are there.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from engine.errors import OutputError
from engine.files import replacing

__all__ = ["Row", "RowFile", "Status"]

Status = Literal["ok", "no-face", "error", "not-scored"]
"""error: sample or method failed; not-scored: there is a face, but it cannot be measured."""

_FIXED: Final = (
    "suite", "sample", "method", "group", "subject", "status", "message", "warnings", "model_id",
    "ms", "stage_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """What one method made of one sample."""

    suite: str
    sample: str
    method: str
    group: str
    subject: str
    status: Status
    message: str = ""
    warnings: str = ""  # separated by "; "
    model_id: str = ""  # of the head model; empty for meshes of none
    ms: float | None = None  # of the whole method
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)  # scores

    @property
    def key(self) -> tuple[str, str, str]:
        """What there is one row of."""
        return self.suite, self.sample, self.method


class RowFile:
    """The rows of one folder, in memory and on disk."""

    def __init__(self, path: Path) -> None:
        """Read what an earlier run left. Raises: OutputError: if that is no such file."""
        self._path = path
        self._rows: dict[tuple[str, str, str], Row] = {}
        self._columns: list[str] = []
        if path.exists():
            self._read()

    @property
    def rows(self) -> list[Row]:
        """In the order in which they came, or that `sort` gave them."""
        return list(self._rows.values())

    def __contains__(self, key: tuple[str, str, str]) -> bool:
        return key in self._rows

    def add(self, rows: Iterable[Row]) -> None:
        """Append and flush; rewritten where a score is new. Raises: OutputError."""
        new = list(rows)
        for row in new:
            self._rows[row.key] = row
        if not self._path.exists() or any(set(row.values) - set(self._columns) for row in new):
            self._write()
            return
        try:
            with self._path.open("a", newline="", encoding="utf-8") as file:
                file.write(self._text(new))
        except OSError as error:
            raise OutputError(
                f"{self._path} cannot be written: {error.strerror or error}; free some space"
            ) from error

    def sort(self, order: Mapping[tuple[str, str, str], int]) -> None:
        """Write the rows in an order of their keys; others keep theirs, at the end."""
        last = len(order)
        ordered = sorted(self._rows.values(), key=lambda row: order.get(row.key, last))
        self._rows = {row.key: row for row in ordered}
        self._write()

    def _write(self) -> None:
        names = {name for row in self._rows.values() for name in row.values}
        self._columns = sorted(names)
        with replacing(self._path) as temporary:
            head = ",".join((*_FIXED, *self._columns)) + "\n"
            temporary.write_text(head + self._text(self._rows.values()), encoding="utf-8")

    def _text(self, rows: Iterable[Row]) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for row in rows:
            fixed = [getattr(row, name) for name in _FIXED[:-2]]
            ms = "" if row.ms is None else f"{row.ms:.3f}"
            stages = ";".join(f"{name}={value:.3f}" for name, value in row.stage_ms.items())
            scores = [repr(float(row.values[c])) if c in row.values else "" for c in self._columns]
            writer.writerow([*fixed, ms, stages, *scores])
        return text.getvalue()

    def _read(self) -> None:
        try:
            with self._path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                self._columns = [c for c in reader.fieldnames or () if c not in _FIXED]
                if tuple(reader.fieldnames or ())[: len(_FIXED)] != _FIXED:
                    raise ValueError("its columns are others")
                for record in reader:
                    if None in record.values():  # broken off in the middle of a row
                        continue
                    row = self._row(record)
                    self._rows[row.key] = row
        except (OSError, ValueError) as error:
            raise OutputError(
                f"{self._path} holds no rows of n2f bench ({error}); choose another folder"
            ) from error
        self._write()  # whole rows only, so that the next one begins on a line of its own

    def _row(self, record: dict[str, str]) -> Row:
        stages = (pair.rsplit("=", 1) for pair in record["stage_ms"].split(";") if pair)
        texts = {name: record[name] for name in _FIXED[:-2]}
        return Row(
            **texts,  # type: ignore[arg-type]
            ms=float(record["ms"]) if record["ms"] else None,
            stage_ms={name: float(value) for name, value in stages},
            values={c: float(record[c]) for c in self._columns if record[c]},
        )
