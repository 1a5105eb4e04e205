"""rows.csv: what goes in comes out, also after it was broken off."""

from pathlib import Path

import pytest

from engine.benchmark.rows import Row, RowFile
from engine.errors import OutputError


def row(sample: str, method: str = "m", **values: float) -> Row:
    return Row("s", sample, method, "g", "p, \"q\"", "ok", stage_ms={"crop": 1.5}, ms=2.25,
               values=values)  # fmt: skip


def told(rows: list[Row]) -> list[object]:
    return [(r.key, r.subject, r.ms, dict(r.stage_ms), dict(r.values)) for r in rows]


def test_rows_come_back_to_the_last_bit(tmp_path: Path):
    rows = [row("a", cd_mm=0.1 + 0.2), row("b", cd_mm=1 / 3, cr=0.5), row("c")]
    file = RowFile(tmp_path / "rows.csv")
    for one in rows:
        file.add([one])
    assert told(RowFile(tmp_path / "rows.csv").rows) == told(rows)


def test_a_new_score_becomes_a_column(tmp_path: Path):
    file = RowFile(tmp_path / "rows.csv")
    file.add([row("a", cd_mm=1.0)])
    file.add([row("b", cr=0.5)])
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert lines[0].endswith(",ms,stage_ms,cd_mm,cr")
    assert [line.split(",")[-2:] for line in lines[1:]] == [["1.0", ""], ["", "0.5"]]


def test_half_a_row_is_left_out(tmp_path: Path):
    path = tmp_path / "rows.csv"
    RowFile(path).add([row("a", x=1.0), row("b", x=2.0)])
    path.write_text(path.read_text()[:-15])
    file = RowFile(path)
    assert ("s", "a", "m") in file
    assert ("s", "b", "m") not in file
    file.add([row("b", x=3.0)])
    assert told(RowFile(path).rows) == told([row("a", x=1.0), row("b", x=3.0)])


def test_rows_are_put_in_order(tmp_path: Path):
    file = RowFile(tmp_path / "rows.csv")
    file.add([row("b"), row("a")])
    file.sort({row("a").key: 0, row("b").key: 1})
    assert [r.sample for r in RowFile(tmp_path / "rows.csv").rows] == ["a", "b"]


def test_another_table_is_refused(tmp_path: Path):
    (tmp_path / "rows.csv").write_text("name,age\nx,3\n")
    with pytest.raises(OutputError, match="holds no rows of n2f bench"):
        RowFile(tmp_path / "rows.csv")
