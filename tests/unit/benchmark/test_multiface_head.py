"""Multiface with a whole head: labels carried over for real, predictions of the head model."""

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial.transform import Rotation

from engine.benchmark.regions import head_regions
from engine.benchmark.scoring import Scorer
from engine.benchmark.suites import open_suite
from engine.benchmark.types import INSIDE, PredictedFace, SuiteSettings
from engine.flame.posed import PosedHead, surface_points
from engine.head_choice import chosen_head_model
from engine.types import FlameParams

pytestmark = [pytest.mark.assets, pytest.mark.slow]

SEGMENT = "E001_Neutral_Eyes_Open"
AXES = Rotation.from_euler("x", 180, degrees=True).as_matrix()
"""The capture's meshes stand on their heads, as y down has it."""


def write(folder, vertices, faces):
    """A capture of one frame, seen from ahead."""
    meshes, images = folder / "tracked_mesh" / SEGMENT, folder / "images" / SEGMENT / "400002"
    for path in (meshes, images):
        path.mkdir(parents=True)
    numbers = (1e3 * vertices).astype(np.float32)
    for path in (folder / "vert_mean.bin", meshes / "000102.bin"):
        numbers.tofile(path)
    trimesh.Trimesh(numbers, faces, process=False).export(meshes / "000102.obj")
    (meshes / "000102_transform.txt").write_text("1 0 0 0\n0 1 0 0\n0 0 1 0\n")
    (folder / "frame_list.txt").write_text(f"{SEGMENT} 000102\n")
    # The head looks along -z of its turned axes; the camera stands there and looks back.
    camera = "7000 0 667\n0 7000 1024\n0 0 1\n0 0 0 0 0\n1 0 0 0\n0 1 0 0\n0 0 1 1000\n"
    (folder / "KRT").write_text(f"400002\n{camera}\n")
    Image.new("RGB", (13, 20)).save(images / "000102.png")


def test_a_perfect_prediction_is_known_as_such(tmp_path):
    model = chosen_head_model(None)
    shape = np.random.default_rng(9).normal(0, 0.7, model.n_shape).astype(np.float32)
    params = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)
    head = PosedHead(model).vertices(params.with_values(shape=shape))
    inside = np.zeros(model.n_vertices, np.bool_)
    for name in INSIDE:
        inside[model.regions.get(name, [])] = True
    kept = model.faces[~inside[model.faces].any(axis=1)]
    used, faces = np.unique(kept, return_inverse=True)
    folder = tmp_path / "m--20180227--0000--6795937--GHS"
    write(folder, head[used] @ AXES.T, faces.reshape(-1, 3).astype(np.int32))
    suite = open_suite(SuiteSettings("multiface", tmp_path, "front", cache=tmp_path / "cache"))
    assert suite.problems() == []
    (sample,) = suite.samples()
    face = PredictedFace(
        vertices=head.astype(np.float64),
        faces=model.faces,
        regions=head_regions(model),
        landmarks68=surface_points(head, model.faces, model.landmarks68).astype(np.float64),
        model_id=model.model_id,
    )
    truth = sample.truth()
    free = Scorer("mesh", "B")(truth, face)
    assert free.warnings == ()
    assert set(free.values) >= {"cd_mm", "eyes_cd_mm", "nose_cd_mm", "mouth_cd_mm", "ears_cd_mm"}
    assert free.values["cd_mm"] < 0.01
    metrical = Scorer("mesh", "C")(truth, face)
    assert metrical.values["cd_mm"] < 0.01
    # The size of carried landmarks is not quite that of the head's own.
    assert Scorer("mesh", "A")(truth, face).values["scale"] == pytest.approx(1.0, abs=0.02)
