"""How far N2FNet is off on held-out samples."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from engine.flame.closest import Surface
from engine.flame.model import HeadModel
from engine.flame.normals import vertex_normals
from engine.flame.posed import PosedHead
from engine.flame.registration import fit_similarity
from engine.training.n2f_batch import N2FBatch, batch_from_map_rows
from engine.training.n2fnet import N2FOutputs
from engine.training.rotation6d import geodesic
from engine.training.row_source import Store
from engine.types import F32, F64, FlameParams

__all__ = ["SCORES", "FaceDistance", "validate_n2fnet"]

SCORES = ("cd_mm", "vertex_mm", "rotation_median_deg", "rotation_mean_deg", "jaw_deg", "eyelids")
"""Means over samples; cd_mm: chamfer distance over the face after rigid alignment."""

_AT_ONCE = 32
_NORMAL_SCALE_M = 0.01  # keeps lips and lids on their own side


class FaceDistance:
    """Distances between two faces of one head model, after rigid alignment by their vertices."""

    def __init__(self, model: HeadModel) -> None:
        self._faces, self._region = model.faces, model.regions["face"]
        inside = np.zeros(model.n_vertices, np.bool_)
        inside[self._region] = True
        self._use = inside[model.faces].all(axis=1)

    def __call__(self, found: F32, true: F32) -> tuple[float, float]:
        """Of (V, 3) metres: chamfer distance, the mean of both directions' means of points to
        surface, and the mean distance of vertices to their own; mm.
        """
        moved = self._aligned(found, true)
        there = self._to_surface(moved, true)
        back = self._to_surface(true.astype(np.float64), moved)
        own = np.linalg.norm((moved - true)[self._region], axis=1).mean()
        return 1e3 * (there + back) / 2, 1e3 * float(own)

    def _aligned(self, found: F32, true: F32) -> F64:
        """Turned and shifted, not scaled."""
        source, target = (v[self._region].astype(np.float64) for v in (found, true))
        R = fit_similarity(source, target, np.ones(len(source))).R
        moved: F64 = (found - source.mean(axis=0)) @ R.T + target.mean(axis=0)
        return moved

    def _to_surface(self, vertices: F64, other: npt.NDArray[Any]) -> float:
        normals = vertex_normals(vertices.astype(np.float32), self._faces)[self._region]
        surface = Surface(other.astype(np.float64), self._faces, use=self._use)
        points = vertices[self._region]
        match = surface.closest(points, normals.astype(np.float64), _NORMAL_SCALE_M)
        return float(np.linalg.norm(match.points - points, axis=1).mean())


@torch.no_grad()
def validate_n2fnet(
    net: nn.Module, store: Store, model: HeadModel, n_most: int
) -> dict[str, float]:
    """SCORES on samples spread evenly over the store, without degradation.

    Args:
        net: N2FNet; is left in evaluation mode.
        n_most: samples to look at, at most.
    """
    net.eval()
    device = next(net.parameters()).device
    n = min(n_most, len(store))
    indices = np.linspace(0, len(store) - 1, n).round().astype(np.int64)
    distance, posed = FaceDistance(model), PosedHead(model)
    columns: dict[str, list[float]] = {name: [] for name in ("cd", "vertex", "turn", "jaw", "lids")}
    settings: Any = net.settings
    for first in range(0, n, _AT_ONCE):
        rows = store.read(indices[first : first + _AT_ONCE])
        picture = "image" in settings.inputs
        batch = batch_from_map_rows(rows, settings.trunk_px, picture=picture)
        out = N2FOutputs(*(t.cpu() for t in net(batch.maps(settings.inputs).to(device))))
        columns["turn"] += torch.rad2deg(geodesic(out.rotation, batch.R)).tolist()
        columns["jaw"] += torch.rad2deg((out.jaw - batch.jaw).norm(dim=1)).tolist()
        columns["lids"] += (out.eyelids - batch.eyelids).abs().mean(dim=1).tolist()
        for k in range(len(rows)):
            found, true = (posed.vertices(_params(model, x, k)) for x in (out, batch))
            cd, vertex = distance(found, true)
            columns["cd"].append(cd)
            columns["vertex"].append(vertex)
    return {
        "cd_mm": float(np.mean(columns["cd"])),
        "vertex_mm": float(np.mean(columns["vertex"])),
        "rotation_median_deg": float(np.median(columns["turn"])),
        "rotation_mean_deg": float(np.mean(columns["turn"])),
        "jaw_deg": float(np.mean(columns["jaw"])),
        "eyelids": float(np.mean(columns["lids"])),
    }


def _params(model: HeadModel, values: N2FOutputs | N2FBatch, row: int) -> FlameParams:
    names = ("shape", "expr", "jaw", "eyelids")
    neutral = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)
    return neutral.with_values(**{n: getattr(values, n)[row].numpy() for n in names})
