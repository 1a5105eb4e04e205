"""Folders of made samples."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.balls import write_balls


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small tensors: several threads would wait for each other, for long on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def ball_folder(tmp_path: Path) -> Path:
    """A folder with 48 balls to learn from and 16 to validate on."""
    folder = tmp_path / "balls"
    write_balls(folder, "train", 48)
    write_balls(folder, "val", 16, first=1000)
    return folder
