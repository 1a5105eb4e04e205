"""What follows from fitted parameters alone, written for a real head and read back."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from engine.flame.arkit import ARKIT_NAMES
from engine.flame.model import HeadModel, load_head_model
from engine.flame.posed import PosedHead
from engine.head_exports import HeadExporter
from engine.io.results import FitSequence
from engine.types import FlameParams, Frame, Reconstruction
from tests.glb_reader import Glb
from tests.live_fakes import triangle_head

pytestmark = pytest.mark.assets


@pytest.fixture(scope="module")
def openhead() -> HeadModel:
    return load_head_model(Path(__file__).parents[2] / "assets" / "openhead.npz")


def fit(model: HeadModel, index: int, quality: float, jaw_open: float) -> Reconstruction:
    """The jaw opened, as a fit would give it."""
    row = model.arkit.names.index("jawOpen")
    frame = Frame(np.zeros((48, 64, 3), np.uint8), index, index * 40_000_000)
    base = triangle_head(frame, quality=quality)
    params = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)
    params = params.with_values(jaw=jaw_open * model.arkit.jaw[row])
    return replace(base, params=params, vertices=PosedHead(model).vertices(params))


@pytest.fixture(scope="module")
def sequence(openhead: HeadModel) -> FitSequence:
    """Frames 0, 1 and 3 with a face, 2 without; 1 is doubtful."""
    made = FitSequence(openhead)
    for index, quality, jaw_open in ((0, 0.8, 0.0), (1, 0.3, 0.5), (3, 0.9, 1.0)):
        if index == 3:
            made.add(2, 80_000_000, None)
        made.add(index, index * 40_000_000, fit(openhead, index, quality, jaw_open))
    return made


def test_the_moving_head_leaves_out_what_was_not_seen(
    openhead: HeadModel, sequence: FitSequence, tmp_path: Path
):
    best = fit(openhead, 3, 0.9, 1.0)
    HeadExporter(openhead).write_glb(tmp_path / "a.glb", sequence, best)
    glb = Glb(tmp_path / "a.glb")
    time = glb.array(glb.tree["animations"][0]["samplers"][0]["input"])
    np.testing.assert_allclose(time, [0.0, 0.04, 0.12], atol=1e-7)
    notes = glb.tree["scenes"][0]["extras"]
    assert notes["low"] == [False, True, False]
    assert notes["shown_frame"] == 2
    placed = best.vertices + best.params.t
    np.testing.assert_allclose(glb.vertices(), placed, atol=1e-6)
    np.testing.assert_allclose(glb.vertices(2), placed, atol=1e-6)


def test_strengths_follow_the_jaw_and_name_the_doubtful_row(
    openhead: HeadModel, sequence: FitSequence, tmp_path: Path
):
    paths = HeadExporter(openhead).write_arkit(tmp_path / "a.arkit.csv", sequence)
    assert [path.name for path in paths] == ["a.arkit.csv", "a.arkit.json"]
    with paths[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Timecode"] for row in rows] == [
        "00:00:00:00.000", "00:00:00:02.400", "00:00:00:07.200",
    ]  # fmt: skip
    opened = [float(row["JawOpen"]) for row in rows]
    # The jaw is strong: from frame to frame it is hardly held back.
    np.testing.assert_allclose(opened, [0.0, 0.5, 1.0], atol=0.02)
    others = [float(rows[-1][name[0].upper() + name[1:]]) for name in ARKIT_NAMES]
    others[ARKIT_NAMES.index("jawOpen")] = 0.0
    assert max(others) < 0.02
    told = json.loads(paths[1].read_text())["rows"]
    assert [(row["frame"], row["low"]) for row in told] == [(0, False), (1, True), (3, False)]


def test_meshes_say_how_far_they_can_be_trusted(openhead: HeadModel, tmp_path: Path):
    doubtful = fit(openhead, 0, 0.31, 0.4)
    exporter = HeadExporter(openhead)
    exporter.write_ply(tmp_path / "a.ply", doubtful)
    exporter.write_obj(tmp_path / "a.obj", doubtful)
    assert b"comment quality 0.310 of 1 (low)\n" in (tmp_path / "a.ply").read_bytes()
    assert "# quality 0.310 of 1 (low)" in (tmp_path / "a.obj").read_text().splitlines()
    read = trimesh.load(tmp_path / "a.ply", process=False)
    np.testing.assert_allclose(read.vertices, 1000 * doubtful.vertices, atol=1e-4)
    np.testing.assert_array_equal(read.faces, openhead.faces)
