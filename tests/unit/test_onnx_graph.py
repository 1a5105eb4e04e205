"""Graphs tell what they are, not on whose machine they were written."""

from pathlib import Path

import pytest
import torch
from torch import nn

from engine.io.assets import load_manifest
from engine.onnx_graph import write_graph


@pytest.mark.slow
def test_a_graph_keeps_its_metadata_and_no_source_files(tmp_path: Path):
    path = tmp_path / "net.onnx"
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU()).eval()
    write_graph(net, {"x": torch.zeros(1, 3)}, ("y",), path, {"kind": "made"})
    data = path.read_bytes()
    assert b"made" in data
    assert b"stack_trace" not in data


@pytest.mark.assets
def test_shipped_graphs_name_no_source_files():
    graphs = [asset.path for asset in load_manifest() if asset.file.endswith(".onnx")]
    assert len(graphs) >= 4
    for path in graphs:
        assert b"stack_trace" not in path.read_bytes(), path.name
