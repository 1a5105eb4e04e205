"""Normal networks of others: any ONNX file with a picture in and normals out, and a description.

FILE.toml beside FILE.onnx, e.g.:

    size = 256                     # side of the square picture, px
    layout = "nchw"                # or "nhwc", of input and outputs
    colour = "rgb"                 # or "bgr"
    range = [0.0, 1.0]             # what black and white become, before mean and std
    mean = [0.485, 0.456, 0.406]   # subtracted, by the network's channel
    std = [0.229, 0.224, 0.225]    # divided by
    output = "normals"             # its name
    output_range = [-1.0, 1.0]     # what stands for -1 and +1 of a normal
    channels = ["x", "-y", "-z"]   # what each channel holds: x right, y up, z towards the viewer
    frame = "cropview"             # "head", "view", or "cropview": of a camera aimed at the crop
    mask_output = "mask"           # optional: (1, 1, S, S), (1, S, S, 1) or (1, S, S), 0..1
"""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from engine.errors import AssetError
from engine.stages.mediapipe_points import OVAL
from engine.stages.normal_network import Prediction
from engine.stages.onnx_session import OnnxSession
from engine.types import F32, U8

__all__ = ["ForeignFormat", "ForeignNetwork", "load_format", "oval_mask"]

_CHOICES: Final = {
    "layout": ("nchw", "nhwc"),
    "colour": ("rgb", "bgr"),
    "frame": ("head", "view", "cropview"),
}
_AXES: Final = "xyz"
_SHORTEST = 1e-3
"""Shorter vectors are no normal."""


@dataclass(frozen=True, slots=True)
class ForeignFormat:
    """How a network wants pictures and writes normals; see the top of this module."""

    size: int
    layout: str
    output: str
    frame: str
    colour: str = "rgb"
    range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    output_range: tuple[float, float] = (-1.0, 1.0)
    channels: tuple[str, str, str] = ("x", "y", "z")
    mask_output: str | None = None

    def __post_init__(self) -> None:
        """Raises: ValueError: naming the key that is wrong."""
        if type(self.size) is not int or not 16 <= self.size <= 4096:
            raise ValueError(f"size is {self.size!r}, expected a whole number of 16..4096")
        for key, choices in _CHOICES.items():
            if getattr(self, key) not in choices:
                raise ValueError(f"{key} is {getattr(self, key)!r}, expected {_or(choices)}")
        for key in ("output", "mask_output"):
            if not isinstance(getattr(self, key), str | None) or getattr(self, key) == "":
                raise ValueError(f"{key} is {getattr(self, key)!r}, expected a name")
        for key, n in (("range", 2), ("mean", 3), ("std", 3), ("output_range", 2)):
            _check_numbers(key, getattr(self, key), n)
        if 0 in self.std or self.output_range[0] == self.output_range[1]:
            raise ValueError("std is 0, or output_range is empty")
        if sorted(str(c).removeprefix("-") for c in self.channels) != list(_AXES):
            raise ValueError(f"channels is {list(self.channels)}, expected x, y, z, or with -")

    @property
    def map_frame(self) -> str:
        """The `NormalMap`'s frame that it becomes, "head" or "view"."""
        return "head" if self.frame == "head" else "view"


def load_format(path: Path) -> ForeignFormat:
    """Read FILE.toml. Raises: AssetError: if it cannot be read or something in it is wrong."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # not TOML, not UTF-8
        raise AssetError(f"{path} is no TOML: {error}; correct it") from error
    known = [f.name for f in fields(ForeignFormat)]
    if unknown := [key for key in table if key not in known]:
        raise AssetError(f"{path}: unknown key {', '.join(unknown)}; known: {', '.join(known)}")
    if missing := [k for k in ("size", "layout", "output", "frame") if k not in table]:
        raise AssetError(f"{path}: {', '.join(missing)} missing; add it")
    try:
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in table.items()
        }
        return ForeignFormat(**values)
    except ValueError as error:
        raise AssetError(f"{path}: {error}; correct it") from error


class ForeignNetwork:
    """Puts pictures in as a network wants them and turns its normals into ours."""

    def __init__(self, path: Path, *, threads: int, provider: str, may_fall_back: bool) -> None:
        """path: the ONNX file. Raises: AssetError, ProviderError."""
        self.format = load_format(path.with_suffix(".toml"))
        self.size_px = side = self.format.size
        picture = (1, 3, side, side) if self.format.layout == "nchw" else (1, side, side, 3)
        self.session = OnnxSession(
            path,
            threads=threads,
            provider=provider,
            may_fall_back=may_fall_back,
            open_shape=picture,
        )
        self._check(picture)
        (self._input,) = self.session.inputs.values()
        low, high = self.format.range
        # (u / 255 (high - low) + low - mean) / std in one pass.
        std = np.array(self.format.std)
        self._gain = ((high - low) / 255.0 / std).astype(np.float32)
        self._offset = ((low - np.array(self.format.mean)) / std).astype(np.float32)
        self._axes = [str(c).removeprefix("-") for c in self.format.channels]

    def predict(self, image: U8, points: F32) -> Prediction:
        """As `NormalNetwork.predict`."""
        found = self.session.run({self._input.name: self._prepared(image)})
        normals, is_normal = self._normals(found[self.format.output])
        if self.format.mask_output is not None:
            mask = found[self.format.mask_output].reshape(self.size_px, self.size_px)
            mask = np.clip(mask, 0.0, 1.0).astype(np.float32)
        else:
            mask = oval_mask(points, self.size_px)
        frame = self.format.frame
        return Prediction(
            mask=mask,
            confidence=mask * is_normal,
            head=normals if frame == "head" else None,
            view=normals if frame == "view" else None,
            crop_view=normals if frame == "cropview" else None,
        )

    def _prepared(self, image: U8) -> Any:  # noqa: ANN401  (an array of the input's type)
        if self.format.colour == "bgr":
            image = image[..., ::-1]
        if self._input.dtype == np.uint8:
            picture = image
        else:
            picture = (image * self._gain + self._offset).astype(self._input.dtype)
        return picture.transpose(2, 0, 1)[None] if self.format.layout == "nchw" else picture[None]

    def _normals(self, raw: F32) -> tuple[F32, F32]:
        """(S, S, 3) unit normals with our axes, and (S, S) 1 where there really was one."""
        planes = raw[0] if self.format.layout == "nchw" else raw[0].transpose(2, 0, 1)
        low, high = self.format.output_range
        normals = np.empty((self.size_px, self.size_px, 3), np.float32)
        for plane, axis, name in zip(planes, self._axes, self.format.channels, strict=True):
            values = (plane.astype(np.float32) - low) * (2.0 / (high - low)) - 1.0
            normals[..., _AXES.index(axis)] = -values if name.startswith("-") else values
        lengths = np.linalg.norm(normals, axis=-1)
        is_normal = np.isfinite(lengths) & (lengths > _SHORTEST)
        normals[~is_normal] = (0, 0, 1)
        normals[is_normal] /= lengths[is_normal, None]
        return normals, is_normal.astype(np.float32)

    def _check(self, picture: tuple[int, ...]) -> None:
        """Raises: AssetError: if the graph is not what its description says."""
        side, inputs, outputs = self.size_px, self.session.inputs, self.session.outputs
        where = self.session.path.with_suffix(".toml")
        shapes = {info.name: info.shape for info in inputs.values()}
        if list(shapes.values()) != [picture]:
            raise AssetError(f"{where}: inputs are {shapes}, expected one of {picture}")
        for name in filter(None, (self.format.output, self.format.mask_output)):
            if name not in outputs:
                raise AssetError(f"{where}: no output {name!r}; there are: {', '.join(outputs)}")
        zeros = {info.name: np.zeros(picture, info.dtype) for info in inputs.values()}
        found = {name: value.shape for name, value in self.session.run(zeros).items()}
        if (have := found[self.format.output]) != picture:
            raise AssetError(f"{where}: {self.format.output} is {have}, expected {picture}")
        mask = self.format.mask_output
        if mask is not None and int(np.prod(found[mask])) != side * side:
            raise AssetError(f"{where}: {mask} is {found[mask]}, expected (1, {side}, {side})")


def oval_mask(points: F32, side: int) -> F32:
    """(S, S) 1 within the hull of the face's outline.

    Args:
        points: (478, 2 or more) MediaPipe's points, px of the map.
    """
    hull = cv2.convexHull(np.rint(points[list(OVAL), :2]).astype(np.int32))
    mask: F32 = cv2.fillConvexPoly(np.zeros((side, side), np.float32), hull, 1.0)
    return mask


def _check_numbers(key: str, values: Any, n: int) -> None:  # noqa: ANN401  (whatever TOML has)
    fits = isinstance(values, tuple) and len(values) == n
    if not fits or not all(type(v) in (int, float) and np.isfinite(v) for v in values):
        raise ValueError(f"{key} is {values!r}, expected {n} numbers")


def _or(choices: tuple[str, ...]) -> str:
    return " or ".join(map(repr, choices))
