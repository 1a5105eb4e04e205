"""Which of ONNX Runtime's providers runs the shipped networks quickest on this machine."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.errors import EngineError
from engine.io.assets import asset_path, load_manifest, sha256_of
from engine.methods import DEFAULT, METHODS
from engine.normal_choice import WEIGHTS
from engine.stages.onnx_session import OnnxSession, available_providers, runtime_version

__all__ = ["ProviderSpeed", "fastest", "machine_key", "measure_providers", "shipped_networks"]

Array = npt.NDArray[Any]

_SECONDS: Final = 1.0
_LEAST_RUNS: Final = 3
_TOLERANCE: Final = 0.02
"""Of the largest number that the CPU gives: cards multiply with ten bits, and may be no worse."""
_SLOW_TO_BUILD: Final = {"tensorrt": "not measured: it builds for minutes first; choose it by hand"}


@dataclass(frozen=True, slots=True)
class ProviderSpeed:
    """What came of one provider."""

    provider: str  # of engine.stages.onnx_session.PROVIDERS
    ms: float | None  # of all networks for one face, median; None: it cannot be used
    problem: str = ""  # why


def shipped_networks() -> list[Path]:
    """Those that the default method runs for every face; none where they are not shipped."""
    shipped = {asset.file for asset in load_manifest()}
    return [asset_path(f) for f in (WEIGHTS, METHODS[DEFAULT].network or "") if f in shipped]


def machine_key(networks: Sequence[Path]) -> str:
    """What measured times belong to: ONNX Runtime, what it can use here, and the networks."""
    parts = [f"onnxruntime {runtime_version()}", ", ".join(_names())]
    parts += [f"{path.name} {sha256_of(path)[:12]}" for path in networks]
    return "; ".join(parts)


def measure_providers(
    networks: Sequence[Path],
    *,
    seconds: float = _SECONDS,
    tell: Callable[[str], None] = lambda provider: None,
    stopped: Callable[[], bool] = lambda: False,
) -> list[ProviderSpeed]:
    """Run the networks on each provider for a moment, and compare what they say with the CPU.

    Args:
        seconds: for each provider, besides loading.
        tell: called with each provider before it is measured.
        stopped: True ends it before the next run; what is measured by then is returned.
    Raises: AssetError, ProviderError: if the CPU cannot run them.
    """
    feeds = [_feeds(OnnxSession(path)) for path in networks]
    expected: list[dict[str, Array]] = []
    found: list[ProviderSpeed] = []
    for name in _names():
        if stopped():
            break
        tell(name)
        if name in _SLOW_TO_BUILD:
            found.append(ProviderSpeed(name, None, _SLOW_TO_BUILD[name]))
            continue
        try:
            sessions = [OnnxSession(path, provider=name) for path in networks]
            answers = [s.run(feed) for s, feed in zip(sessions, feeds, strict=True)]
            ms = _median_ms(sessions, feeds, seconds, stopped)
        except EngineError as error:
            if name == "cpu":
                raise
            found.append(ProviderSpeed(name, None, str(error)))
            continue
        expected = expected or answers
        worst = max((_difference(a, b) for a, b in zip(answers, expected, strict=True)), default=0)
        if worst > _TOLERANCE:
            problem = f"not used: its answers differ from the CPU's by {100 * worst:.0f} %"
            found.append(ProviderSpeed(name, None, problem))
        else:
            found.append(ProviderSpeed(name, ms))
    return found


def fastest(speeds: Sequence[ProviderSpeed]) -> str:
    """The quickest provider that can be used; "cpu" where nothing was measured."""
    measured = [(speed.ms, speed.provider) for speed in speeds if speed.ms is not None]
    return min(measured)[1] if measured else "cpu"


def _names() -> list[str]:
    """The CPU first, as the others are compared with it."""
    names = [name for name in available_providers() if name != "auto"]
    return sorted(names, key=lambda name: name != "cpu")


def _feeds(session: OnnxSession) -> dict[str, Array]:
    """Noise of each input's shape and type, the same each time."""
    rng = np.random.default_rng(0)
    feeds: dict[str, Array] = {}
    for info in session.inputs.values():
        shape = [n or 1 for n in info.shape]
        if np.issubdtype(info.dtype, np.floating):
            feeds[info.name] = rng.uniform(0.0, 1.0, shape).astype(info.dtype)
        else:
            feeds[info.name] = rng.integers(0, 128, shape).astype(info.dtype)
    return feeds


def _median_ms(
    sessions: Sequence[OnnxSession],
    feeds: Sequence[dict[str, Array]],
    seconds: float,
    stopped: Callable[[], bool],
) -> float:
    times_ms: list[float] = []
    until_s = time.monotonic() + seconds
    while len(times_ms) < _LEAST_RUNS or (time.monotonic() < until_s and not stopped()):
        start = time.perf_counter()
        for session, feed in zip(sessions, feeds, strict=True):
            session.run(feed)
        times_ms.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times_ms)


def _difference(answer: dict[str, Array], expected: dict[str, Array]) -> float:
    """The largest, over the largest number expected; of numbers with fractions alone."""
    worst = 0.0
    for name, wanted in expected.items():
        if np.issubdtype(wanted.dtype, np.floating):
            scale = float(np.abs(wanted).max()) or 1.0
            worst = max(worst, float(np.abs(answer[name] - wanted).max()) / scale)
    return worst
