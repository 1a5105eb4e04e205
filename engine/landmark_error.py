"""NME10: how far the fitted head's landmarks are from the detected ones."""

import numpy as np

from engine.stages.mediapipe_points import EYE_CORNERS, NME10, NME10_IBUG
from engine.types import Reconstruction

__all__ = ["nme10"]


def nme10(fit: Reconstruction) -> float:
    """Mean distance of ten points over that of the outer eye corners, a fraction.

    The ten (eye and mouth corners, nose tip, subnasale, lip middles) lie in the same place in
    iBUG's convention, which the head model carries, and in MediaPipe's, which was detected.
    """
    seen = fit.crop.landmarks[list(NME10)]
    apart = fit.crop.landmarks[EYE_CORNERS[0]] - fit.crop.landmarks[EYE_CORNERS[3]]
    miss = np.linalg.norm(fit.landmarks68_px[list(NME10_IBUG)] - seen, axis=1)
    return float(miss.mean() / np.linalg.norm(apart))
