"""Checks of single settings; each error names the field, what was found and what is expected."""

import sys
from typing import Any, Final

__all__ = [
    "LARGEST",
    "SMALLEST",
    "as_tuple",
    "check_flag",
    "check_number",
    "check_whole",
    "check_wholes",
]

SMALLEST: Final = 1e-12
"""Least value of numbers that must be above 0."""
LARGEST: Final = sys.float_info.max
"""Leaves out infinity, and whole numbers beyond all floats."""


def check_number(name: str, value: Any, least: float = 0.0, most: float = LARGEST) -> None:  # noqa: ANN401  (TOML)
    """Raises: ValueError: unless it is a number least..most."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        limits = f"of at least {least:g}" if most == LARGEST else f"{least:g}..{most:g}"
        raise ValueError(f"{name} {value!r}, expected a finite number {limits}")


def check_whole(name: str, value: object, least: int = 0) -> None:
    """Raises: ValueError: unless it is a whole number of at least `least`."""
    if type(value) is not int or value < least:
        raise ValueError(f"{name} {value!r}, expected a whole number of at least {least}")


def check_wholes(name: str, values: tuple[object, ...], n: int, least: int) -> None:
    """Raises: ValueError: unless they are n whole numbers of at least `least`."""
    if len(values) != n or any(type(v) is not int or v < least for v in values):
        raise ValueError(f"{name} {values}, expected {n} whole numbers of at least {least}")


def check_flag(name: str, value: object) -> None:
    """Raises: ValueError: unless it is True or False."""
    if type(value) is not bool:
        raise ValueError(f"{name} {value!r}, expected true or false")


def as_tuple(name: str, value: object) -> tuple[Any, ...]:
    """A list of TOML as a tuple. Raises: ValueError: if it is something else."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} {value!r}, expected a list")
    return tuple(value)
