"""Settings of training the normal network, read from TOML and kept in every checkpoint."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args

from engine.errors import AssetError
from engine.synth.settings import Population
from engine.training.setting_checks import (
    LARGEST,
    SMALLEST,
    as_tuple,
    check_flag,
    check_number,
    check_whole,
)

__all__ = ["NormalTrainSettings", "read_settings"]

_AT_LEAST_ONE = ("size_px", "full_width", "batch_size", "steps", "log_every", "val_every")
_ABOVE_ZERO = ("lr", "clip_norm", "checkpoint_minutes")
_SHARES = ("hair_taken_off", "hair_put_on", "lamps", "recoloured", "surroundings")


@dataclass(frozen=True, slots=True)
class NormalTrainSettings:
    """What a trained network depends on, besides its samples."""

    population: Population = "both"  # whose samples are learned from and validated on
    # The network.
    size_px: int = 128  # side of the crop, a multiple of 16
    widths: tuple[int, int, int, int] = (32, 48, 96, 160)  # channels at 1/2 .. 1/16 of the size
    full_width: int = 16  # channels at full size
    use_points: bool = True  # False: the picture alone
    n_global: int = 0  # further blocks of attention at the smallest grid
    # The course of training.
    seed: int = 0
    batch_size: int = 32  # of all processes together
    steps: int = 60_000
    warmup_steps: int = 500
    lr: float = 1.5e-3  # highest learning rate of AdamW, falling to lr_end by a cosine
    lr_end: float = 1e-5
    weight_decay: float = 0.02
    clip_norm: float = 5.0  # longest gradient
    ema_decay: float = 0.999  # of the running mean of weights, which is what is validated and kept
    bf16: bool = True  # convolutions in bfloat16, where the processor computes in it
    # The losses.
    pose_weight: float = 0.0  # of the turn of whole maps
    edge_weight: float = 0.5  # of differences between neighbouring normals
    parsing_weight: float = 0.3  # of the cross-entropy of the parsing
    # Augmentation; everything off with augment = false.
    augment: bool = True
    shift: float = 0.05  # of the crop's side, largest
    scale: float = 0.10  # largest change of size
    rotation_deg: float = 8.0  # largest turn of the picture
    point_noise: float = 0.008  # of the crop's side, largest standard deviation
    hair_taken_off: float = 0.35  # share of samples that lose their hair
    hair_put_on: float = 0.5  # share of samples that get a neighbour's, anywhere
    lamps: float = 0.0  # share of samples with more light, from anywhere
    recoloured: float = 0.0  # share whose skin, hair, background change colour, each apart
    surroundings: float = 0.0  # share of samples with another background
    # Reports.
    log_every: int = 50  # steps
    val_every: int = 1000  # steps
    n_val: int = 1000  # samples looked at, at most
    checkpoint_minutes: float = 5.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", as_tuple("widths", self.widths))
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if field.type is bool:
                check_flag(name, value)
            elif field.type is int:
                check_whole(name, value, 1 if name in _AT_LEAST_ONE else 0)
            elif field.type is float:
                least = SMALLEST if name in _ABOVE_ZERO else 0.0
                check_number(name, value, least, 1.0 if name in _SHARES else LARGEST)
        if self.population not in get_args(Population):
            choices = ", ".join(get_args(Population))
            raise ValueError(f"population {self.population!r}, expected one of: {choices}")
        if self.size_px % 16:
            raise ValueError(f"size_px {self.size_px}, expected a multiple of 16")
        if len(self.widths) != 4 or any(type(w) is not int or w < 4 or w % 4 for w in self.widths):
            raise ValueError(f"widths {self.widths}, expected four multiples of 4")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay {self.ema_decay}, expected 0 <= ema_decay < 1")

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self) | {"widths": list(self.widths)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "NormalTrainSettings":
        """The settings that `to_dict` gave; fields left out have their defaults.

        Raises: ValueError: if a field is unknown or out of range.
        """
        known = [f.name for f in fields(cls)]
        if unknown := sorted(set(values) - set(known)):
            raise ValueError(
                f"unknown settings {', '.join(unknown)}; there are: {', '.join(known)}"
            )
        return cls(**values)

    def digest(self) -> str:
        """Hexadecimal SHA-256 of the settings."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


def read_settings(path: Path) -> NormalTrainSettings:
    """Settings from a TOML file; what it leaves out has its default.

    Raises: AssetError: if it cannot be read, or holds unknown keys or wrong values.
    """
    try:
        return NormalTrainSettings.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise AssetError(f"settings {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError) as error:  # TOMLDecodeError is a ValueError
        raise AssetError(f"settings {path}: {error}; correct the file") from error
