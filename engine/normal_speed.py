"""How fast a normal network runs on this machine."""

import statistics
import time

import numpy as np

from engine.frames import default_camera
from engine.normal_choice import choose_normals
from engine.stages.normal_estimator import NormalEstimator
from engine.types import N_MEDIAPIPE, FaceCrop

__all__ = ["measure_shipped", "ms_per_face"]

_RUNS = 20


def measure_shipped() -> dict[str, str | float]:
    """For `n2f doctor`: file, provider, fallback, ms; file is empty where none is shipped.

    Raises: AssetError, ProviderError.
    """
    choice = choose_normals(None)
    estimator = choice.load()
    if choice.path is None or estimator is None:
        return {"file": "", "provider": "", "fallback": "", "ms": 0.0}
    return {
        "file": choice.path.name,
        "provider": estimator.provider,
        "fallback": estimator.fallback,
        "ms": ms_per_face(estimator),
    }


def ms_per_face(estimator: NormalEstimator) -> float:
    """Median over some runs on a grey crop: how long it takes depends on no picture."""
    crop = FaceCrop(
        image=np.full((192, 192, 3), 128, np.uint8),
        crop_from_frame=np.eye(2, 3),
        landmarks=np.full((N_MEDIAPIPE, 2), 95.5, np.float32),
        score=1.0,
    )
    camera = default_camera(640, 480)
    times_ms = []
    for _ in range(_RUNS):
        start = time.perf_counter_ns()
        estimator.run(crop, camera)
        times_ms.append((time.perf_counter_ns() - start) * 1e-6)
    return statistics.median(times_ms)
