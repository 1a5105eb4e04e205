"""Samples as they come out of the engine: the truth must fit the picture and itself."""

from collections.abc import Iterator

import numpy as np
import pytest

from engine.flame.posed import PosedHead, surface_points
from engine.frames import project
from engine.stages.normal_pose import rotation_from_maps
from engine.synth.builtin_pack import builtin_pack
from engine.synth.engine import SampleMaker
from engine.synth.pack import SynthPack
from engine.synth.sample import PARSING, Sample, decode_normals
from engine.synth.settings import SynthSettings

pytestmark = [pytest.mark.gl, pytest.mark.assets]
N = 6


@pytest.fixture(scope="module")
def pack() -> SynthPack:
    return builtin_pack()


@pytest.fixture(scope="module")
def maker(pack: SynthPack) -> Iterator[SampleMaker]:
    made = SampleMaker(SynthSettings(seed=5, mediapipe_share=1.0), pack)
    yield made
    made.close()


@pytest.fixture(scope="module")
def samples(maker: SampleMaker) -> list[Sample]:
    return [maker.make(i) for i in range(N)]


def test_same_index_gives_the_same_sample_whatever_came_before(
    maker: SampleMaker, samples: list[Sample]
) -> None:
    again = maker.make(2)
    assert again.meta == samples[2].meta
    for name in ("image", "head_normals", "view_normals", "parsing", "depth", "points"):
        np.testing.assert_array_equal(getattr(again, name), getattr(samples[2], name))


def test_landmarks_are_those_of_the_parameters(pack: SynthPack, samples: list[Sample]) -> None:
    head = pack.heads["openhead"]
    for sample in samples:
        params = sample.params
        vertices = PosedHead(head.model).vertices(params)
        points = surface_points(vertices, head.model.faces, head.model.landmarks68)
        pixels = project(points @ params.R.T + params.t, sample.camera.K)
        # The neck bends the body under the head: jaw points follow it by a tenth of a millimetre.
        np.testing.assert_allclose(sample.landmarks68[17:], pixels[17:], atol=0.3)


def test_both_maps_differ_by_the_heads_rotation(samples: list[Sample]) -> None:
    for sample in samples:
        skin = sample.parsing == PARSING.index("skin")
        head, view = decode_normals(sample.head_normals), decode_normals(sample.view_normals)
        rotation = rotation_from_maps(head, view, skin.astype(np.float32))
        # The crop's camera is turned against the window's: K holds by how much.
        middle = (skin.shape[0] - 1) / 2
        ray = np.linalg.solve(sample.camera.K, [middle, middle, 1.0])
        ahead = rotation @ sample.params.R.T @ (ray * [1, -1, -1] / np.linalg.norm(ray))
        np.testing.assert_allclose(ahead, [0, 0, -1], atol=0.01)


def test_surfaces_face_the_camera_and_lie_where_the_depth_says(samples: list[Sample]) -> None:
    for sample in samples:
        skin = sample.parsing == PARSING.index("skin")
        view = decode_normals(sample.view_normals)
        assert (view[skin][:, 2] > -0.2).mean() > 0.99
        distance = sample.depth[skin] / 1e4
        expected = -(sample.params.R @ [0, 0, 0.045] + sample.params.t)[2]
        assert np.abs(np.median(distance) - expected) < 0.1
        np.testing.assert_array_equal(sample.depth[sample.parsing == 0], 0)


def test_points_that_mediapipe_found_lie_on_the_face(samples: list[Sample]) -> None:
    found = [s for s in samples if s.meta["found"]]
    assert len(found) >= N - 1
    for sample in found:
        # iBUG's nose bridge to lip corner against MediaPipe's points in the same places.
        same = np.linalg.norm(
            sample.points[[4, 61, 291], :2] - sample.landmarks68[[30, 48, 54]], axis=1
        )
        assert same.max() < 0.06 * sample.image.shape[0]


def test_validation_uses_what_was_held_back(pack: SynthPack) -> None:
    maker = SampleMaker(SynthSettings(seed=5, split="val", mediapipe_share=0.0), pack)
    made = [maker.make(i) for i in range(4)]
    maker.close()
    for sample in made:
        assert sample.meta["light"] in pack.held_back
        assert sample.meta["skin"] in pack.held_back
        assert not sample.meta["found"]


def test_varied_looks_change_the_picture_and_nothing_of_the_truth(pack: SynthPack) -> None:
    varied, as_made = (
        SampleMaker(SynthSettings(seed=5, mediapipe_share=0.0, varied=on), pack)
        for on in (True, False)
    )
    pairs = [(varied.make(i), as_made.make(i)) for i in range(N)]
    varied.close()
    as_made.close()
    for a, b in pairs:
        assert np.abs(a.image.astype(float) - b.image).mean() > 0.5
        np.testing.assert_array_equal(a.params.shape, b.params.shape)
        np.testing.assert_array_equal(a.points, b.points)
        np.testing.assert_array_equal(a.camera.K, b.camera.K)
        skin = (a.parsing == PARSING.index("skin")) & (b.parsing == PARSING.index("skin"))
        same = (a.head_normals[skin] == b.head_normals[skin]).all(axis=-1)
        assert same.mean() > 0.95  # but for pixels that hair covers in part


def test_some_hair_of_training_is_made(pack: SynthPack) -> None:
    makers = [
        SampleMaker(SynthSettings(seed=5, mediapipe_share=0.0, varied=on), pack)
        for on in (True, False)
    ]
    varied, as_made = ([maker.make(i) for i in range(10)] for maker in makers)
    for maker in makers:
        maker.close()
    names = [str(sample.meta["hair"]) for sample in varied]
    assert any(name.startswith("made") for name in names)
    assert not any(str(sample.meta["hair"]).startswith("made") for sample in as_made)
    # Whoever wears hair as drawn without variation wears some, and nobody else does.
    assert [bool(name) for name in names] == [bool(sample.meta["hair"]) for sample in as_made]
    hair = PARSING.index("hair")
    shares = [(s.parsing == hair).mean() for s in varied if s.meta["hair"]]
    assert max(shares) > 0.02


def test_validation_is_never_varied(pack: SynthPack) -> None:
    makers = [
        SampleMaker(SynthSettings(seed=5, split="val", mediapipe_share=0.0, varied=on), pack)
        for on in (True, False)
    ]
    a, b = (maker.make(1) for maker in makers)
    for maker in makers:
        maker.close()
    np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(a.parsing, b.parsing)
