"""What a distance between two faces is: chamfer distance, recall, normal error, by region.

All take meshes that lie over each other already. "There" is from true points to the predicted
surface, "back" from predicted points to the true one; each point goes to the surface, not to a
vertex. Angles are between normals interpolated over the triangles.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from engine.benchmark.surface import MeshSurface, angles
from engine.benchmark.types import REGIONS
from engine.errors import ScoreError
from engine.types import F64, I32, Bool

__all__ = [
    "CR_MM",
    "RECALLS_MM",
    "Distances",
    "cumulative_share",
    "named",
    "region_values",
    "vertex_error_mm",
]

CR_MM = 2.0
"""Nearer than this counts as complete. It reproduces the CD and CR pairs of the paper's Table 3."""

RECALLS_MM = (1.0, 2.0, 2.5)
"""Thresholds of R@1, R@2 and R@2.5."""


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """From the points of one mesh to the surface of another. N points."""

    distances: F64  # (N,) metres
    angles: F64  # (N,) radians between the point's normal and the surface's
    at_rim: Bool  # (N,) the surface ends there

    @classmethod
    def between(cls, points: F64, normals: F64, surface: MeshSurface) -> "Distances":
        """points, normals: (N, 3) metres, unit."""
        match = surface.closest(points)
        return cls(match.distances, angles(normals, match.normals), surface.at_rim(match))

    def of(self, rows: I32) -> "Distances":
        """Those of some points alone."""
        return Distances(self.distances[rows], self.angles[rows], self.at_rim[rows])


def region_values(there: Distances, back: Distances) -> dict[str, float]:
    """All figures of one region.

    cd_mm: mean of cd_acc_mm (there) and cd_comp_mm (back), the means of each direction.
    mne_rad, nc: mean angle between normals, and mean absolute cosine, there.
    cr, r1, r2, r2_5: share of true points nearer than 2, 1, 2 and 2.5 mm. l1_mm, l2_mm: mean and
    root mean square distance, there; l1_mm is cd_acc_mm by the name that scan benchmarks use.
    """
    mm = 1e3 * there.distances
    accuracy, completeness = float(mm.mean()), float(1e3 * back.distances.mean())
    values = {
        "cd_mm": (accuracy + completeness) / 2,
        "cd_acc_mm": accuracy,
        "cd_comp_mm": completeness,
        "mne_rad": float(there.angles.mean()),
        "cr": float((mm < CR_MM).mean()),
        "l1_mm": accuracy,
        "l2_mm": float(np.sqrt((mm**2).mean())),
        "nc": float(np.abs(np.cos(there.angles)).mean()),
    }
    return values | {f"r{t:g}".replace(".", "_"): float((mm < t).mean()) for t in RECALLS_MM}


def named(region: str, values: dict[str, float]) -> dict[str, float]:
    """The face's figures keep their names, those of its parts get theirs in front."""
    if region not in REGIONS:
        raise ValueError(f"region {region!r}, expected one of {', '.join(REGIONS)}")
    return values if region == "face" else {f"{region}_{key}": v for key, v in values.items()}


def vertex_error_mm(found: F64, true: F64) -> F64:
    """(N,) distance of each vertex to its own, mm; for meshes of one topology, (N, 3) metres each.

    Raises: ScoreError: if they differ in size.
    """
    if found.shape != true.shape:
        raise ScoreError(f"{len(found)} vertices against {len(true)}: not the same topology")
    error: F64 = 1e3 * np.linalg.norm(found - true, axis=1)
    return error


def cumulative_share(errors_mm: F64, thresholds_mm: Iterable[float]) -> F64:
    """Share of errors not above each threshold: the curve of cumulative errors."""
    ordered = np.sort(errors_mm)
    counts = np.searchsorted(ordered, np.fromiter(thresholds_mm, np.float64), side="right")
    share: F64 = counts / len(ordered)
    return share
