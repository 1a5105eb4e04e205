"""Suites: samples with known truth, made here or read from a data set that the user has."""

from collections.abc import Callable

from engine.benchmark.suites.multiface import MultifaceSuite
from engine.benchmark.suites.now import NowSuite
from engine.benchmark.suites.synthetic import SyntheticSuite
from engine.benchmark.suites.w300 import W300Suite
from engine.benchmark.types import Suite, SuiteSettings

__all__ = ["SUITES", "open_suite"]

SUITES: dict[str, Callable[[SuiteSettings], Suite]] = {
    "synthetic": SyntheticSuite,
    "multiface": MultifaceSuite,
    "300w": W300Suite,
    "now": NowSuite,
}
"""By the name that is typed."""


def open_suite(settings: SuiteSettings) -> Suite:
    """The suite of the settings; data sets that are missing show in its `problems`.

    Raises: ValueError: if suite or preset does not exist. AssetError: if a named pack is not there.
    """
    if settings.suite not in SUITES:
        raise ValueError(f"suite {settings.suite!r} does not exist; there are {', '.join(SUITES)}")
    return SUITES[settings.suite](settings)
