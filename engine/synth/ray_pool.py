"""Workers on the machines of a Ray cluster; the only import of Ray.

n2fnet must be installed on every machine, in this version. No shared disk: the pack's bytes go to
the workers, shards come back as bytes.
"""

import hashlib
import logging
import re
import socket
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from engine.errors import EngineError, ProviderError
from engine.files import replacing
from engine.synth.workers import (
    WORKER_ENVIRONMENT,
    Job,
    MakeMaker,
    Maker,
    Message,
    PoolSettings,
    describe,
    failure,
)

try:
    import ray
except ImportError as error:
    raise ProviderError(
        "Ray is not installed; install it with: pip install 'n2fnet[ray]', or work on this "
        "machine alone, without --ray"
    ) from error

__all__ = ["RayPool"]

logger = logging.getLogger(__name__)

_QUIET: Final = logging.WARNING
_ANSWER_S: Final = 5.0
_HOST_AND_PORT: Final = re.compile(r"(?:ray://)?(?P<host>[^/:]+):(?P<port>[0-9]+)")


class RayPool:
    """A `Pool` of Ray actors, each on one processor. Tells results, not progress within a task."""

    def __init__(
        self,
        address: str,
        n: int | None,
        n_tasks: int,
        settings: PoolSettings,
        make_maker: MakeMaker,
        job: Job,
    ) -> None:
        """Args:
        address: of the cluster; where this program is connected already, it stays so.
        n: actors. None: one for each processor of the cluster.
        n_tasks: more actors than this are not started.
        """
        self._connected_here = not ray.is_initialized()
        if self._connected_here:
            _connect(address)
        n = min(n or int(ray.cluster_resources().get("CPU", 1)), n_tasks)
        pack = None if settings.pack is None else ray.put(settings.pack.read_bytes())
        actor = ray.remote(_Actor).options(
            num_cpus=1, runtime_env={"env_vars": dict(WORKER_ENVIRONMENT)}
        )
        self._idle = [actor.remote(settings, pack, make_maker, job) for _ in range(n)]
        self._actors = list(self._idle)
        self._running: dict[Any, tuple[Any, object]] = {}  # result to come -> actor, task

    @property
    def n_idle(self) -> int:
        """Workers without a task."""
        return len(self._idle)

    def submit(self, task: object) -> None:
        """Give a task to an idle worker; there must be one."""
        actor = self._idle.pop()
        self._running[actor.run.remote(task)] = (actor, task)

    def wait(self, timeout_s: float) -> list[Message]:
        """Results; nothing if they take longer than timeout_s.

        Raises: EngineError: if a task failed or its worker died, naming the task.
        """
        ready, _ = ray.wait(list(self._running), num_returns=1, timeout=timeout_s)
        return [self._message(coming) for coming in ready]

    def close(self) -> None:
        """End the workers; what they were at is lost."""
        for actor in self._actors:
            ray.kill(actor)
        self._actors.clear()
        if self._connected_here:
            ray.shutdown()

    def _message(self, coming: Any) -> Message:  # noqa: ANN401  (Ray's reference)
        actor, task = self._running.pop(coming)
        try:
            value, error = ray.get(coming)
        except ray.exceptions.RayError as gone:
            logger.debug("%s", task, exc_info=True)
            raise EngineError(
                f"the Ray worker that made {task} died ({type(gone).__name__}); see Ray's log, "
                "n2fnet must be installed there; the same command goes on with what is finished"
            ) from gone
        if error is not None:
            kind, text, trace = error
            logger.debug("%s failed:\n%s", task, trace)
            raise failure(task, kind, text)
        self._idle.append(actor)
        return Message(task, "result", value)


class _Actor:
    """A worker's side. The maker is built with the first task, so that its errors name one."""

    def __init__(
        self, settings: PoolSettings, pack: bytes | None, make_maker: MakeMaker, job: Job
    ) -> None:
        self._settings = settings
        self._pack = pack
        self._make_maker = make_maker
        self._job = job
        self._maker: Maker | None = None

    def run(self, task: object) -> tuple[Any, Any]:
        """Returns: what the job gives, and None; or None and the error."""
        try:
            if self._maker is None:
                self._maker = self._make_maker(self._local_settings())
            return self._job(self._maker, task, lambda n_done: None), None
        except Exception as error:  # any: the driver tells it
            logger.debug("%s failed", task, exc_info=True)
            return None, describe(error)

    def _local_settings(self) -> PoolSettings:
        """With the pack in a file of this machine."""
        if self._pack is None:
            return self._settings
        name = f"n2fnet_pack_{hashlib.sha256(self._pack).hexdigest()}.npz"
        path = Path(tempfile.gettempdir()) / name
        if not path.exists() or path.read_bytes() != self._pack:
            with replacing(path) as temporary:
                temporary.write_bytes(self._pack)
        self._pack = None
        settings: PoolSettings = replace(self._settings, pack=path)  # type: ignore[type-var]
        return settings


def _connect(address: str) -> None:
    try:
        if (place := _HOST_AND_PORT.fullmatch(address)) is not None:
            # Ray itself would try for minutes.
            socket.create_connection((place["host"], int(place["port"])), _ANSWER_S).close()
        ray.init(address=address, log_to_driver=False, logging_level=_QUIET)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        raise ProviderError(
            f"no Ray cluster at {address!r}: {error}; start one with ray start --head, or use "
            "--ray local"
        ) from error
