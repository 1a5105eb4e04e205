"""Observed: what one picture shows of a face, as tensors on the pixels of its normal map.

Pixels: of the map, (0, 0) the centre of the first one, y down.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from engine.errors import CaptureError
from engine.fitting.map_size import at_most
from engine.fitting.uv_matches import matched_vertices, uv_matches
from engine.flame.model import HeadModel
from engine.frames import crop_camera
from engine.stages.mediapipe_points import FITTED, IRISES, noise_mm
from engine.synth.sample import PARSING
from engine.types import F32, I32, Bool, Camera, FaceCrop, NormalMap

__all__ = [
    "DENSE_POINTS",
    "EYE_POINTS",
    "GAPS",
    "MOUTH_GAPS",
    "Correspondences",
    "Observed",
    "Texture",
    "TexturePlaces",
    "observe",
    "point_weights",
]

EYE_POINTS = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
"""iBUG's 36 to 47 in MediaPipe's numbering."""
GAPS = ((160, 144), (158, 153), (385, 380), (387, 373))
"""Upper and lower lid."""
MOUTH_GAPS = ((82, 87), (13, 14), (312, 317))
"""Upper and lower lip, inside."""

_SKIN, _MOUTH = (PARSING.index(name) for name in ("skin", "mouth_inside"))
_VALID_BACKGROUND = tuple(PARSING.index(name) for name in ("background", "neck"))
_TEXTURED = tuple(PARSING.index(name) for name in ("skin", "ears"))
_REFERENCE_PX = 256
_JUMP = 0.02
"""Of the texture's side, between neighbours of 256 px: where a face is as large as in a crop, it is
some 0.002, and more only where the surface is seen from the side."""
_LEAST_PX = 100
"""Fewer pixels of normals say nothing."""
_SHORT = 0.5
"""Shorter vectors are no normals."""


class Correspondences(NamedTuple):
    """Places on the map that belong to places on the head's surface."""

    px: Tensor  # (N, 2)
    weight: Tensor  # (N,) mean 1
    faces_idx: I32  # (N,) rows of the model's triangles
    bary: F32  # (N, 3) weights of their corners, sum 1


class Texture(NamedTuple):
    """A head model with FLAME's texture."""

    model: HeadModel
    vertex_uv: F32  # (V, 2) of `engine.fitting.uv_matches.read_vertex_uv`


class TexturePlaces(NamedTuple):
    """Where in FLAME's texture each pixel lies."""

    uv: Tensor  # (2, S, S) 0..1, v down
    inside: Tensor  # (1, S, S) 1 where that counts, else 0
    mask: Bool  # (S, S) the same


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """One face."""

    camera: Camera  # of the map
    K: Tensor  # (2, 3) first rows of its K
    size: int  # px of the map's side
    head: Tensor | None  # (3, S, S) normals, head frame
    view: Tensor | None  # (3, S, S) normals, view frame
    skin: Bool  # (S, S) where normals count: face without eyes
    background: Bool | None  # (S, S) no head can be here; None: not known
    away: Tensor | None  # (1, S, S) px to the nearest place where a head may be
    landmarks: Tensor  # (478, 2)
    uv: Correspondences | None  # from a map of surface coordinates, in place of MediaPipe's points
    places: TexturePlaces | None  # that map; None: there is none


def observe(
    crop: FaceCrop,
    camera: Camera,
    normals: NormalMap,
    device: str,
    dtype: torch.dtype = torch.float32,
    uv: Correspondences | None = None,
    *,
    texture: Texture | None = None,
    size: int = 256,
) -> Observed:
    """Args:
        camera: of the frame that the crop and the map are from.
        uv: on the map's pixels as they will be; None: as the map's own places in the texture say.
        texture: of the head model; None: places in the texture are not looked at.
        size: px of the map's side; larger ones are made smaller.
    Raises: CaptureError: if the map has no face, no normals or values that are not finite.
    """
    _check(normals)
    normals = at_most(normals, size)
    size = normals.mask.shape[0]
    skin = _skin(normals)
    if skin.sum() < _LEAST_PX:
        raise CaptureError(
            f"only {int(skin.sum())} px of the normal map are face with normals, expected at least "
            f"{_LEAST_PX}: the mask is empty or the normals are zero; check the face's crop, or "
            "the normals if they are your own"
        )
    map_camera = crop_camera(camera, normals.crop_from_frame, size)
    A = normals.crop_from_frame
    landmarks = crop.landmarks.astype(np.float64) @ A[:, :2].T + A[:, 2]

    def tensor(array: F32 | None) -> Tensor | None:
        if array is None:
            return None
        return torch.as_tensor(array, dtype=dtype, device=device).permute(2, 0, 1).contiguous()

    background, away = None, None
    if normals.parsing is not None:
        background = np.isin(normals.parsing, _VALID_BACKGROUND)
        distance = cv2.distanceTransform(background.astype(np.uint8), cv2.DIST_L2, 5)
        away = torch.as_tensor(distance, dtype=dtype, device=device)[None]
    places = None
    if texture is not None and normals.uv is not None and uv is None:
        inside = _textured(normals)
        uv = _matches(normals.uv, inside, texture, device, dtype)
        smooth = inside & ~_jumps(normals.uv)
        shown = torch.as_tensor(smooth, dtype=dtype, device=device)[None]
        places = TexturePlaces(tensor(normals.uv), shown, smooth)
    return Observed(
        camera=map_camera,
        K=torch.as_tensor(map_camera.K[:2], dtype=dtype, device=device),
        size=size,
        head=tensor(normals.head),
        view=tensor(normals.view),
        skin=skin,
        background=background,
        away=away,
        landmarks=torch.as_tensor(landmarks, dtype=dtype, device=device),
        uv=uv,
        places=places,
    )


def _textured(normals: NormalMap) -> Bool:
    """Pixels whose place in the texture counts: skin, brows, nose, lips and ears."""
    inside = normals.mask > 0.5
    if normals.parsing is not None:
        inside = np.isin(normals.parsing, _TEXTURED)
    counted: Bool = inside
    return counted


def _jumps(uv: F32) -> Bool:
    """(S, S) pixels beside those of another surface, or across a seam: no slope is true there."""
    limit = _JUMP * _REFERENCE_PX / len(uv)
    jumps = np.zeros(uv.shape[:2], np.bool_)
    for axis in (0, 1):
        far = (np.abs(np.diff(uv, axis=axis)) > limit).any(axis=-1)
        pad = [(0, 0), (0, 0)]
        for pad[axis] in ((0, 1), (1, 0)):
            jumps |= np.pad(far, pad)
    return jumps


def _matches(
    uv: F32, inside: Bool, texture: Texture, device: str, dtype: torch.dtype
) -> Correspondences | None:
    """Of vertices; None where nothing matches."""
    wanted = matched_vertices(texture.model)
    found = uv_matches(uv, inside, texture.vertex_uv, texture.model.faces, wanted)
    if len(found.px) == 0:
        return None
    return Correspondences(
        torch.as_tensor(found.px, dtype=dtype, device=device),
        torch.ones(len(found.px), dtype=dtype, device=device),
        found.faces_idx,
        found.bary,
    )


def _check(normals: NormalMap) -> None:
    for name in ("head", "view", "mask", "uv"):
        array = getattr(normals, name)
        if array is not None and not np.isfinite(array).all():
            n_bad = int((~np.isfinite(array)).sum())
            raise CaptureError(
                f"the normal map's {name} has {n_bad} values that are not finite; it cannot be "
                "fitted to: make the normals again, or set such pixels to zero and mask them out"
            )


def _skin(normals: NormalMap) -> Bool:
    """Pixels of the face whose normals are those of its surface."""
    skin = normals.mask > 0.5
    if normals.parsing is not None:
        skin &= np.isin(normals.parsing, (_SKIN, _MOUTH))
    for each in (normals.head, normals.view):
        if each is not None:
            skin &= np.einsum("yxc,yxc->yx", each, each) > _SHORT**2
    counted: Bool = skin
    return counted


DENSE_POINTS = tuple(sorted(set(FITTED) - set(EYE_POINTS) - set(IRISES)))
"""Of MediaPipe's points those that stand in for a map of surface coordinates."""


def point_weights(indices: tuple[int, ...]) -> F32:
    """(N,) by MediaPipe's errors, mean 1."""
    weights = noise_mm(np.array(indices, np.int32)) ** -2
    normed: F32 = (weights / weights.mean()).astype(np.float32)
    return normed
