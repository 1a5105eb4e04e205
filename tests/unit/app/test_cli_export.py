"""`n2f export`: what it says of what it wrote."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")
import engine.training.evaluate_normals
import engine.training.export_normals
from app.__main__ import main
from engine.training.export_normals import Parity

Export = Callable[..., str]


@pytest.fixture
def export_normals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Export:
    """Runs `n2f export normals`, whose graph has a known parity; gives stdout."""
    parity = Parity(normal_deg=0.001, mask=1e-6, confidence=1e-6, same_parsing=1.0)
    monkeypatch.setattr(engine.training.export_normals, "export_normals", lambda *given: parity)
    monkeypatch.setattr(engine.training.evaluate_normals, "spread_samples", lambda *given: ())

    def run(*flags: str) -> str:
        monkeypatch.setattr("sys.argv", ["n2f", "export", "normals", "w.npz", *flags])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return capsys.readouterr().out

    return run


def test_parity_of_full_precision_is_not_told_as_that_of_8_bits(
    export_normals: Export, tmp_path: Path
):
    said = export_normals("--out", "net.onnx", "--precision", "int8", "--data", str(tmp_path))
    assert said.startswith("net.onnx: made from a graph of full precision that differs from torch")
    assert "what 8 bits change is not in that" in said
    assert "evaluate_normals.py" in said


def test_parity_of_what_was_written_is_told_as_such(export_normals: Export):
    for precision in ("fp32", "fp16"):
        said = export_normals("--out", "net.onnx", "--precision", precision)
        assert said.startswith("net.onnx: {")
