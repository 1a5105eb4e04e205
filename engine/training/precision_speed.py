"""How long a normal network's graph takes for one crop."""

import time

import numpy as np

from engine.stages.normal_network import NormalNetwork
from engine.types import N_MEDIAPIPE

__all__ = ["median_and_p95_ms"]

_WARM_UP, _RUNS = 5, 60


def median_and_p95_ms(network: NormalNetwork) -> tuple[float, float]:
    """Milliseconds of a run on a grey crop, after warm-up; the picture makes no difference."""
    size = network.size_px
    image = np.full((size, size, 3), 128, np.uint8)
    points = np.full((N_MEDIAPIPE, 3), (size - 1) / 2, np.float32)
    times_ms = []
    for _ in range(_WARM_UP + _RUNS):
        start = time.perf_counter_ns()
        network.predict(image, points)
        times_ms.append((time.perf_counter_ns() - start) * 1e-6)
    p50, p95 = np.percentile(times_ms[_WARM_UP:], [50, 95])
    return float(p50), float(p95)
