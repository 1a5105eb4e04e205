"""A benchmark's work, one sample at a time, as a worker process does it.

Suites and methods are built once in each worker; a sample's failure is a row, not an error.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.benchmark.methods import SLOW_METHODS, MethodMaker, MethodSetup
from engine.benchmark.predictors import Prediction, Predictor, SampleSight
from engine.benchmark.rows import Row, Status
from engine.benchmark.scoring import Scorer
from engine.benchmark.types import (
    Alignment,
    BenchSample,
    PredictedFace,
    Suite,
    SuiteSettings,
    Truth,
)
from engine.errors import EngineError, ModelContractError
from engine.flame.model import HeadModel
from engine.types import F32

__all__ = ["BenchWorker", "SampleTask", "Scored", "WorkSettings", "do_task", "make_worker"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkSettings:
    """What a worker is built from; can be pickled."""

    suites: tuple[SuiteSettings, ...]
    setup: MethodSetup
    alignment: Alignment
    facescape: bool
    open_suite: Callable[[SuiteSettings], Suite]  # a top-level function
    pack: Path | None = None  # of the synthetic suite; on other machines, where it lies there
    methods: Callable[[MethodSetup], MethodMaker] = MethodMaker

    def opened(self, name: str) -> Suite:
        """The suite of that name. Raises: EngineError."""
        settings = next(s for s in self.suites if s.suite == name)
        if settings.pack is not None:
            settings = replace(settings, pack=self.pack)
        return self.open_suite(settings)


@dataclass(frozen=True, slots=True)
class SampleTask:
    """A sample, and the methods that have not seen it yet."""

    suite: str
    index: int  # in the suite
    methods: tuple[str, ...]

    def __str__(self) -> str:
        return f"sample {self.index} of {self.suite}"


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A row, each true vertex' error where there is one, and a face that is worth keeping."""

    row: Row
    errors_mm: F32 | None = None
    face: PredictedFace | None = None  # of methods that take seconds


def make_worker(settings: WorkSettings) -> "BenchWorker":
    """For pools of workers, which import it by name."""
    return BenchWorker(settings)


def do_task(worker: "BenchWorker", task: SampleTask, report: Callable[[int], None]) -> list[Scored]:
    """For pools of workers."""
    return worker.run(task, report)


class BenchWorker:
    """Runs methods on samples and scores them."""

    def __init__(self, settings: WorkSettings) -> None:
        self._settings = settings
        self._maker = settings.methods(settings.setup)
        self._suites: dict[str, tuple[Suite, Sequence[BenchSample]]] = {}
        self._predictors: dict[tuple[str, bool, bool], Predictor] = {}

    def run(self, task: SampleTask, report: Callable[[int], None]) -> list[Scored]:
        """A row for each method of the task, in its order."""
        suite, samples = self._suite(task.suite)
        sample = samples[task.index]
        try:
            sight = SampleSight(sample.load(), sample.truth(), sample.box)
        except EngineError as error:
            return [Scored(_row(suite, sample, name, "error", str(error))) for name in task.methods]
        scorer = Scorer(suite.kind, self._settings.alignment, self._settings.facescape)
        done = []
        for number, name in enumerate(task.methods, start=1):
            done.append(self._scored(suite, sample, name, sight, scorer))
            report(number)
        return done

    def close(self) -> None:
        """Free what methods and suites hold."""
        for predictor in self._predictors.values():
            predictor.close()
        for suite, _ in self._suites.values():
            suite.close()

    @property
    def model(self) -> HeadModel:
        """The head model that all methods fit."""
        return self._maker.model

    def truth(self, suite: str, index: int) -> Truth:
        """What is known of a sample. Raises: EngineError."""
        return self._suite(suite)[1][index].truth()

    def look(
        self, suite: str, index: int, method: str, kept: PredictedFace | None
    ) -> tuple[SampleSight, PredictedFace | None]:
        """A sample again, and the face that a method finds in it, if it was not kept.

        Raises: EngineError.
        """
        opened, samples = self._suite(suite)
        sample = samples[index]
        sight = SampleSight(sample.load(), sample.truth(), sample.box)
        if kept is not None:
            return sight, kept
        found = self.predictor(opened, method, sight).predict(sight)
        return sight, None if found is None else found.face

    def _suite(self, name: str) -> tuple[Suite, Sequence[BenchSample]]:
        if name not in self._suites:
            suite = self._settings.opened(name)
            self._suites[name] = suite, suite.samples()
        return self._suites[name]

    def _scored(
        self, suite: Suite, sample: BenchSample, name: str, sight: SampleSight, scorer: Scorer
    ) -> Scored:
        try:
            predictor = self.predictor(suite, name, sight)
            start = time.perf_counter()
            found = predictor.predict(sight)
            ms = 1e3 * (time.perf_counter() - start)
        except Exception as error:  # one sample's trouble must not stop the others
            logger.debug("%s of %s", name, sample.sample_id, exc_info=True)
            self._predictors.clear()  # in what state they are nobody knows
            kind = "" if isinstance(error, EngineError) else f"{type(error).__name__}: "
            return Scored(_row(suite, sample, name, "error", f"{kind}{error}"))
        if found is None:
            return Scored(_row(suite, sample, name, "no-face", "no face found", ms))
        return self._measured(suite, sample, name, found, sight.truth, scorer, ms)

    def predictor(self, suite: Suite, name: str, sight: SampleSight) -> Predictor:
        """Made when first needed, and warmed up: the first run takes some milliseconds longer."""
        key = (name, suite.neutral, sight.box is not None)
        if key not in self._predictors:
            made = self._maker.make(name, neutral=suite.neutral, boxed=sight.box is not None)
            if name not in SLOW_METHODS:
                made.predict(sight)
            self._predictors[key] = made
        return self._predictors[key]

    def _measured(
        self,
        suite: Suite,
        sample: BenchSample,
        name: str,
        found: Prediction,
        truth: Truth,
        scorer: Scorer,
        ms: float,
    ) -> Scored:
        model_id = found.face.model_id or ""
        if model_id and model_id != self._maker.model.model_id:
            raise ModelContractError(
                f"{name} gave a face of head model {model_id[:12]}, but the table is of "
                f"{self._maker.model.name} ({self._maker.model.model_id[:12]}); run each head "
                "model by itself with --model"
            )
        row = _row(suite, sample, name, "ok", "", ms, model_id=model_id, stage_ms=found.stage_ms)
        try:
            score = scorer(truth, found.face)
        except EngineError as error:
            return Scored(replace(row, status="not-scored", message=str(error)))
        values = {key: value for key, value in score.values.items() if np.isfinite(value)}
        scored = replace(row, values=values, warnings="; ".join(score.warnings))
        face = found.face if name in SLOW_METHODS else None
        return Scored(scored, score.errors_mm, face)


def _row(
    suite: Suite,
    sample: BenchSample,
    method: str,
    status: Status,
    message: str,
    ms: float | None = None,
    *,
    model_id: str = "",
    stage_ms: Mapping[str, float] | None = None,
) -> Row:
    return Row(
        suite.name, sample.sample_id, method, sample.group, sample.subject, status,
        " ".join(message.split()), model_id=model_id, ms=ms, stage_ms=stage_ms or {},
    )  # fmt: skip
