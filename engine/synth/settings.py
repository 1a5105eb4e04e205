"""What a set of synthetic samples is made by; a sample depends on these and its index alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, get_args

__all__ = ["SIZES_PX", "Population", "Split", "SynthSettings"]

Split = Literal["train", "val"]
Population = Literal["both", "openhead", "makehuman"]

SIZES_PX: Final = (16, 1024)
"""Smallest and largest crop."""


@dataclass(frozen=True, slots=True)
class SynthSettings:
    """Settings of the sample maker."""

    seed: int = 0  # 0..2^63-1
    size_px: int = 128  # side of the crop, SIZES_PX
    split: Split = "train"  # the two share no person, skin, hair or light
    population: Population = "both"  # which heads
    pack: Path | None = None  # SynthPack file; None: openhead with built-in looks
    mediapipe_share: float = 0.5  # 0..1 of the samples whose points come from MediaPipe itself
    varied: bool = True  # for training hair is cut anew, skins and lights are mixed

    def __post_init__(self) -> None:
        _check_whole("seed", self.seed, 0, 2**63 - 1)
        _check_whole("size_px", self.size_px, *SIZES_PX)
        _check_choice("split", self.split, get_args(Split))
        _check_choice("population", self.population, get_args(Population))
        if self.pack is not None and not isinstance(self.pack, Path):
            raise ValueError(f"pack {self.pack!r}, expected a Path or None")
        if not 0 <= self.mediapipe_share <= 1:
            raise ValueError(f"mediapipe_share {self.mediapipe_share}, expected 0..1")

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self) | {"pack": None if self.pack is None else str(self.pack)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SynthSettings":
        """The settings that `to_dict` gave; fields left out have their defaults.

        Raises: ValueError: if a field is unknown or its value is out of range.
        """
        if unknown := sorted(set(values) - {f.name for f in fields(cls)}):
            known = ", ".join(f.name for f in fields(cls))
            raise ValueError(f"unknown settings {', '.join(unknown)}; there are: {known}")
        pack = values.get("pack")
        return cls(**{**values, "pack": None if pack is None else Path(pack)})


def _check_whole(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} {value!r}, expected a whole number {least}..{most}")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} {value!r}, expected one of: {', '.join(choices)}")
