"""SampleStream: samples made while they are used, in the order of their index, without a disk."""

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from engine.errors import EngineError
from engine.synth.sample import Sample
from engine.synth.settings import SynthSettings
from engine.synth.workers import (
    MakeMaker,
    Maker,
    Report,
    WorkerPool,
    cpu_count,
    default_maker,
)

__all__ = ["SampleStream"]

_AHEAD: Final = 4
"""Samples for each worker that may wait for an earlier one: their times differ a few times over."""
_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class _SampleTask:
    index: int

    def __str__(self) -> str:
        return f"sample {self.index}"


class SampleStream:
    """Endless samples start_index, start_index + 1, ..., the same for any number of workers.

    A thread of this process feeds the workers. Use as a context manager, or `close`.
    """

    def __init__(
        self,
        settings: SynthSettings,
        workers: int | None = None,
        start_index: int = 0,
        *,
        n_ready: int = 64,
        make_maker: MakeMaker = default_maker,
    ) -> None:
        """Start making.

        Args:
            settings: of the samples.
            workers: processes. None: one for each processor.
            start_index: of the first sample.
            n_ready: most finished samples to hold; then the workers rest.
            make_maker: what makes the samples; a top-level function or class.
        """
        n_workers = workers if workers is not None else cpu_count()
        for name, value in (("workers", n_workers), ("n_ready", n_ready)):
            if value < 1:
                raise ValueError(f"{name} {value}, expected at least 1")
        if start_index < 0:
            raise ValueError(f"start_index {start_index}, expected at least 0")
        self._window = _AHEAD * n_workers
        self._ready: queue.Queue[Sample | EngineError] = queue.Queue(n_ready)
        self._stopped = threading.Event()
        self._pool = WorkerPool(n_workers, settings, make_maker, _make_sample)
        self._feeder = threading.Thread(
            target=self._feed, args=(start_index,), name="sample-stream", daemon=True
        )
        self._feeder.start()

    def __iter__(self) -> Iterator[Sample]:
        return self

    def __next__(self) -> Sample:
        """The next sample, when it is made.

        Raises: EngineError: if making it failed; the stream ends there. StopIteration: when closed.
        """
        while not self._stopped.is_set():
            if (sample := self.poll()) is not None:
                return sample
        raise StopIteration

    def poll(self, timeout_s: float = _POLL_S) -> Sample | None:
        """The next sample; None if it is not made in this time, or the stream is closed.

        Raises: EngineError: if making it failed; the stream ends there.
        """
        if self._stopped.is_set():
            return None
        try:
            item = self._ready.get(timeout=timeout_s)
        except queue.Empty:
            if not self._feeder.is_alive() and self._ready.empty():
                self.close()
                raise EngineError("the samples' feeder died; its traceback is above") from None
            return None
        if isinstance(item, EngineError):
            self.close()
            raise item
        return item

    def close(self) -> None:
        """End workers and thread; samples not taken yet are lost. May be called twice."""
        self._stopped.set()
        self._feeder.join()
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _feed(self, start: int) -> None:
        to_give = to_pass = start
        made: dict[int, Sample] = {}  # ahead of their turn
        try:
            while not self._stopped.is_set():
                while self._pool.n_idle and to_give < to_pass + self._window:
                    self._pool.submit(_SampleTask(to_give))
                    to_give += 1
                for message in self._pool.wait(_POLL_S):
                    made[message.task.index] = message.value
                while to_pass in made:
                    self._pass_on(made.pop(to_pass))
                    to_pass += 1
        except EngineError as error:  # told where the samples are taken, after those before it
            self._pass_on(error)

    def _pass_on(self, item: Sample | EngineError) -> None:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._ready.put(item, timeout=_POLL_S)
                return


def _make_sample(maker: Maker, task: _SampleTask, report: Report) -> Sample:
    return maker.make(task.index)
