"""What a recording is made of: one frame with its heads, or the heads alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from engine.render.overlay import DEFAULT_OPACITY
from engine.render.prediction import PredictionMode
from engine.render.renderer import RenderMode
from engine.types import F64, LOW_QUALITY, U8, Camera, Frame, Reconstruction

__all__ = ["Content", "Look", "Shot", "Stand", "shot_of", "slim"]


Stand = Callable[[Reconstruction, int, int], tuple[Camera, F64, F64]]
"""A head and a picture's width and height, px -> a camera, and R, t (metres): view from model."""


class Content(StrEnum):
    """What a film shows."""

    VIDEO = "video"  # the source alone
    OVERLAY = "overlay"  # the heads over the source
    AVATAR = "avatar"  # the heads alone, on a colour
    SIDE_BY_SIDE = "side-by-side"  # the source, and the heads alone right of it


@dataclass(frozen=True, slots=True)
class Look:
    """How heads are drawn."""

    mode: RenderMode | PredictionMode = RenderMode.SHADED
    opacity: float = DEFAULT_OPACITY
    mirrored: bool = False
    background: tuple[int, int, int] = (44, 47, 54)  # RGB behind an avatar
    stand: Stand | None = None  # an avatar's own camera; None: the source's
    fade: Callable[[float], float] = lambda quality: 1.0  # opacity's share by a head's quality


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One moment of one source."""

    source: str  # what a person calls it; another source is another part of a film
    frame_index: int
    t_ns: int  # on the source's clock
    image: U8 | None  # (H, W, 3) RGB; None: it was left out, for privacy
    faces: tuple[Reconstruction, ...]
    place: int = 0  # how often a person had gone elsewhere in the source before

    @property
    def low(self) -> bool:
        """Whether the first face is fitted doubtfully."""
        return bool(self.faces) and self.faces[0].quality < LOW_QUALITY

    def follows(self, before: "Shot") -> bool:
        """Whether the time between both is that of their source: nobody went elsewhere in it."""
        same = (self.source, self.place) == (before.source, before.place)
        return same and self.t_ns > before.t_ns

    def without_pixels(self) -> "Shot":
        """The same moment with nothing left that a camera saw, crops and maps included."""
        return replace(self, image=None, faces=tuple(slim(face) for face in self.faces))


def shot_of(source: str, frame: Frame, faces: tuple[Reconstruction, ...], place: int = 0) -> Shot:
    """The shot of a frame."""
    return Shot(source, frame.index, frame.t_ns, frame.image, faces, place)


_NO_PICTURE: U8 = np.zeros((1, 1, 3), np.uint8)


def slim(face: Reconstruction) -> Reconstruction:
    """The face without its crop's picture and its normal maps: a quarter of a megabyte less."""
    return replace(face, crop=replace(face.crop, image=_NO_PICTURE), normals=None)
