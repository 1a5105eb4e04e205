"""A suite of made heads and methods that know the truth, for the runner: workers import them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.benchmark.methods import MethodMaker, MethodSetup
from engine.benchmark.predictors import Prediction, SampleSight
from engine.benchmark.regions import head_regions
from engine.benchmark.types import BenchSample, PredictedFace, SuiteSettings, Truth, TruthMesh
from engine.benchmark.work import WorkSettings
from engine.errors import AssetError, CaptureError
from engine.flame.landmarks import landmarks68
from engine.flame.model import HeadModel, load_head_model
from engine.io.assets import asset_path
from engine.types import F64, Frame

__all__ = ["OFF_PX", "KnowingMaker", "MadeSuite", "made_work", "open_made"]

OFF_PX = 3.0
"""By which the method "off" misses every landmark."""


@dataclass(frozen=True)
class MadeSample:
    """The head model's mean head, made larger with the index; one of them is a damaged picture."""

    index: int
    model: HeadModel

    box = None

    @property
    def sample_id(self) -> str:
        return f"made {self.index}"

    @property
    def subject(self) -> str:
        return f"person {self.index % 2}"

    @property
    def group(self) -> str:
        return ("even", "odd")[self.index % 2]

    @property
    def vertices(self) -> F64:
        return self.model.v_template.astype(np.float64) * (1 + 0.01 * self.index)

    def load(self) -> Frame:
        if self.index == 3:
            raise CaptureError("made 3 is damaged; copy it again")
        return Frame(np.full((64, 64, 3), 40 * self.index, np.uint8), self.index, 0)

    def truth(self) -> Truth:
        marks = landmarks68(self.model, self.vertices.astype(np.float32), 0.0).astype(np.float64)
        mesh = TruthMesh(
            self.vertices,
            self.model.faces,
            head_regions(self.model),
            landmarks68=marks,
            model_id=self.model.model_id,
        )
        return Truth(mesh, 32 + 200 * marks[:, :2])


class MadeSuite:
    """Some made heads."""

    name, title, neutral, licence = "synthetic", "made heads", False, "none needed"
    kind = "mesh"

    def __init__(self, n: int) -> None:
        self._n = n

    def samples(self) -> Sequence[BenchSample]:
        model = load_head_model(asset_path("openhead.npz"))
        return [MadeSample(k, model) for k in range(self._n)]

    def problems(self) -> list[str]:
        return []

    def close(self) -> None:
        pass


class MissingSuite(MadeSuite):
    """A data set that is not there."""

    name, title, kind = "300w", "300-W", "landmarks"

    def problems(self) -> list[str]:
        return ["no folder; 300-W is to be had elsewhere"]


def open_made(settings: SuiteSettings) -> MadeSuite:
    return MissingSuite(0) if settings.suite == "300w" else MadeSuite(settings.n_samples)


class _Knowing:
    """Gives the truth, changed by name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def predict(self, sight: SampleSight) -> Prediction | None:
        mesh, marks = sight.truth.mesh, sight.truth.landmarks68_px
        if self._name == "blind":
            return None
        if self._name == "broken" and sight.frame.index == 1:
            raise ZeroDivisionError("made to fail")
        if self._name == "off":
            marks = marks + np.array([OFF_PX, 0.0])
        model_id = "other" * 12 if self._name == "foreign" else mesh.model_id
        face = PredictedFace(
            mesh.vertices, mesh.faces, mesh.regions, mesh.landmarks68, marks, model_id
        )
        return Prediction(face, {"crop": 1.0, "fit": 2.0})

    def close(self) -> None:
        pass


class KnowingMaker(MethodMaker):
    """Methods that give the truth."""

    def make(self, name: str, *, neutral: bool = False, boxed: bool = False) -> _Knowing:
        if name == "absent":
            raise AssetError("needs checkpoint: absent.pt, from nowhere, licence: none")
        return _Knowing(name)

    def identity(self, name: str) -> str:
        return ""


def made_work(n: int, *, alignment: str = "A", suites: tuple[str, ...] = ("synthetic",)):
    """Settings of a run over n made heads."""
    each = tuple(SuiteSettings(name, n_samples=n, data=Path("nowhere")) for name in suites)
    return WorkSettings(each, MethodSetup(), alignment, False, open_made, methods=KnowingMaker)
