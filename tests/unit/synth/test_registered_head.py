"""What is carried over from the registered head says so where its files are damaged."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.openhead.ict import load_ict
from engine.openhead.skin_uv import skin_uv
from engine.synth.base_warps import base_warps
from engine.synth.skin_masks import build_skin_masks

DAMAGES = {"empty": b"", "text": b"no archive", "cut off": b"PK\x03\x04 and no more"}
READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "masks": ("topology.npz", build_skin_masks),
    "coordinates": ("topology.npz", lambda f: skin_uv(f, np.zeros((3, 3)), np.arange(3)[None])),
    "source": ("ict_geometry.npz", load_ict),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_archive_is_told_with_its_folder(tmp_path: Path, reader: str, damage: str):
    name, read = READERS[reader]
    (tmp_path / name).write_bytes(DAMAGES[damage])
    with pytest.raises(AssetError, match=str(tmp_path)):
        read(tmp_path)


def test_a_missing_registration_is_told(tmp_path: Path):
    with pytest.raises(AssetError, match="registered head"):
        build_skin_masks(tmp_path)
    with pytest.raises(AssetError):
        base_warps(tmp_path, {})
