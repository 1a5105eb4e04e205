"""How fast the shipped networks run on this machine."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.frames import default_camera
from engine.io.assets import asset_path, load_manifest
from engine.methods import DEFAULT, METHODS
from engine.normal_choice import choose_normals
from engine.stages.normal_estimator import NormalEstimator
from engine.stages.onnx_session import OnnxSession
from engine.types import N_MEDIAPIPE, FaceCrop

__all__ = ["measure_shipped", "ms_per_face", "ms_per_run"]

_RUNS = 20


def measure_shipped() -> dict[str, str | float]:
    """For `n2f doctor`: file, provider, fallback, ms; file is empty where none is shipped.

    n2fnet_ms is there where N2FNet is shipped too; grown_mb is what the process grew by while the
    warm network ran, where that can be told.

    Raises: AssetError, ProviderError.
    """
    choice = choose_normals(None)
    estimator = choice.load()
    if choice.path is None or estimator is None:
        return {"file": "", "provider": "", "fallback": "", "ms": 0.0}
    measured: dict[str, str | float] = {
        "file": choice.path.name,
        "provider": estimator.provider,
        "fallback": estimator.fallback,
        "ms": ms_per_face(estimator),
    }
    before = _resident_mb()
    ms_per_face(estimator)
    measured["grown_mb"] = _resident_mb() - before
    network = METHODS[DEFAULT].network
    if network is not None and network in {asset.file for asset in load_manifest()}:
        measured["n2fnet_ms"] = ms_per_run(OnnxSession(asset_path(network), provider="auto"))
    return measured


def ms_per_run(session: OnnxSession) -> float:
    """Median over some runs on zeros: how long a network takes depends on no input."""
    zeros = {
        info.name: np.zeros([n or 1 for n in info.shape], info.dtype)
        for info in session.inputs.values()
    }
    return _median_ms(lambda: session.run(zeros))


def ms_per_face(estimator: NormalEstimator) -> float:
    """Median over some runs on a grey crop: how long it takes depends on no picture."""
    crop = FaceCrop(
        image=np.full((192, 192, 3), 128, np.uint8),
        crop_from_frame=np.eye(2, 3),
        landmarks=np.full((N_MEDIAPIPE, 2), 95.5, np.float32),
        score=1.0,
    )
    camera = default_camera(640, 480)
    return _median_ms(lambda: estimator.run(crop, camera))


def _resident_mb() -> float:
    """Memory of this process; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def _median_ms(run: Callable[[], object]) -> float:
    times_ms = []
    for _ in range(_RUNS):
        start = time.perf_counter_ns()
        run()
        times_ms.append((time.perf_counter_ns() - start) * 1e-6)
    return statistics.median(times_ms)
