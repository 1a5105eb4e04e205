"""Made hair lies on the head, never in it, leaves most faces free, and is never the same twice."""

import numpy as np
import pytest

from engine.flame.posed import surface_points
from engine.synth.binding import HeadSurface
from engine.synth.builtin_pack import builtin_pack
from engine.synth.made_hair import MadeHair
from engine.synth.strands import fallen_strands

N_CUTS = 60


@pytest.fixture(scope="module")
def head():
    return builtin_pack().heads["openhead"]


@pytest.fixture(scope="module")
def made(head):
    return MadeHair([head])


@pytest.fixture(scope="module")
def cuts(made):
    rest = made.attachments[0].vertices["openhead"]
    return np.stack([rest + made.cut(np.random.default_rng(k), "openhead") for k in range(N_CUTS)])


def test_the_same_generator_cuts_alike(made):
    a, b = (made.cut(np.random.default_rng(3), "openhead") for _ in range(2))
    assert np.array_equal(a, b)


def test_an_attachment_is_whole(made, head):
    for worn in made.attachments:
        vertices = worn.vertices["openhead"]
        assert worn.kind == "hair"
        assert worn.faces.max() == len(vertices) - 1 == len(worn.uv) - 1
        assert np.allclose(worn.bind_weights["openhead"].sum(axis=1), 1, atol=1e-5)
        assert worn.bind_idx["openhead"].max() < head.model.n_vertices


def test_cuts_differ_by_centimetres(cuts):
    spread = np.linalg.norm(cuts - cuts.mean(axis=0), axis=-1)
    assert 0.01 < np.median(spread) < 0.15
    assert np.isfinite(cuts).all()


def test_hair_reaches_from_the_ears_to_below_the_shoulders(cuts, head):
    chin = surface_points(head.model.v_template, head.model.faces, head.model.landmarks68)[8, 1]
    lowest = cuts[..., 1].min(axis=1) - chin
    assert (lowest > 0.02).any()
    assert (lowest < -0.15).any()


def test_hair_lies_outside_of_the_skull(cuts, head):
    model = head.model
    brows = surface_points(model.v_template, model.faces, model.landmarks68)[17:27, 1].max()
    surface = HeadSurface(head)
    for cut in cuts[::4]:
        high = cut[cut[:, 1] > brows].astype(np.float64)
        _, _, height = surface.closest(high)
        assert np.percentile(height, 2) > -0.001


def test_most_cuts_leave_the_eyes_free(cuts, head):
    model = head.model
    marks = surface_points(model.v_template, model.faces, model.landmarks68)[36:48]
    beside = np.linalg.norm(cuts[:, None, :, :2] - marks[:, None, :2], axis=-1) < 0.006
    covered = (beside & (cuts[:, None, :, 2] > marks[:, None, 2])).any(axis=(1, 2))
    assert covered.mean() < 0.35


def test_pictures_of_strands_end_in_tips_and_differ():
    pictures = [fallen_strands(k) for k in range(8)]
    for picture in pictures:
        alpha = picture[..., 3] / 255
        assert picture.shape == (512, 512, 4)
        assert alpha[:200, 60:-60].mean() > 0.7
        assert (alpha[-1] > 0.5).mean() < 0.25
        assert picture[..., 0].std() > 5
    assert len({p.tobytes() for p in pictures}) == len(pictures)
