"""How far N2FNet is off on held-out samples."""

from typing import Any

import numpy as np
import torch
from torch import nn

from engine.fitting.rotation6d import geodesic
from engine.flame.face_distance import FaceDistance
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.training.n2f_batch import N2FBatch, batch_from_map_rows
from engine.training.n2fnet import N2FOutputs
from engine.training.row_source import Store
from engine.types import FlameParams

__all__ = ["SCORES", "validate_n2fnet"]

SCORES = ("cd_mm", "vertex_mm", "rotation_median_deg", "rotation_mean_deg", "jaw_deg", "eyelids")
"""Means over samples; cd_mm: chamfer distance over the face after rigid alignment."""

_AT_ONCE = 32


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
        out = N2FOutputs(
            *(t.cpu() for t in net(batch.maps(settings.inputs).to(device), batch.points.to(device)))
        )
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
    names = ["shape", "expr", "eyelids"]
    if not model.jaw_fixed:
        names.append("jaw")
    neutral = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)
    return neutral.with_values(**{n: getattr(values, n)[row].numpy() for n in names})
