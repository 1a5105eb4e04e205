"""Methods for tests of comparisons: heads of one triangle, at once or never, here or elsewhere."""

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from engine.compare.difference import Difference, MeshDifference
from engine.compare.fit_cache import FitCache
from engine.compare.offline_side import OfflineSide
from engine.compare.side_fit import SideFit, Step
from engine.compare.ways import OnStep, SideSetup
from engine.errors import EngineError
from engine.types import Frame, Reconstruction
from tests.live_fakes import FakeFitter, triangle_head, triangle_model

N_STEPS = 4
IDENTITY = "slow|settings|model"
APART_M = 0.002
"""How far the fake optimiser's heads are from those of FakeFitter, along x."""


def steps(n_iterations: int = 0) -> tuple[Step, ...]:
    return tuple(
        Step(i, 0.1 * i, 8.0 / 2**i, {"normals": 6.0 / 2**i, "lmks": 2.0 / 2**i}, n_iterations)
        for i in range(N_STEPS)
    )


def told_steps() -> tuple[Step, ...]:
    """The same as they are told while it computes."""
    return steps(N_STEPS)


class FakeOptimiser(FakeFitter):
    """Gives a head with one corner moved, and its curve."""

    def __init__(self, setup: SideSetup, on_step: OnStep) -> None:
        super().__init__()
        self._on_step = on_step
        self.last: SimpleNamespace | None = None

    def run_all(self, frame: Frame) -> list[Reconstruction]:
        for step in steps():
            self._on_step(step, N_STEPS)
        self.last = SimpleNamespace(curve=steps())
        return [moved_head(frame)]


class PickyOptimiser(FakeOptimiser):
    """Fails at frame 1, and only there."""

    def run_all(self, frame: Frame) -> list[Reconstruction]:
        if frame.index == 1:
            raise EngineError("the normals are all zero; use another picture")
        return super().run_all(frame)


class EndlessOptimiser(FakeOptimiser):
    """Never gets beyond its first step."""

    def run_all(self, frame: Frame) -> list[Reconstruction]:
        self._on_step(steps()[0], N_STEPS)
        threading.Event().wait()
        return []


class UnusableOptimiser(FakeOptimiser):
    """Lacks something."""

    def __init__(self, setup: SideSetup, on_step: OnStep) -> None:
        raise EngineError("weights.npz does not exist; train it first")


class DyingOptimiser(FakeOptimiser):
    """Takes its process with it."""

    def run_all(self, frame: Frame) -> list[Reconstruction]:
        import os

        os._exit(7)


def moved_head(frame: Frame) -> Reconstruction:
    """The triangle with its first corner elsewhere."""
    head = triangle_head(frame)
    vertices = head.vertices.copy()
    vertices[0, 0] -= APART_M
    return replace(head, vertices=vertices, normal_residual_deg=7.5)


def slow_side(make: object, cache_folder: Path | None = None) -> OfflineSide:
    """An offline side of a fake; with a folder, what it fits is kept there."""
    cache = FitCache(cache_folder) if cache_folder is not None else None
    return OfflineSide(SideSetup("slow"), IDENTITY, cache, make)


def no_face(seconds: float = 0.5) -> SideFit:
    return SideFit(None, seconds)


def triangle_difference(left: Reconstruction, right: Reconstruction) -> Difference:
    return MeshDifference(triangle_model())(left, right)


def noisy_frame(index: int, seed: int = 0) -> Frame:
    """48 x 64, no two alike."""
    noise = np.random.default_rng(1000 * seed + index).integers(0, 256, (48, 64, 3))
    return Frame(noise.astype(np.uint8), index, index * 40_000_000)
