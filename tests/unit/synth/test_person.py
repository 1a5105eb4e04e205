"""Who is drawn: people of training and of validation are others."""

from dataclasses import replace

import numpy as np
import pytest

from engine.flame.model import HeadModel
from engine.synth.builtin_pack import builtin_pack
from engine.synth.pack import SynthHead
from engine.synth.person import draw_person


@pytest.fixture(scope="module")
def head() -> SynthHead:
    """A population of six people for training, on one side, and three for validation."""
    own = builtin_pack().heads["openhead"]
    n = own.model.n_shape
    return replace(
        own,
        shape_samples=np.full((6, n), 5.0, np.float32),
        val_shape_samples=np.full((3, n), -5.0, np.float32),
    )


def test_people_of_each_split_are_drawn_from_its_own(head: SynthHead) -> None:
    for split, sign in (("train", 1), ("val", -1)):
        for seed in range(5):
            person = draw_person(np.random.default_rng(seed), head, split)
            assert (sign * person.shape > 4).mean() > 0.99


def test_a_pack_without_people_for_validation_is_refused(head: SynthHead) -> None:
    with pytest.raises(ValueError, match="build it again"):
        draw_person(np.random.default_rng(0), replace(head, val_shape_samples=None), "val")


def test_a_fixed_jaw_is_drawn_shut_and_nothing_else_changes(head: SynthHead) -> None:
    """As in FLAME 2023 without jaw, where the joint must not be used."""
    fixed = replace(head.model, meta={**head.model.meta, "jaw_fixed": True})
    for seed in range(5):
        free = draw_person(np.random.default_rng(seed), head, "train")
        shut = draw_person(np.random.default_rng(seed), replace(head, model=fixed), "train")
        assert free.jaw.any()
        assert not shut.jaw.any()
        for name in ("shape", "expr", "eyes", "eyelids", "neck"):
            np.testing.assert_array_equal(getattr(shut, name), getattr(free, name))


def test_drawn_faces_stay_within_what_a_face_can_do(openhead: HeadModel, head: SynthHead) -> None:
    people = replace(head, shape_samples=None)
    for seed in range(40):
        person = draw_person(np.random.default_rng(seed), people, "train")
        assert person.shape.shape == (openhead.n_shape,)
        assert np.abs(person.shape).max() <= 3
        assert -0.1 < person.jaw[0] < 0.65
        assert ((person.eyelids >= 0) & (person.eyelids <= 1)).all()
        np.testing.assert_allclose(person.eyes[:3], person.eyes[3:], atol=0.3)
