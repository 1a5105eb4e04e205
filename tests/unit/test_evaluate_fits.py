"""scripts/evaluate_fits.py measures with predicted normals unless true ones are asked for."""

import argparse

import pytest

from engine.errors import AssetError
from scripts.evaluate_fits import estimator_for, main


def test_true_normals_are_not_taken_for_predicted_ones(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys
):
    asked = argparse.Namespace(normals="none", true_normals=False)
    with pytest.raises(AssetError, match=r"no normal network: .*--true-normals"):
        estimator_for(asked)
    assert estimator_for(argparse.Namespace(normals="none", true_normals=True)) is None
    line = ["evaluate_fits.py", str(tmp_path), "--out", str(tmp_path / "out"), "--normals", "none"]
    monkeypatch.setattr("sys.argv", line)
    assert main() == 1
    assert "no normal network" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
