"""The synthetic suite: pictures and truth belong together and come again."""

from collections.abc import Iterator

import numpy as np
import pytest

from engine.benchmark.scoring import Scorer
from engine.benchmark.suites import open_suite
from engine.benchmark.suites.synthetic import SyntheticSuite
from engine.benchmark.surface import angles, exact_normals
from engine.benchmark.types import PredictedFace, SuiteSettings, Truth
from engine.frames import project

pytestmark = [pytest.mark.gl, pytest.mark.assets]
N = 3


@pytest.fixture(scope="module")
def suite() -> Iterator[SyntheticSuite]:
    with pytest.MonkeyPatch.context() as patch:  # no pack of the user's own
        patch.setattr("engine.benchmark.suites.synthetic.chosen_pack", lambda path: path)
        made = open_suite(SuiteSettings("synthetic", n_samples=N))
        assert isinstance(made, SyntheticSuite)
        yield made
        made.close()


def returned(truth: Truth) -> PredictedFace:
    mesh = truth.mesh
    return PredictedFace(
        mesh.vertices,
        mesh.faces,
        mesh.regions,
        mesh.landmarks68,
        truth.landmarks68_px,
        mesh.model_id,
        truth.params.R,
    )


def test_it_says_what_it_is_made_of(suite: SyntheticSuite) -> None:
    assert suite.problems() == []
    assert "openhead alone with built-in looks" in suite.title
    assert [s.sample_id for s in suite.samples()] == [f"openhead/{i:06d}" for i in range(N)]


def test_a_sample_comes_again_whatever_came_between(suite: SyntheticSuite) -> None:
    samples = suite.samples()
    first = samples[1].load().image
    suite._scenes.clear()
    for sample in samples:
        again = sample.load().image
        if sample is samples[1]:
            assert np.array_equal(again, first)
    assert not np.array_equal(samples[0].load().image, first)


def test_the_truth_has_no_error(suite: SyntheticSuite) -> None:
    for sample in suite.samples():
        truth = sample.truth()
        score = Scorer("mesh", "A")(truth, returned(truth))
        for key in ("cd_mm", "eyes_cd_mm", "ears_cd_mm", "vertex_mm", "rotation_deg"):
            assert score.values[key] == pytest.approx(0.0, abs=1e-6)
        assert score.values["nme_interocular_percent"] == 0.0
        assert score.values["cr"] == 1.0
        assert score.warnings == ()


def test_drawn_normals_are_those_of_the_true_mesh(suite: SyntheticSuite) -> None:
    for sample in suite.samples():
        truth = sample.truth()
        height, width = sample.load().image.shape[:2]
        assert (truth.camera.height, truth.camera.width) == (height, width)
        mesh = truth.mesh
        nose = mesh.regions["nose"]
        normals = exact_normals(mesh.vertices, mesh.faces)[nose]
        towards = -mesh.vertices[nose].mean(axis=0)
        towards /= np.linalg.norm(towards)
        ahead = normals @ towards > 0.5
        x, y = np.rint(project(mesh.vertices[nose][ahead], truth.camera.K)).astype(int).T
        shown = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        x, y, wanted = x[shown], y[shown], normals[ahead][shown]
        free = truth.normals.mask[y, x] > 0  # glasses may hide some
        assert free.mean() > 0.5
        off = np.degrees(angles(truth.normals.view[y, x][free].astype(np.float64), wanted[free]))
        # The nearest pixel may lie a millimetre off on a curved nose.
        assert np.median(off) < 8.0


def test_presets_are_refused() -> None:
    with pytest.raises(ValueError, match="synthetic has none"):
        open_suite(SuiteSettings("synthetic", preset="hard"))
    with pytest.raises(ValueError, match="there are synthetic, multiface, 300w, now"):
        open_suite(SuiteSettings("faces"))
