"""Worker processes that each build one sample maker and do one task at a time with it."""

import logging
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from engine.errors import EngineError
from engine.synth.sample import Sample
from engine.synth.settings import SynthSettings

__all__ = [
    "WORKER_ENVIRONMENT",
    "Job",
    "MakeMaker",
    "Maker",
    "Message",
    "Pool",
    "PoolSettings",
    "Report",
    "WorkerPool",
    "cpu_count",
    "default_maker",
    "describe",
    "failure",
]

logger = logging.getLogger(__name__)

WORKER_ENVIRONMENT: Final = {
    "LP_NUM_THREADS": "1",  # Mesa's software renderer
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""One thread for each worker: there are as many workers as processors. Read when libraries load."""


class Maker(Protocol):
    """Makes samples; equal settings and index give equal samples."""

    def make(self, index: int) -> Sample: ...
    def close(self) -> None: ...


MakeMaker = Callable[[Any], Any]
"""From settings to a `Maker`, or whatever else a job works with and `close` frees; a top-level
function or class: workers import it by name."""
Report = Callable[[int], None]
"""Told the number of samples of the task that are done."""
Job = Callable[[Any, Any, Report], Any]
"""What a worker does with a task: top-level, result and task can be pickled. A task's str() names
it in messages."""


class PoolSettings(Protocol):
    """What makers are built from: a dataclass that can be pickled."""

    @property
    def pack(self) -> Path | None:
        """A file that workers on other machines are sent."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """What a worker says of its task."""

    task: Any
    kind: Literal["progress", "result"]
    value: Any  # progress: samples done; result: what the job returned


class Pool(Protocol):
    """Workers, here or elsewhere."""

    @property
    def n_idle(self) -> int: ...
    def submit(self, task: object) -> None: ...
    def wait(self, timeout_s: float) -> list[Message]: ...
    def close(self) -> None: ...


def default_maker(settings: SynthSettings) -> Maker:
    """The engine's own."""
    from engine.synth.engine import SampleMaker  # loads GL, MediaPipe and the pack: in workers only

    return SampleMaker(settings)


def cpu_count() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def failure(task: object, kind: type[EngineError] | None, text: str) -> EngineError:
    """What to raise for an error in a worker.

    Args:
        kind: the error's type if it was one of ours.
        text: its message, of a foreign one with its type.
    """
    if kind is not None:
        return kind(f"{task}: {text}")
    return EngineError(f"{task} cannot be made: {text}; see where with n2f --verbose")


def describe(error: Exception) -> tuple[type[EngineError] | None, str, str]:
    """An error as it is sent to the parent: for `failure`, and its traceback."""
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, EngineError):
        return type(error), str(error), trace
    return None, f"{type(error).__name__}: {error}", trace


class WorkerPool:
    """Processes of this machine. Used by one thread; after an error it can only be closed."""

    def __init__(self, n: int, settings: PoolSettings, make_maker: MakeMaker, job: Job) -> None:
        self._workers: list[_Worker] = []
        context = get_context("spawn")  # fork would copy GL, MediaPipe's threads and locks
        try:
            with _worker_environment():
                for _ in range(n):
                    ours, theirs = context.Pipe()
                    process = context.Process(
                        target=_work, args=(theirs, settings, make_maker, job), daemon=True
                    )
                    process.start()
                    theirs.close()  # so that a worker's death ends the pipe
                    self._workers.append(_Worker(process, ours))
        except BaseException:
            self.close()
            raise

    @property
    def n_idle(self) -> int:
        """Workers without a task."""
        return sum(worker.task is None for worker in self._workers)

    def submit(self, task: object) -> None:
        """Give a task to an idle worker; there must be one."""
        worker = next(w for w in self._workers if w.task is None)
        worker.task = task
        with suppress(OSError):  # dead: `wait` will tell
            worker.pipe.send(task)

    def wait(self, timeout_s: float) -> list[Message]:
        """What the workers have to say; nothing if that takes longer than timeout_s.

        Raises: EngineError: if a task failed or its process died, naming the task.
        """
        busy = {w.pipe: w for w in self._workers if w.task is not None}
        return [busy[pipe].read() for pipe in wait(list(busy), timeout_s)]  # type: ignore[index]

    def close(self) -> None:
        """End the processes; what they were at is lost."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
            worker.process.close()
            worker.pipe.close()
        self._workers.clear()


class _Worker:
    """A process as its parent sees it."""

    def __init__(self, process: SpawnProcess, pipe: "Connection[Any, Any]") -> None:
        self.process = process
        self.pipe = pipe
        self.task: object | None = None

    def read(self) -> Message:
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError):
            raise EngineError(self._death()) from None
        task = self.task
        if kind == "error":
            kind_of_error, text, trace = value
            logger.debug("%s failed:\n%s", task, trace)
            raise failure(task, kind_of_error, text)
        if kind == "result":
            self.task = None
        return Message(task, kind, value)

    def _death(self) -> str:
        self.process.join(5.0)
        code = self.process.exitcode
        why = f"exit code {code}"
        if code is not None and code < 0:
            with suppress(ValueError):
                why = f"signal {signal.Signals(-code).name}"
        return (
            f"the worker process that made {self.task} died ({why}); if memory ran out, use fewer "
            "workers; the same command goes on with what is finished"
        )


def _work(
    pipe: "Connection[Any, Any]", settings: PoolSettings, make_maker: MakeMaker, job: Job
) -> None:
    """A worker's life; it ends when the pipe does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            _serve(pipe, make_maker(settings), job)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # any: the parent tells it, and this process ends
            logger.debug("task failed", exc_info=True)
            pipe.send(("error", describe(error)))


def _serve(pipe: "Connection[Any, Any]", maker: Maker, job: Job) -> None:
    try:
        while True:
            task = pipe.recv()
            pipe.send(("result", job(maker, task, lambda n: pipe.send(("progress", n)))))
    finally:
        maker.close()


@contextmanager
def _worker_environment() -> Iterator[None]:
    """Processes started meanwhile have WORKER_ENVIRONMENT and leave Ctrl-C to their parent."""
    before = {name: os.environ.get(name) for name in WORKER_ENVIRONMENT}
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
    os.environ.update(WORKER_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if in_main:
            signal.signal(signal.SIGINT, signal.SIG_DFL if handler is None else handler)
