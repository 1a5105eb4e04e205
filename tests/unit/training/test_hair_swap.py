"""Hair of other samples covers, and hair that is taken off leaves background."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.synth.sample import PARSING
from engine.training.batch import Batch, batch_from_rows
from engine.training.hair_swap import with_other_hair
from engine.training.sample_store import SampleStore

HAIR, SKIN, BACKGROUND = (PARSING.index(name) for name in ("hair", "skin", "background"))


@pytest.fixture
def haired(ball_folder) -> Batch:
    """Four heads; hair of one colour over the upper eighth of the second."""
    store = SampleStore(ball_folder, "train", 32)
    store.refresh()
    batch = batch_from_rows(store.read(np.arange(4)))
    image, parsing = batch.image.clone(), batch.parsing.clone()
    image[1, :, :8] = torch.tensor([0.9, 0.1, 0.5])[:, None, None]
    parsing[1, :8] = HAIR
    return replace(batch, image=image, parsing=parsing)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def test_hair_that_is_taken_off_becomes_background(haired):
    bald = with_other_hair(haired, seeded(), taken_off=1.0, put_on=0.0)
    was = haired.parsing == HAIR
    assert (bald.parsing[was] == BACKGROUND).all()
    assert torch.equal(bald.parsing[~was], haired.parsing[~was])
    there = was[:, None].expand_as(haired.image)
    assert torch.equal(bald.image[~there], haired.image[~there])
    # What stands there now is a part of its neighbour's picture.
    assert float((bald.image - haired.image)[there].abs().mean()) > 0.1


def test_hair_goes_to_the_next_sample_with_its_colour_and_class(haired):
    worn = with_other_hair(haired, seeded(), taken_off=0.0, put_on=1.0)
    assert torch.equal(worn.image[[0, 1, 3]], haired.image[[0, 1, 3]])
    on = worn.parsing[2] == HAIR
    assert 0.05 < float(on.float().mean()) < 0.6
    colour = worn.image[2][:, on]
    assert float((colour.mean(dim=1) - torch.tensor([0.9, 0.1, 0.5])).abs().max()) < 0.15
    assert torch.equal(worn.parsing[2][~on], haired.parsing[2][~on])
    assert torch.equal(worn.head, haired.head)
    assert torch.equal(worn.view, haired.view)


def test_hair_that_would_hide_most_of_a_face_is_left_away(haired):
    parsing = haired.parsing.clone()
    parsing[1] = HAIR
    worn = with_other_hair(replace(haired, parsing=parsing), seeded(), taken_off=0.0, put_on=1.0)
    skin = (haired.parsing[2] == SKIN).sum()
    assert int((worn.parsing[2] == SKIN).sum()) == int(skin)
