"""Heads that unit tests share."""

import pytest

from engine.flame.model import HeadModel, load_head_model
from engine.io.assets import asset_path
from tests.bumpy_head import bumpy_head


@pytest.fixture(scope="session")
def openhead() -> HeadModel:
    """The head model that is shipped."""
    return load_head_model(asset_path("openhead.npz"))


@pytest.fixture(scope="session")
def small_head() -> HeadModel:
    """A made-up head of a few hundred vertices."""
    return bumpy_head()
