"""The normal network that a person chose: the shipped one, a file, or none."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from engine.errors import AssetError
from engine.io.assets import asset_path, load_manifest, sha256_of
from engine.io.readable import probing
from engine.processor import first_processor, multiplies_bytes
from engine.stages.normal_estimator import NormalEstimator, frames_of_network
from engine.stages.onnx_session import available_providers

__all__ = ["WEIGHTS", "WEIGHTS_INT8", "NormalChoice", "choose_normals"]

logger = logging.getLogger(__name__)

WEIGHTS = "normals.onnx"
"""The network that is shipped, among the assets."""
WEIGHTS_INT8 = "normals_int8.onnx"
"""The same with convolutions in 8 bits; where it is shipped, processors made for it take it."""
_THREADS = 2
"""More are hardly quicker: the network is small."""


@dataclass(frozen=True, slots=True)
class NormalChoice:
    """Which network it is, looked up but not yet loaded."""

    path: Path | None
    reason: str = ""  # why there is none
    instead: str = ""  # why it takes the place of the shipped one that is meant for this machine

    @property
    def identity(self) -> str:
        """For records: the file's name and the start of its hash; empty without a network."""
        return f"{self.path.name} {sha256_of(self.path)[:12]}" if self.path is not None else ""

    @property
    def frames(self) -> frozenset[str]:
        """In which frames it gives normals: "head", "view", both, or none without a network.

        Raises: AssetError: if the description beside it is not as it should be.
        """
        return frames_of_network(self.path) if self.path is not None else frozenset()

    def load(self, provider: str = "auto", *, beside: int = 0) -> NormalEstimator | None:
        """Ready to run, to be used from one thread.

        Args:
            provider: as for `OnnxSession`; where it does not work, the CPU is used, and that said.
            beside: how many threads are busy with other frames meanwhile: where they leave no
                second processor, one thread does it, and they all wait less for each other.
        Raises: AssetError, ProviderError.
        """
        if self.path is None:
            return None
        threads = _THREADS if (os.cpu_count() or 1) - beside >= _THREADS else 1
        estimator = NormalEstimator(
            self.path, threads=threads, provider=provider, may_fall_back=True
        )
        if estimator.fallback:
            logger.warning("%s runs on the %s", self.path.name, estimator.fallback)
        return estimator


def choose_normals(asked: str | None, *, may_fall_back: bool = False) -> NormalChoice:
    """Args:
        asked: a path, "none", or None for the shipped network, if there is one.
        may_fall_back: where a shipped file is missing or changed, take the next one, or none, and
            say so in `instead` or `reason`. A file that is named has nothing in its place.
    Raises: AssetError: if a file that is named or listed is missing or changed.
    """
    if asked == "none":
        return NormalChoice(None, "switched off with --normals none")
    if asked is None:
        return _shipped(may_fall_back=may_fall_back)
    path = Path(asked)
    with probing(path, "check --normals", AssetError):
        missing = not path.is_file()
    if missing:
        raise AssetError(f"normal network {path} does not exist; check --normals")
    return NormalChoice(path)


def _shipped(*, may_fall_back: bool) -> NormalChoice:
    """The first of the shipped networks that is whole."""
    shipped = {asset.file for asset in load_manifest()}
    wanted = [name for name in (WEIGHTS_INT8, WEIGHTS) if name in shipped]
    if not _is_quicker_in_bytes():
        wanted = [name for name in wanted if name == WEIGHTS]
    problem = ""
    for name in wanted:
        try:
            chosen = NormalChoice(asset_path(name), instead=problem)
        except AssetError as error:
            if not may_fall_back:
                raise
            problem = problem or str(error)
            continue
        if problem:
            logger.warning("%s instead of %s: %s", name, wanted[0], problem)
        return chosen
    return NormalChoice(None, problem or "none is shipped; choose one with --normals FILE")


def _is_quicker_in_bytes() -> bool:
    """Whether networks run on a processor that multiplies bytes, and on no graphics card."""
    return multiplies_bytes(first_processor()) and set(available_providers()) <= {"auto", "cpu"}
