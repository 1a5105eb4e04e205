"""Runner: every method on every sample of some suites, in processes here or on many machines.

Whatever is done is on disk at once: a run that was broken off goes on when called again.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.benchmark.machine import describe_machine, describe_program
from engine.benchmark.methods import MethodMaker
from engine.benchmark.rows import Row, RowFile
from engine.benchmark.types import BenchSample, PredictedFace, Suite
from engine.benchmark.work import SampleTask, Scored, WorkSettings, do_task, make_worker
from engine.errors import EngineError, OutputError
from engine.files import replacing
from engine.synth.workers import Pool, WorkerPool, cpu_count

__all__ = [
    "BenchRun",
    "BenchSettings",
    "Progress",
    "SuiteRun",
    "error_file",
    "kept_face",
    "run_bench",
]

logger = logging.getLogger(__name__)

_ORDER_SEED = 0
"""Of the order in which a limit takes samples: a larger one adds to a smaller one's."""

_KEPT_OF_FACES = ("vertices", "faces", "landmarks68", "landmarks68_px", "R")


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """One run."""

    work: WorkSettings
    methods: tuple[str, ...]
    out: Path
    limit: int | None = None  # samples of each suite; None: all
    jobs: int | None = None  # processes; None: one for each processor, or all of a cluster's
    ray_address: str | None = None  # of a cluster that does the work


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, in pairs of sample and method."""

    n: int
    n_kept: int  # of an earlier run
    n_done: int  # in this one


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One suite of a run."""

    name: str
    title: str
    kind: str
    licence: str
    problems: tuple[str, ...]
    n: int  # samples there are
    indices: tuple[int, ...]  # of those that were taken
    sample_ids: tuple[str, ...]  # of the same


@dataclass(frozen=True, slots=True)
class BenchRun:
    """What came of it."""

    suites: tuple[SuiteRun, ...]
    obstacles: dict[str, str]  # of each method; empty: it ran
    rows: tuple[Row, ...]  # of these suites' samples and methods
    record: dict[str, Any]  # what run.json says

    @property
    def problems(self) -> list[str]:
        """What is missing or could not run, each named."""
        missing = [f"{suite.name}: {p}" for suite in self.suites for p in suite.problems]
        return missing + [f"{name}: {why}" for name, why in self.obstacles.items() if why]


def run_bench(
    settings: BenchSettings, progress: Callable[[Progress], None] = lambda progress: None
) -> BenchRun:
    """Run what has no row yet; OUT/rows.csv, OUT/run.json and OUT/errors are up to date after it.

    Raises: OutputError: if the folder cannot be written or holds a run with other settings.
        AssetError: if the head model cannot be used. EngineError: if a worker died.
    """
    maker = settings.work.methods(settings.work.setup)
    obstacles = {name: maker.obstacle(name) for name in settings.methods}
    usable = tuple(name for name, why in obstacles.items() if not why)
    suites = [_opened(settings, s.suite) for s in settings.work.suites]
    record = _record(settings, maker, suites, obstacles)
    _refuse_others(settings.out, record)
    _write_record(settings.out, record)
    file = RowFile(settings.out / "rows.csv")
    tasks = [task for suite in suites for task in _tasks(suite, usable, file)]
    n = sum(len(suite.indices) for suite in suites) * len(usable)
    n_todo = sum(len(task.methods) for task in tasks)
    progress(Progress(n, n - n_todo, 0))
    if tasks:
        with closing(_pool(settings, len(tasks))) as pool:
            _work_off(settings, pool, deque(tasks), file, Progress(n, n - n_todo, 0), progress)
    keys = [(s.name, i, m) for s in suites for i in s.sample_ids for m in settings.methods]
    file.sort({key: number for number, key in enumerate(keys)})
    wanted = set(keys)
    rows = tuple(row for row in file.rows if row.key in wanted)
    return BenchRun(tuple(suites), obstacles, rows, record)


def error_file(out: Path, suite: str, method: str, index: int) -> Path:
    """Where the errors of each true vertex are, (V,) f32, mm, NaN where not scored."""
    return out / "errors" / suite / method / f"{index:06d}.npy"


def kept_face(out: Path, suite: str, method: str, index: int) -> PredictedFace | None:
    """The face of a method that takes seconds, as far as pictures need it; None: not kept."""
    path = _face_file(out, suite, method, index)
    if not path.exists():
        return None
    with np.load(path) as arrays:
        return PredictedFace(regions={}, **arrays)


def _face_file(out: Path, suite: str, method: str, index: int) -> Path:
    return out / "faces" / suite / method / f"{index:06d}.npz"


def _opened(settings: BenchSettings, name: str) -> SuiteRun:
    """What a suite has. One that cannot even be opened has a problem and no samples."""
    try:
        suite = settings.work.opened(name)
    except EngineError as error:
        return SuiteRun(name, name, "mesh", "", (str(error),), 0, (), ())
    try:
        problems, samples = suite.problems(), suite.samples()
        return _suite_run(suite, problems, samples, settings.limit)
    finally:
        suite.close()


def _suite_run(
    suite: Suite, problems: list[str], samples: Sequence[BenchSample], limit: int | None
) -> SuiteRun:
    order = np.random.default_rng(_ORDER_SEED).permutation(len(samples))
    indices = tuple(sorted(order[:limit].tolist()))
    ids = tuple(samples[i].sample_id for i in indices)
    if not samples and not problems:
        problems = ["it has no samples"]
    return SuiteRun(
        suite.name, suite.title, suite.kind, suite.licence, tuple(problems), len(samples),
        indices, ids,
    )  # fmt: skip


def _tasks(suite: SuiteRun, methods: tuple[str, ...], file: RowFile) -> list[SampleTask]:
    tasks = []
    for index, sample_id in zip(suite.indices, suite.sample_ids, strict=True):
        missing = tuple(m for m in methods if (suite.name, sample_id, m) not in file)
        if missing:
            tasks.append(SampleTask(suite.name, index, missing))
    return tasks


def _pool(settings: BenchSettings, n_tasks: int) -> Pool:
    if settings.ray_address is not None:
        from engine.synth.ray_pool import RayPool  # an extra, and slow to load

        return RayPool(
            settings.ray_address, settings.jobs, n_tasks, settings.work, make_worker, do_task
        )
    n = min(settings.jobs or cpu_count(), n_tasks)
    return WorkerPool(n, settings.work, make_worker, do_task)


def _work_off(
    settings: BenchSettings,
    pool: Pool,
    todo: deque[SampleTask],
    file: RowFile,
    start: Progress,
    progress: Callable[[Progress], None],
) -> None:
    n_running, n_done, partly = 0, 0, dict[str, int]()
    while todo or n_running:
        while todo and pool.n_idle:
            pool.submit(todo.popleft())
            n_running += 1
        for message in pool.wait(1.0):
            if message.kind == "progress":
                partly[str(message.task)] = message.value
                continue
            partly.pop(str(message.task), None)
            _keep(settings.out, message.task, message.value, file)
            n_running -= 1
            n_done += len(message.task.methods)
        progress(Progress(start.n, start.n_kept, n_done + sum(partly.values())))


def _keep(out: Path, task: SampleTask, scored: list[Scored], file: RowFile) -> None:
    for one in scored:
        if one.errors_mm is not None:
            with replacing(error_file(out, task.suite, one.row.method, task.index)) as temporary:
                np.save(temporary, one.errors_mm)
        if one.face is not None:
            arrays = {name: getattr(one.face, name) for name in _KEPT_OF_FACES}
            path = _face_file(out, task.suite, one.row.method, task.index)
            with replacing(path) as temporary:
                np.savez(temporary, **{k: v for k, v in arrays.items() if v is not None})
    file.add(one.row for one in scored)


def _record(
    settings: BenchSettings,
    maker: MethodMaker,
    suites: list[SuiteRun],
    obstacles: dict[str, str],
) -> dict[str, Any]:
    """All that the figures depend on, and what they were made with."""
    work = settings.work
    return {
        "settings": {
            "suites": {s.suite: s.to_dict() for s in work.suites},
            "methods": list(settings.methods),
            "limit": settings.limit,
            "alignment": work.alignment,
            "facescape": work.facescape,
            "setup": work.setup.to_dict(),
            "pack": None if work.pack is None else str(work.pack),
        },
        "head_model": {"name": maker.model.name, "model_id": maker.model.model_id},
        "files": {n: maker.identity(n) for n, why in obstacles.items() if not why},
        "obstacles": {name: why for name, why in obstacles.items() if why},
        "suites": {
            s.name: {"n": s.n, "taken": len(s.indices), "problems": list(s.problems)}
            for s in suites
        },
        "jobs": settings.jobs or cpu_count(),
        "ray": settings.ray_address,
        "program": describe_program(),
        "machine": describe_machine(),
    }


def _refuse_others(out: Path, record: dict[str, Any]) -> None:
    """Rows of other settings must not stand beside these. More methods or samples may."""
    path = out / "run.json"
    if not (out / "rows.csv").exists() or not path.exists():
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        told = list(_differences(before, record))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path} cannot be read ({error}); choose another folder") from error
    if told:
        raise OutputError(
            f"{out} holds a benchmark with other settings ({'; '.join(told)}); choose another "
            "folder with --out, or the same settings to go on"
        )


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    pairs: dict[str, tuple[Any, Any]] = {
        "head model": (before["head_model"]["model_id"], now["head_model"]["model_id"])
    }
    for name in ("alignment", "facescape", "pack"):
        pairs[name] = (before["settings"][name], now["settings"][name])
    for part, then, today in (
        ("suite", before["settings"]["suites"], now["settings"]["suites"]),
        ("files of", before["files"], now["files"]),
    ):
        for name in then.keys() & today.keys():
            pairs[f"{part} {name}"] = _comparable(then[name]), _comparable(today[name])
    return [f"{k}: {a} there, {b} asked for" for k, (a, b) in sorted(pairs.items()) if a != b]


def _comparable(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """Without what may differ: how many samples are made changes none of them."""
    if isinstance(value, dict):
        return {key: v for key, v in value.items() if key not in ("n_samples", "cache")}
    return value


def _write_record(out: Path, record: dict[str, Any]) -> None:
    with replacing(out / "run.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
