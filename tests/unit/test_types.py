"""Frozen data: wrong arrays are refused where they are made."""

import numpy as np
import pytest

from engine.types import FaceCrop, NormalMap


def made(**changes) -> NormalMap:
    flat, normals = np.ones((8, 8), np.float32), np.zeros((8, 8, 3), np.float32)
    fields = {
        "head": normals, "view": normals, "mask": flat, "confidence": flat,
        "parsing": np.zeros((8, 8), np.uint8), "crop_from_frame": np.eye(2, 3),
    }  # fmt: skip
    return NormalMap(**{**fields, **changes})


def test_a_map_may_lack_one_of_its_normals_and_the_parsing() -> None:
    assert made(head=None, parsing=None).view is not None
    assert made(view=None).head is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"head": None, "view": None}, "neither head nor view"),
        ({"head": np.zeros((8, 8, 3))}, r"NormalMap\.head: dtype float64"),
        ({"view": np.zeros((4, 4, 3), np.float32)}, r"NormalMap\.view: shape \(4, 4, 3\)"),
        ({"mask": np.ones((8, 4), np.float32)}, r"NormalMap\.mask: shape \(8, 4\)"),
        ({"confidence": np.ones((4, 4), np.float32)}, r"NormalMap\.confidence"),
        ({"parsing": np.ones((8, 8), np.int32)}, r"NormalMap\.parsing"),
        ({"crop_from_frame": np.eye(3)}, r"NormalMap\.crop_from_frame"),
    ],
)
def test_wrong_maps_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made(**changes)


def test_a_crop_without_depth_is_flat() -> None:
    image, points = np.zeros((8, 8, 3), np.uint8), np.zeros((478, 2), np.float32)
    crop = FaceCrop(image, np.eye(2, 3), points, 1.0)
    assert not crop.landmarks_z.any()
    with pytest.raises(ValueError, match=r"landmarks_z: shape \(3,\)"):
        FaceCrop(image, np.eye(2, 3), points, 1.0, landmarks_z=np.zeros(3, np.float32))
