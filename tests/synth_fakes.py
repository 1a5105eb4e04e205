"""A made sample maker: noise pictures that depend on seed and index alone, and makers that fail.

Worker processes import these by name.
"""

import os
import time

import numpy as np

from engine.errors import AssetError
from engine.synth.sample import Sample, code_normals
from engine.synth.settings import SynthSettings
from engine.types import Camera, FlameParams

__all__ = [
    "CrashingMaker",
    "FailingMaker",
    "NoiseMaker",
    "ThreadCountMaker",
    "UnevenMaker",
    "made_sample",
    "no_maker",
]


def made_sample(settings: SynthSettings, index: int) -> Sample:
    """Noise in every field, at the float precision that a real sample has."""
    rng = np.random.default_rng((settings.seed, index))
    size = settings.size_px
    normals = rng.normal(size=(size, size, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    normals[: size // 4] = 0
    params = FlameParams.neutral("made", 4, 3).with_values(
        shape=rng.normal(size=4).astype(np.float32), t=rng.normal(size=3)
    )
    return Sample(
        key=f"{settings.split}-{index:08d}",
        image=rng.integers(0, 256, (size, size, 3), np.uint8),
        head_normals=code_normals(normals),
        view_normals=code_normals(-normals),
        parsing=rng.integers(0, 8, (size, size), np.uint8),
        depth=rng.integers(0, 2**16, (size, size), np.uint16),
        points=rng.normal(size=(478, 3)).astype(np.float32),
        landmarks68=rng.normal(size=(68, 2)).astype(np.float32),
        params=params,
        camera=Camera(np.diag([200.0, 200.0, 1.0]) + rng.normal(size=(3, 3)), size, size),
        meta={"index": index, "population": "openhead", "found": bool(index % 2)},
    )


class NoiseMaker:
    """Makes `made_sample`."""

    def __init__(self, settings: SynthSettings) -> None:
        self.settings = settings

    def make(self, index: int) -> Sample:
        return made_sample(self.settings, index)

    def close(self) -> None:
        pass


class CrashingMaker(NoiseMaker):
    """Takes its process down at sample 5."""

    def make(self, index: int) -> Sample:
        if index == 5:
            os._exit(9)
        return super().make(index)


class FailingMaker(NoiseMaker):
    """Raises at sample 5."""

    def make(self, index: int) -> Sample:
        if index == 5:
            raise ZeroDivisionError("no such angle")
        return super().make(index)


class UnevenMaker(NoiseMaker):
    """Even samples take longer than odd ones, so that workers finish out of order."""

    def make(self, index: int) -> Sample:
        time.sleep(0.03 if index % 2 == 0 else 0.0)
        return super().make(index)


class ThreadCountMaker(NoiseMaker):
    """Tells in meta what its process may use."""

    def make(self, index: int) -> Sample:
        sample = super().make(index)
        names = ("LP_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        sample.meta.update({name: os.environ.get(name) for name in names}, pid=os.getpid())
        return sample


def no_maker(settings: SynthSettings) -> NoiseMaker:
    raise AssetError("the pack is damaged; make it again")
