"""The process that an offline method runs in: frames in through a pipe, steps and fits out."""

import logging
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from engine.compare.side_fit import SideFit, Step, StepLike, curve_of
from engine.compare.sides import fit_frame
from engine.compare.ways import OnStep, SideSetup
from engine.errors import EngineError, cause_of
from engine.types import Frame
from engine.video_fit import Fitter

__all__ = ["Broken", "MakeFitter", "serve"]

logger = logging.getLogger(__name__)

MakeFitter = Callable[[SideSetup, OnStep], Fitter]
"""A top-level function: the process imports it by name."""
_STEP_INTERVAL_S = 0.05
"""More steps a second than a graph can show are left out on the way; the curve has them all."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The last message of a process that cannot go on."""

    cause: str


def serve(pipe: "Connection[Any, Any]", setup: SideSetup, make_fitter: MakeFitter) -> None:
    """The process' life; it ends when the pipe does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            fitter = make_fitter(setup, _Sender(pipe))
        except Exception as error:  # any: the parent tells it
            logger.debug("%s cannot start", setup.method, exc_info=True)
            pipe.send(Broken(_cause(error)))
            return
        try:
            while True:
                pipe.send(_fitted(fitter, pipe.recv()))
        finally:
            fitter.close()


class _Sender:
    """Sends steps on, not more of them than anyone can look at."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe, self._sent_s = pipe, 0.0

    def __call__(self, point: StepLike, n_iterations: int) -> bool:
        now_s = time.perf_counter()
        if now_s - self._sent_s >= _STEP_INTERVAL_S:
            self._sent_s = now_s
            self._pipe.send(Step.of(point, n_iterations))
        return True


def _fitted(fitter: Fitter, frame: Frame) -> SideFit:
    """The fit of a frame by itself, whatever came before it: so it may be kept under its hash."""
    start = time.perf_counter()
    fitter.reset()
    try:
        found = fit_frame(fitter, frame)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:  # one frame's failure is no reason to give up the others
        logger.debug("frame %d failed", frame.index, exc_info=True)
        return SideFit(None, time.perf_counter() - start, problem=_cause(error))
    last = getattr(fitter, "last", None)
    return (
        found if last is None or found.fit is None else replace(found, curve=curve_of(last.curve))
    )


def _cause(error: Exception) -> str:
    return str(error) if isinstance(error, EngineError) else cause_of(error)
