"""Settings of training N2FNet, read from TOML: the network, and the stages of its training.

The configurations that belong to the program lie in `configs/`, by name.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import AssetError
from engine.training.setting_checks import (
    SMALLEST,
    as_tuple,
    check_flag,
    check_number,
    check_whole,
    check_wholes,
)

__all__ = ["INPUTS", "LossWeights", "N2FSettings", "Stage", "config_names", "read_n2f_settings"]

INPUTS = {
    "head": 3, "mask": 1, "coordinates": 2, "view": 3, "confidence": 1, "image": 3, "points": 0
}  # fmt: skip
"""What the network may look at, in this order, and how many channels each has.

head: normals in the head frame; view: in the crop-view frame; image: RGB, without normals; points:
MediaPipe's, which are no map.
"""

_CONFIGS = Path(__file__).with_name("configs")
_MOST_SHARE = 1000.0  # of a course's steps
_MAY_BE_ZERO = ("weight_decay", "ema_decay")
_FILE_NAME = re.compile(r"[A-Za-z0-9_-]+")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of `n2f_losses.N2FLosses`; there are the units."""

    params: float = 1.0
    vertices: float = 0.0
    aligned: float = 0.0
    rotation: float = 1.0
    camera: float = 1.0
    lids: float = 1.0
    landmarks: float = 0.0
    gaps: float = 0.0
    normals: float = 0.0
    nll: float = 0.0
    prior: float = 1e-3

    def __post_init__(self) -> None:
        for item in fields(self):
            check_number(f"weights.{item.name}", getattr(self, item.name))


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training, with a learning rate and losses of its own."""

    name: str  # letters, digits, _ and -: a file of weights is called by it
    steps: int
    lr: float = 1e-3  # highest; falls to lr_end by a cosine
    lr_end: float = 1e-5
    warmup_steps: int = 500
    drawn: float = 1.0  # weight of heads drawn as clean maps in a batch
    predicted: float = 0.0  # of what the normal network saw in synthetic pictures
    real: float = 0.0  # of what it saw in real pictures, with fitted parameters
    degradation: float = 0.0  # 0..1 strength on clean maps, see `degradation`
    ramp_steps: int = 0  # over which the degradation rises to that
    weights: LossWeights = field(default_factory=LossWeights)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or _FILE_NAME.fullmatch(self.name) is None:
            raise ValueError(f"name {self.name!r} of a stage, expected letters, digits, _ and -")
        at = f"stage {self.name}: "
        check_whole(f"{at}steps", self.steps, 1)
        for name in ("warmup_steps", "ramp_steps"):
            check_whole(at + name, getattr(self, name))
        for name in ("lr_end", "drawn", "predicted", "real"):
            check_number(at + name, getattr(self, name))
        check_number(f"{at}lr", self.lr, SMALLEST)
        check_number(f"{at}degradation", self.degradation, 0.0, 1.0)
        if not sum(self.shares) > 0:
            raise ValueError(
                f"{at}drawn, predicted and real are {self.shares}, expected weights of which one "
                "is positive"
            )

    @property
    def shares(self) -> tuple[float, float, float]:
        """Weights of the sources: drawn, predicted, real."""
        return self.drawn, self.predicted, self.real


@dataclass(frozen=True, slots=True)
class N2FSettings:
    """What a trained network depends on, besides its samples and the head model."""

    name: str = "two-stage"
    # The network.
    inputs: tuple[str, ...] = ("head", "mask", "coordinates")
    size_px: int = 128  # of the maps or the picture given
    trunk_px: int = 64  # to which they are averaged, 64 or 128
    widths: tuple[int, int, int] = (32, 64, 96)  # channels at 1/2, 1/4, 1/8 of 64
    blocks: tuple[int, int, int] = (1, 1, 1)
    grid_width: int = 32  # channels of the 8 x 8 map that is flattened
    hidden: int = 256
    n_passes: int = 2  # the second sees what the first found
    point_codes: int = 64  # numbers that MediaPipe's points are summed up in
    predict_neck: bool = False  # head-frame normals do not show the neck: left at 0
    # The course of training.
    stages: tuple[Stage, ...] = ()
    seed: int = 0
    batch_size: int = 64
    weight_decay: float = 0.02
    clip_norm: float = 5.0
    ema_decay: float = 0.999
    bf16: bool = True  # convolutions in bfloat16, where the processor computes in it
    augment: bool = True  # samples mirrored, turned and sized anew
    log_every: int = 50  # steps
    val_every: int = 2000  # steps
    n_val: int = 200  # samples looked at, at most
    checkpoint_minutes: float = 5.0

    def __post_init__(self) -> None:
        for name in ("inputs", "widths", "blocks", "stages"):
            object.__setattr__(self, name, as_tuple(name, getattr(self, name)))
        self._check_values()
        if unknown := [name for name in self.inputs if name not in tuple(INPUTS)]:
            raise ValueError(f"inputs {unknown} are unknown; there are: {', '.join(INPUTS)}")
        ordered = tuple(name for name in INPUTS if name in self.inputs)
        if ordered != self.inputs or not ("head" in ordered) ^ ("image" in ordered):
            raise ValueError(
                f"inputs {self.inputs}, expected either head or image, and others, in the order "
                f"{', '.join(INPUTS)}"
            )
        if self.trunk_px not in (64, 128) or self.size_px % self.trunk_px:
            raise ValueError(
                f"trunk_px {self.trunk_px}, size_px {self.size_px}; expected 64 or 128, and a "
                "multiple of it"
            )
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay {self.ema_decay}, expected 0 <= ema_decay < 1")

    def _check_values(self) -> None:
        """Each by itself."""
        if not isinstance(self.name, str):
            raise ValueError(f"name {self.name!r}, expected text")
        check_wholes("widths", self.widths, 3, 2)
        check_wholes("blocks", self.blocks, 3, 0)
        for item in fields(self):
            name, value = item.name, getattr(self, item.name)
            if item.type is bool:
                check_flag(name, value)
            elif item.type is int:
                check_whole(name, value, 0 if name == "seed" else 1)
            elif item.type is float:
                check_number(name, value, 0.0 if name in _MAY_BE_ZERO else SMALLEST)

    @property
    def steps(self) -> int:
        """Of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[Stage, int]:
        """The stage of a step, and the step within it."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        return self.stages[-1], self.stages[-1].steps

    def scaled(self, share: float) -> "N2FSettings":
        """The same course in fewer or more steps.

        Args:
            share: all stages' steps are multiplied by it; above 0, at most 1000.
        Raises: ValueError: if it is something else.
        """
        if not 0 < share <= _MOST_SHARE:
            raise ValueError(f"share {share}, expected a number above 0, at most {_MOST_SHARE:g}")

        def times(n: int) -> int:
            return max(1, round(share * n))

        stages = [
            replace(
                stage,
                steps=times(stage.steps),
                warmup_steps=min(stage.warmup_steps, times(stage.steps) // 10),
                ramp_steps=times(stage.ramp_steps) if stage.ramp_steps else 0,
            )
            for stage in self.stages
        ]
        val_every = max(min(500, self.val_every), times(self.val_every))
        return replace(self, stages=tuple(stages), val_every=val_every)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "N2FSettings":
        """The settings that `to_dict` gave; fields left out have their defaults.

        Raises: ValueError: if a field is unknown or out of range.
        """
        stages = [_stage(table) for table in as_tuple("stages", values.get("stages", ()))]
        return _checked(cls, {**values, "stages": stages})

    def digest(self) -> str:
        """Hexadecimal SHA-256 of the settings."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


def _stage(table: object) -> Stage:
    if not isinstance(table, Mapping):
        raise ValueError(f"{table!r} among the stages, expected [[stages]] with settings")
    weights = table.get("weights", {})
    if not isinstance(weights, Mapping):
        raise ValueError(f"weights {weights!r}, expected [stages.weights] with settings")
    weights = _checked(LossWeights, weights)
    return _checked(Stage, {**table, "weights": weights})


def _checked(kind: type[T], values: Mapping[str, Any]) -> T:
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    if unknown := sorted(set(values) - set(known)):
        raise ValueError(f"unknown settings {', '.join(unknown)}; there are: {', '.join(known)}")
    return kind(**values)


def config_names() -> list[str]:
    """The configurations that come with the program."""
    return sorted(path.stem for path in _CONFIGS.glob("*.toml"))


def read_n2f_settings(name: str | Path) -> N2FSettings:
    """Settings by the name of a configuration, or from a TOML file.

    Raises: AssetError: if it cannot be read, or holds unknown keys or wrong values.
    """
    known = str(name) in config_names()
    path = _CONFIGS / f"{name}.toml" if known else Path(name)
    try:
        return N2FSettings.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise AssetError(
            f"settings {path} cannot be read: {error.strerror or error}; give a TOML file, or one "
            f"of: {', '.join(config_names())}"
        ) from error
    except (ValueError, TypeError) as error:  # TOMLDecodeError is a ValueError
        raise AssetError(f"settings {path}: {error}; correct the file") from error
