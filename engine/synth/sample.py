"""One synthetic training sample: a crop as the live cropper would cut it, and the truth under it.

Frames: head normals in model axes (global rotation and neck removed); view normals in the crop-view
frame, see `engine.frames.view_from_crop`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.types import F32, N_MEDIAPIPE, U8, Camera, FlameParams, check_array

__all__ = [
    "FACE_CLASSES",
    "MASK_CLASSES",
    "PARSING",
    "U16",
    "Sample",
    "code_normals",
    "decode_normals",
]

U16 = npt.NDArray[np.uint16]

PARSING = ("background", "skin", "eyes", "mouth_inside", "hair", "ears", "neck", "other")
"""What a pixel shows; its class is the index. Brows and lips are skin; glasses' frames, hats, hands
and clothes are other."""

FACE_CLASSES = (PARSING.index("skin"),)
"""Where errors of normals are counted."""

MASK_CLASSES = tuple(PARSING.index(name) for name in ("skin", "eyes", "mouth_inside"))
"""The face mask."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A crop of S x S px with its truth."""

    key: str  # name within a data set
    image: U8  # (S, S, 3) RGB
    head_normals: U8  # (S, S, 3) coded, head frame
    view_normals: U8  # (S, S, 3) coded, crop-view frame
    parsing: U8  # (S, S) index into PARSING
    depth: U16  # (S, S) tenths of a millimetre along the camera's axis; 0: nothing there
    points: F32  # (478, 3) MediaPipe's points as a live crop has them: crop px, z to the viewer
    landmarks68: F32  # (68, 2) true iBUG points, crop px
    params: FlameParams  # of the head model named there
    camera: Camera  # of the crop
    meta: dict[str, Any]  # JSON values: population, skin, hair, light, whether MediaPipe found it

    def __post_init__(self) -> None:
        size = self.image.shape[0]
        check_array("Sample.image", self.image, (size, size, 3), np.uint8)
        check_array("Sample.head_normals", self.head_normals, (size, size, 3), np.uint8)
        check_array("Sample.view_normals", self.view_normals, (size, size, 3), np.uint8)
        check_array("Sample.parsing", self.parsing, (size, size), np.uint8)
        check_array("Sample.depth", self.depth, (size, size), np.uint16)
        check_array("Sample.points", self.points, (N_MEDIAPIPE, 3), np.float32)
        check_array("Sample.landmarks68", self.landmarks68, (68, 2), np.float32)


def code_normals(normals: F32) -> U8:
    """Unit normals (..., 3) as bytes, 0.2 degrees apart; zeros, for no surface, stay zeros."""
    coded: U8 = np.rint(127.5 + 127.5 * normals).astype(np.uint8)
    coded[~normals.any(axis=-1)] = 0
    return coded


def decode_normals(coded: U8) -> F32:
    """Bytes (..., 3) of `code_normals` as unit normals, zeros where there is no surface."""
    normals: F32 = coded.astype(np.float32) / np.float32(127.5) - np.float32(1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    normals[~coded.any(axis=-1)] = 0
    return normals
