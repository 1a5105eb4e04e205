import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.benchmark.foreign import labels_of
from engine.benchmark.regions import head_regions
from engine.errors import AssetError, ScoreError
from engine.flame.posed import PosedHead, surface_points
from engine.head_choice import chosen_head_model
from engine.types import FlameParams
from tests.bench_made import ball

pytestmark = pytest.mark.assets


@pytest.fixture(scope="module")
def model():
    return chosen_head_model(None)


def somebody(model):
    shape = np.random.default_rng(5).normal(0, 0.7, model.n_shape).astype(np.float32)
    params = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)
    return PosedHead(model).vertices(params.with_values(shape=shape))


@pytest.mark.slow
def test_a_shuffled_turned_head_gets_its_own_labels_back(model, tmp_path):
    vertices = somebody(model)
    shuffle = np.random.default_rng(6).permutation(len(vertices))
    back = np.argsort(shuffle)
    # On its side and facing away, as another program's axes would have it.
    turn = Rotation.from_euler("xyz", [85, -170, 12], degrees=True).as_matrix()
    foreign = (vertices[shuffle] @ turn.T + [1.0, 2.0, 3.0]).astype(np.float64)
    faces = back[model.faces].astype(np.int32)
    labels = labels_of(foreign, faces, model, tmp_path)
    true = surface_points(vertices, model.faces, model.landmarks68) @ turn.T + [1.0, 2.0, 3.0]
    miss = 1e3 * np.linalg.norm(labels.landmarks68(foreign) - true, axis=1)
    assert miss[17:].mean() < 2.0
    assert miss[17:].max() < 6.0
    for name in ("face", "eyes", "nose", "mouth", "ears"):
        own, found = set(shuffle_of(head_regions(model)[name], back)), set(labels.regions[name])
        assert len(own & found) / len(own | found) > 0.7, name
    kept = labels_of(foreign, faces, model, tmp_path)
    assert np.array_equal(kept.regions["nose"], labels.regions["nose"])
    assert np.array_equal(kept.landmarks.bary, labels.landmarks.bary)


def shuffle_of(idx, back):
    return back[idx].tolist()


@pytest.mark.slow
def test_a_ball_is_no_head(model):
    with pytest.raises(AssetError):
        labels_of(*ball(), model)


def test_a_damaged_cache_is_made_again(model, tmp_path, monkeypatch, caplog):
    made = []
    monkeypatch.setattr(
        "engine.benchmark.foreign._carried", lambda *_: made.append(1) or Kept(model)
    )
    labels_of(*ball(), model, tmp_path)
    next(tmp_path.glob("labels_*.npz")).write_bytes(b"no archive")
    labels_of(*ball(), model, tmp_path)
    labels_of(*ball(), model, tmp_path)
    assert len(made) == 2
    assert "is damaged" in caplog.text


class Kept:
    """Labels as they come out of a transfer."""

    def __init__(self, model):
        self.regions = {"face": np.arange(5, dtype=np.int32)}
        self.landmarks = model.landmarks68


def test_a_mesh_that_is_none_is_refused(model):
    with pytest.raises(ScoreError, match="mesh to label has no faces"):
        labels_of(np.zeros((3, 3)), np.zeros((0, 3), np.int32), model)


def test_folds_and_insides_are_not_scored(model):
    scored, whole = head_regions(model), model.regions
    for name in ("face", "eyes", "nose", "mouth", "ears"):
        assert 0.4 * len(whole[name]) < len(scored[name]) < len(whole[name])
    nostrils = np.intersect1d(scored["nose"], whole["nostrils"])
    assert len(nostrils) < 0.1 * len(whole["nostrils"])
    assert np.array_equal(scored["eyeballs"], whole["eyeballs"])
