"""An offline method as the program sees it: a process that fits, and a cache that remembers."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from engine.compare.fit_cache import FitCache, frame_key
from engine.compare.fit_process import Broken, MakeFitter, serve
from engine.compare.fitters import make_offline_fitter
from engine.compare.side_fit import SideFit, Step
from engine.compare.sides import Report
from engine.compare.ways import SideSetup
from engine.errors import EngineError, OutputError
from engine.types import Frame

__all__ = ["OfflineSide"]

logger = logging.getLogger(__name__)

_END_S = 5.0
"""A process that a polite request does not end within this is killed."""


class OfflineSide:
    """Fits frames in a process of its own, which starts with the first that is not in the cache."""

    offline = True

    def __init__(
        self,
        setup: SideSetup,
        identity: str,
        cache: FitCache | None,
        make_fitter: MakeFitter = make_offline_fitter,
    ) -> None:
        """Args:
        identity: of all that a fit depends on besides its frame.
        cache: None: every frame is fitted.
        """
        self.method = setup.method
        self._setup, self._identity, self._cache = setup, identity, cache
        self._make_fitter = make_fitter
        self._process: SpawnProcess | None = None
        self._pipe: Connection[Any, Any] | None = None
        self._frame: Frame | None = None
        self._ready: SideFit | None = None

    @property
    def busy(self) -> bool:
        return self._frame is not None

    @property
    def pipe(self) -> "Connection[Any, Any] | None":
        """Readable when `take` has something from the process; None while there is none."""
        return self._pipe

    def submit(self, frame: Frame) -> None:
        """Look in the cache, else send the frame to the process."""
        self._frame = frame
        if self._cache is not None:
            self._ready = self._cache.load(frame_key(frame, self._identity), frame)
        if self._ready is None:
            with suppress(OSError):  # dead: `take` will tell
                self._running().send(frame)

    def take(self, timeout_s: float | None = None) -> list[Report]:
        """As `Side.take`; nothing while idle."""
        if self._ready is not None:
            ready, self._ready, self._frame = self._ready, None, None
            return [ready]
        if self._frame is None or self._pipe is None or not wait([self._pipe], timeout_s):
            return []
        return [self._read(self._frame, self._pipe)]

    def _read(self, frame: Frame, pipe: "Connection[Any, Any]") -> Report:
        try:
            said: Step | SideFit | Broken = pipe.recv()
        except (EOFError, OSError):
            raise EngineError(self._death()) from None
        if isinstance(said, Broken):
            raise EngineError(f"{self.method} cannot be used: {said.cause}")
        if isinstance(said, Step):
            return said
        self._frame = None
        self._keep(frame, said)
        if said.fit is None:
            return said
        return replace(said, fit=replace(said.fit, frame_index=frame.index, t_ns=frame.t_ns))

    def _keep(self, frame: Frame, found: SideFit) -> None:
        if self._cache is None or found.problem:
            return
        try:
            self._cache.save(frame_key(frame, self._identity), found)
        except OutputError as error:
            logger.warning("%s; fits are not kept from here on", error)
            self._cache = None

    def _running(self) -> "Connection[Any, Any]":
        if self._pipe is None:
            context = get_context("spawn")  # fork would copy GL, MediaPipe's threads and locks
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(
                target=serve, args=(theirs, self._setup, self._make_fitter), daemon=True
            )
            with _ctrl_c_left_to_parent():
                self._process.start()
            theirs.close()  # so that the process' death ends the pipe
        return self._pipe

    def _death(self) -> str:
        code = None
        if self._process is not None:
            self._process.join(_END_S)
            code = self._process.exitcode
        return (
            f"the process of {self.method} died (exit code {code}); if memory ran out, close other "
            "programs; frames that are done are kept"
        )

    def close(self) -> None:
        """End the process; the frame that it is at is lost."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.join(_END_S)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
        if self._pipe is not None:
            self._pipe.close()
        self._pipe = self._frame = self._ready = None


@contextmanager
def _ctrl_c_left_to_parent() -> Iterator[None]:
    """A process that is started meanwhile ignores Ctrl-C from its first moment on."""
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers belong to the main thread; the process ignores it when it is up
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
