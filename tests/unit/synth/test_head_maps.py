"""Drawn normal maps: what they show is what their parameters say."""

import numpy as np
import pytest

from engine.flame.normals import vertex_normals
from engine.flame.posed import PosedHead
from engine.stages.weak_perspective import CropPose, face_anchor, project_weakly
from engine.synth.head_maps import HeadMapMaker, averaged, coded, plain_head
from engine.types import FlameParams
from tests.bumpy_head import bumpy_head

pytestmark = pytest.mark.gl


@pytest.fixture(scope="module")
def maker():
    made = HeadMapMaker(plain_head(bumpy_head(level=3)), 64, seed=3)
    yield made
    made.close()


def test_the_same_index_gives_the_same_row(maker):
    assert maker.make(5).tobytes() == maker.make(5).tobytes()
    assert maker.make(5).tobytes() != maker.make(6).tobytes()


def test_the_head_lies_where_its_pose_says(maker):
    """Where the face is projected to, the map shows the face's own normals."""
    model = bumpy_head(level=3)
    anchor, posed = face_anchor(model), PosedHead(model)
    for index in range(6):
        row = maker.make(index)
        params = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr).with_values(
            shape=row["shape"], expr=row["expr"], jaw=row["jaw"]
        )
        pose = CropPose(row["R"].astype(float), row["camera"].astype(float))
        vertices, face = posed.vertices(params), model.regions["face"]
        normals = vertex_normals(vertices, model.faces)[face]
        flat = 64 * project_weakly(vertices[face].astype(float), pose, anchor)
        seen = (normals @ pose.R[2] > 0.5) & (flat > 1).all(axis=1) & (flat < 63).all(axis=1)
        x, y = flat[seen].astype(int).T
        cosine = (normals[seen] * (row["head"][y, x].astype(float) / 127.5 - 1)).sum(axis=1)
        assert np.median(cosine) > 0.96


def test_normals_have_at_most_length_one_and_face_the_viewer(maker):
    row = maker.make(1)
    normals = row["head"].astype(float) / 127.5 - 1
    length = np.linalg.norm(normals, axis=-1)
    assert length.max() < 1.01
    middle = row["facing"] > 128
    assert np.median(length[middle]) > 0.97
    np.testing.assert_allclose(
        (normals @ row["R"][2])[middle], row["facing"][middle] / 255, atol=0.06
    )


def test_the_mean_heads_normals_are_those_of_the_same_places(maker):
    rows = [maker.make(index) for index in range(6)]
    for row in rows:
        own, mean = (row[k].astype(float) / 127.5 - 1 for k in ("head", "mean"))
        inside = row["mask"] == 255
        cosine = (own * mean).sum(-1)[inside]
        # Waves on the made-up head tilt its skin by some tens of degrees; other places do more.
        assert np.median(cosine) > 0.6


def test_values_are_averaged_and_coded_about_zero():
    steps = np.arange(16, dtype=np.float32).reshape(4, 4)
    np.testing.assert_allclose(averaged(steps, 2), [[2.5, 4.5], [10.5, 12.5]])
    np.testing.assert_array_equal(coded(np.array([-1, 0, 1], np.float32)), [0, 128, 255])
