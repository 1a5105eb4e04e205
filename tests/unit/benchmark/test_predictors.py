"""What methods give the benchmark: which face is meant, MediaPipe's mesh, and where it ends."""

import numpy as np
import pytest

from engine.benchmark.methods import BENCH_METHODS, MethodMaker, MethodSetup
from engine.benchmark.predictors import (
    FitterPredictor,
    MediapipePredictor,
    SampleSight,
    inside_oval,
    meant_face,
)
from engine.benchmark.types import Truth
from engine.errors import AssetError
from engine.flame.model import HeadModel
from engine.io.assets import asset_path
from engine.io.video import VideoSource
from engine.stages.mediapipe_points import OVAL
from engine.types import FaceCrop, FlameParams, Frame, Reconstruction
from tests.rendered_faces import CAMERA

NO_TRUTH = Truth()


@pytest.fixture(scope="module")
def frame() -> Frame:
    source = VideoSource(asset_path("sample.mp4"))
    try:
        found = source.read()
    finally:
        source.close()
    assert found is not None
    return found


def crop_at(x: float, y: float, side: float = 100.0) -> FaceCrop:
    rng = np.random.default_rng(0)
    points = rng.uniform((x, y), (x + side, y + side), (478, 2)).astype(np.float32)
    return FaceCrop(np.zeros((8, 8, 3), np.uint8), np.eye(2, 3), points, 1.0)


def test_the_face_in_the_box_is_meant():
    faces = [("large", crop_at(0, 0, 200)), ("small", crop_at(400, 100))]
    assert meant_face(faces, None) == "large"
    assert meant_face(faces, (390.0, 90.0, 510.0, 210.0)) == "small"
    assert meant_face(faces, (700.0, 0.0, 800.0, 90.0)) is None
    assert meant_face([], None) is None


def test_mediapipes_points_are_all_within_its_outline():
    inside = inside_oval()
    assert set(OVAL) <= set(inside.tolist())
    assert len(inside) == 468  # its mesh ends at the outline


@pytest.mark.assets
def test_mediapipes_mesh_stands_upright(frame: Frame):
    predictor = MediapipePredictor(1)
    try:
        found = predictor.predict(SampleSight(frame, NO_TRUTH, None))
        gone = predictor.predict(SampleSight(frame, NO_TRUTH, (0.0, 0.0, 4.0, 4.0)))
    finally:
        predictor.close()
    assert gone is None
    assert found is not None
    face = found.face
    forehead, chin, nose, left, right = face.vertices[[10, 152, 4, 263, 33]]
    assert forehead[1] > chin[1] + 0.08  # metres, y up
    assert left[0] > right[0]  # the subject's left is on the right of a picture
    assert nose[2] > max(left[2], right[2]) + 0.01  # towards the viewer
    assert np.linalg.norm(left - right) == pytest.approx(0.09)
    np.testing.assert_array_equal(face.landmarks68[36], right)
    assert np.isnan(face.landmarks68[0]).all()
    assert face.partial
    assert set(found.stage_ms) == {"crop"}


class OneFit:
    """A fitter that always sees the same head."""

    def __init__(self, fit: Reconstruction) -> None:
        self._fit, self.n_seen = fit, 1

    def run_all(self, frame: Frame) -> list[Reconstruction]:
        return [self._fit]

    def use(self, method: str) -> None: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...


@pytest.mark.assets
def test_a_face_at_rest_keeps_its_shape_alone(openhead: HeadModel, frame: Frame):
    params = FlameParams.neutral(openhead.model_id, openhead.n_shape, openhead.n_expr)
    shape = np.full(openhead.n_shape, 0.5, np.float32)
    posed = params.with_values(shape=shape, jaw=np.array([0.3, 0, 0], np.float32))
    marks = np.full((68, 2), 7.0, np.float32)
    fit = Reconstruction(
        0, 0, posed, CAMERA, openhead.v_template + 1, crop_at(0, 0), marks, 0.0, 1.0
    )
    sight = SampleSight(frame, NO_TRUTH, None)
    moving = FitterPredictor(openhead, OneFit(fit), neutral=False).predict(sight)
    resting = FitterPredictor(openhead, OneFit(fit), neutral=True).predict(sight)
    assert moving is not None
    assert resting is not None
    np.testing.assert_array_equal(moving.face.vertices, fit.vertices)
    expected = openhead.v_template + openhead.shapedirs @ shape
    np.testing.assert_allclose(resting.face.vertices, expected, atol=1e-6)
    np.testing.assert_array_equal(resting.face.landmarks68_px, marks)
    assert resting.face.model_id == openhead.model_id


@pytest.mark.assets
def test_methods_that_cannot_run_say_why():
    maker = MethodMaker(MethodSetup())
    assert maker.obstacle("deca").startswith("needs checkpoint: deca_model.tar, from https://")
    assert "licence: CC BY-NC 4.0" in maker.obstacle("sheap")
    assert maker.obstacle("landmarks") == ""
    blind = MethodMaker(MethodSetup(normals="none"))
    with pytest.raises(AssetError, match="no normal network: switched off"):
        blind.make("n2fnet")
    assert {"mediapipe", "n2fnet", "rgb", "smirk", "oracle"} <= set(BENCH_METHODS)
