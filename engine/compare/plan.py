"""What is compared on which frames: checked once, then opened where it is used."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from engine.batch_plan import program_version
from engine.compare.fit_cache import FitCache
from engine.compare.fitters import make_live_fitter, make_offline_fitter
from engine.compare.offline_side import OfflineSide
from engine.compare.report import Cell
from engine.compare.sides import LiveSide, Side
from engine.compare.ways import SideSetup, identity_of, is_offline, why_not
from engine.errors import EngineError
from engine.flame.model import HeadModel
from engine.io.image import ImageSource
from engine.io.source import Source
from engine.methods import network_identity
from engine.normal_choice import NormalChoice
from engine.source_factory import open_source
from engine.stages.normal_estimator import NormalEstimator

__all__ = ["DEFAULT_METHODS", "WITHOUT_OFFLINE", "Plan", "check_plan"]

DEFAULT_METHODS: Final = ("pixel3dmm", "n2fnet-refined")
WITHOUT_OFFLINE: Final = ("n2fnet", "n2fnet-refined")
"""Where the optimiser cannot be used."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Two methods, a source, and which of its frames."""

    spec: str  # of the source, as for `open_source`
    setups: tuple[SideSetup, SideSetup]  # left and right, of one head model and normal network
    model: HeadModel
    normals: NormalChoice
    every: int | None = None  # as for `chosen_frames`
    at_most: int | None = None  # same
    top_mm: float = 5.0  # where the error map's colours end
    whole: bool = False  # films and pictures show whole frames, not only the face
    cached: bool = True  # fits of offline methods are kept and looked up

    @property
    def methods(self) -> tuple[str, str]:
        return self.setups[0].method, self.setups[1].method

    @property
    def offline(self) -> tuple[bool, bool]:
        """Whether each side is far from real time."""
        return is_offline(self.methods[0]), is_offline(self.methods[1])

    def open_source(self) -> Source:
        """Raises: CaptureError, AssetError."""
        return open_source(self.spec, self.model)

    def open_sides(self, source: Source) -> tuple[Side, Side]:
        """Left and right, for the calling thread, which closes them.

        Raises: EngineError: if a network cannot be loaded.
        """
        estimator = None if all(self.offline) else self.normals.load()
        tracking = not isinstance(source, ImageSource)
        with ExitStack() as opened:
            left = self._open(self.setups[0], estimator, tracking)
            opened.callback(left.close)
            right = self._open(self.setups[1], estimator, tracking)
            opened.pop_all()
        return left, right

    def _open(self, setup: SideSetup, estimator: NormalEstimator | None, tracking: bool) -> Side:
        if is_offline(setup.method):
            identity = identity_of(setup, self.model, self.normals)
            return OfflineSide(
                setup, identity, FitCache() if self.cached else None, make_offline_fitter
            )
        fitter = make_live_fitter(setup, self.model, estimator, tracking=tracking)
        return LiveSide(setup.method, fitter)

    def settings(self) -> dict[str, Cell]:
        """For records."""
        cells: dict[str, Cell] = {
            "input": self.spec,
            "version": program_version(),
            "model_id": self.model.model_id,
            "normals": self.normals.identity,
            "every": self.every,
            "frames": self.at_most,
            "scale_mm": self.top_mm,
        }
        for name, setup in zip(("left", "right"), self.setups, strict=True):
            if is_offline(setup.method):
                cells[f"{name}_identity"] = identity_of(setup, self.model, self.normals)
            else:
                cells[f"{name}_network"] = network_identity(setup.method, setup.n2fnet)
        return cells


def check_plan(plan: Plan) -> None:
    """Raises: EngineError: if one of the methods cannot be used here, saying why."""
    for setup in plan.setups:
        if reason := why_not(setup, plan.model, plan.normals):
            raise EngineError(
                f"method {setup.method} cannot be used: {reason}. Choose two others with --methods"
            )
