"""Lamps, colours and surroundings change what is seen, and nothing of the truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.synth.sample import PARSING
from engine.training.augment import augmented
from engine.training.batch import Batch, batch_from_rows
from engine.training.other_looks import (
    with_lamps,
    with_other_surroundings,
    with_recoloured_parts,
)
from engine.training.sample_store import SampleStore
from engine.training.settings import NormalTrainSettings

SKIN, BACKGROUND = PARSING.index("skin"), PARSING.index("background")
CHANGES = (with_lamps, with_recoloured_parts, with_other_surroundings)


@pytest.fixture
def batch(ball_folder) -> Batch:
    """Four balls of skin before a background, grey all over."""
    store = SampleStore(ball_folder, "train", 32)
    store.refresh()
    found = batch_from_rows(store.read(np.arange(4)))
    return replace(found, image=torch.full_like(found.image, 0.4))


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("change", CHANGES)
def test_only_the_picture_changes_and_a_share_of_none_changes_nothing(batch, change):
    textured = replace(batch, image=torch.rand(batch.image.shape, generator=seeded()))
    changed = change(textured, seeded(), 1.0)
    for name in ("points", "head", "view", "parsing", "landmarks"):
        assert torch.equal(getattr(changed, name), getattr(textured, name))
    assert not torch.allclose(changed.image, textured.image)
    assert 0 <= float(changed.image.min()) <= float(changed.image.max()) <= 1
    assert torch.allclose(change(textured, seeded(), 0.0).image, textured.image)
    assert torch.equal(change(textured, seeded(), 1.0).image, changed.image)


def test_a_lamp_brightens_what_faces_it(batch):
    lit = with_lamps(batch, seeded(), 1.0).image.mean(dim=1)
    for k in range(4):
        inside = batch.view[k].any(dim=0) & (batch.parsing[k] == SKIN)
        normals, light = batch.view[k][:, inside].T, lit[k][inside]
        affine = torch.cat([normals, torch.ones(len(normals), 1)], dim=1)
        fit = torch.linalg.lstsq(affine, light[:, None]).solution[:, 0]
        said = affine @ fit
        # Along one direction of the normals brightness rises nearly straight.
        assert float(torch.corrcoef(torch.stack([said, light]))[0, 1]) > 0.8
        assert float(light.std()) > 0.005


def test_parts_change_colour_each_as_a_whole(batch):
    changed = with_recoloured_parts(batch, seeded(), 1.0).image
    inner = (
        torch.nn.functional.max_pool2d((batch.parsing != SKIN).float()[:, None], 5, 1, 2)[:, 0] == 0
    )
    for k in range(4):
        colours = changed[k][:, inner[k]]
        assert float(colours.std(dim=1).max()) < 1e-6
        outside = changed[k][:, batch.parsing[k] == BACKGROUND].mean(dim=1)
        assert float((outside - colours.mean(dim=1)).abs().max()) > 0.01


def test_surroundings_come_from_the_neighbour_and_faces_stay(batch):
    image = batch.image.clone()
    image[0] = 0.9
    changed = with_other_surroundings(replace(batch, image=image), seeded(), 1.0).image
    inner = (
        torch.nn.functional.max_pool2d((batch.parsing == BACKGROUND).float()[:, None], 3, 1, 1)[
            :, 0
        ]
        == 0
    )
    assert torch.equal(changed[1][:, inner[1]], image[1][:, inner[1]])
    assert float(changed[1][:, batch.parsing[1] == BACKGROUND].max()) == pytest.approx(0.9)


def test_settings_turn_them_on(batch):
    plain = NormalTrainSettings(shift=0, scale=0, rotation_deg=0)
    varied = replace(plain, lamps=1.0, recoloured=1.0, surroundings=1.0)
    first, second = (augmented(batch, s, seeded()).image for s in (plain, varied))
    assert not torch.allclose(first, second)
