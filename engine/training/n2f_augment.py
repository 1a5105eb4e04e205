"""Variations of N2FNet's samples that carry their truth along: mirrored, turned, of another size.

Frames as in `N2FBatch`. A mirrored head is described by the same head model as long as its shapes,
mirrored, are mixtures of its shapes.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.flame.model import HeadModel
from engine.stages.mediapipe_mesh import mirrored_points
from engine.training.n2f_batch import N2FBatch
from engine.training.point_code import points_present
from engine.types import F64

__all__ = ["MirrorMap", "augmented", "mirror_map"]

_MOST_LEFT_OVER = 0.06
"""Share of a mirrored shape that may be no mixture of the shapes: openhead's have 0.01 to 0.03."""

_TURN_STD_DEG = 6.0
_LOG_SCALE_STD = 0.05
_POINT_MIRROR = torch.from_numpy(mirrored_points()).long()


@dataclass(frozen=True, slots=True, eq=False)
class MirrorMap:
    """coefficients @ map: of the head that the mirror shows."""

    shape: Tensor  # (n_shape, n_shape)
    expr: Tensor  # (n_expr, n_expr)


def mirror_map(model: HeadModel) -> MirrorMap | None:
    """The map of a head model, or None where a mirrored head would not be one of its heads."""
    if model.mirror is None:
        return None
    maps = [_mixture(dirs, model.mirror) for dirs in (model.shapedirs, model.exprdirs)]
    if any(left_over > _MOST_LEFT_OVER for _, left_over in maps):
        return None
    shape, expr = (torch.from_numpy(matrix.T.copy()).float() for matrix, _ in maps)
    return MirrorMap(shape, expr)


def _mixture(dirs: Any, partner: Any) -> tuple[F64, float]:  # noqa: ANN401  (arrays)
    """(K, K) of mixtures that come next to the mirrored shapes, and what these have left over."""
    mirrored = dirs[partner] * np.array([-1.0, 1.0, 1.0])[None, :, None]
    A, B = (d.reshape(-1, d.shape[2]).astype(np.float64) for d in (dirs, mirrored))
    matrix: F64 = np.linalg.lstsq(A, B, rcond=None)[0]
    rest = np.sqrt(((A @ matrix - B) ** 2).sum(axis=0) / np.maximum((B**2).sum(axis=0), 1e-30))
    return matrix, float(rest.mean())


def augmented(batch: N2FBatch, mirror: MirrorMap | None, random: torch.Generator) -> N2FBatch:
    """Half of the samples mirrored, if they can be; all turned and sized anew about the middle."""
    n = len(batch)
    if mirror is not None:
        batch = _mirrored(batch, mirror, torch.rand(n, generator=random) < 0.5)
    turn = torch.randn(n, generator=random) * (_TURN_STD_DEG * torch.pi / 180)
    log_scale = torch.randn(n, generator=random) * _LOG_SCALE_STD
    return turned(batch, turn, log_scale)


def _mirrored(batch: N2FBatch, mirror: MirrorMap, chosen: Tensor) -> N2FBatch:
    flip = torch.tensor([-1.0, 1.0, 1.0])
    turn = torch.tensor([1.0, -1.0, -1.0])  # of axis-angle vectors
    changed = {
        "shape": batch.shape @ mirror.shape,
        "expr": batch.expr @ mirror.expr,
        "jaw": batch.jaw * turn,
        "neck": batch.neck * turn,
        "eyelids": batch.eyelids.flip(1),
        "R": flip[:, None] * batch.R * flip,
        "camera": batch.camera * torch.tensor([1.0, -1.0, 1.0]),
        "points": _if_present(batch, batch.points * flip + torch.tensor([1.0, 0, 0]))[
            :, _POINT_MIRROR
        ],
    }
    for name in ("head", "view", "mean"):
        changed[name] = getattr(batch, name).flip(-1) * flip[:, None, None]
    for name in ("mask", "confidence", "image", "facing"):
        changed[name] = getattr(batch, name).flip(-1)

    def pick(name: str) -> Tensor:
        kept: Tensor = getattr(batch, name)
        return torch.where(chosen.view(-1, *[1] * (kept.ndim - 1)), changed[name], kept)

    return replace(batch, **{name: pick(name) for name in changed})


def _if_present(batch: N2FBatch, points: Tensor) -> Tensor:
    """Points that are not known stay zero."""
    return points_present(batch.points).view(-1, 1, 1) * points


def turned(batch: N2FBatch, turn: Tensor, log_scale: Tensor) -> N2FBatch:
    """Pictures turned about their middle, and enlarged.

    Head normals stay as they are; view normals, rotation and place turn with the picture.
    Args:
        turn: (B,) radians, counter-clockwise as a viewer sees it.
        log_scale: (B,) log of how much larger the head becomes.
    """
    c, s, zero = turn.cos(), turn.sin(), torch.zeros_like(turn)
    # y up: the turn itself. Pictures have y down, and are read where a pixel was before.
    Z = torch.stack(
        [
            torch.stack([c, -s, zero], 1),
            torch.stack([s, c, zero], 1),
            torch.stack([zero, zero, zero + 1], 1),
        ],
        1,
    )
    size = log_scale.exp()[:, None]
    rows = [torch.stack([c, -s, zero], 1) / size, torch.stack([s, c, zero], 1) / size]
    names = ("head", "view", "mask", "confidence", "image", "mean", "facing")
    maps = [getattr(batch, name) for name in names]
    joined = torch.cat(maps, dim=1)
    grid = functional.affine_grid(torch.stack(rows, 1), list(joined.shape), align_corners=False)
    moved = functional.grid_sample(joined, grid, "bilinear", "zeros", align_corners=False)
    parts = dict(zip(names, moved.split([m.shape[1] for m in maps], dim=1), strict=True))
    parts["view"] = torch.einsum("bij,bjyx->biyx", Z, parts["view"])
    shift = torch.stack([batch.camera[:, 1], -batch.camera[:, 2]], 1)  # y up
    shift = size * torch.einsum("bij,bj->bi", Z[:, :2, :2], shift)
    camera = torch.stack([batch.camera[:, 0] + log_scale, shift[:, 0], -shift[:, 1]], 1)
    middle, upright = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([1.0, -1.0, 1.0])
    points = size[..., None] * ((batch.points - middle) * upright @ Z.transpose(1, 2)) * upright
    points = _if_present(batch, middle + points)
    return replace(batch, R=Z @ batch.R, camera=camera, points=points, **parts)
