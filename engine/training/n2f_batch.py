"""A batch for N2FNet as tensors, from rows of drawn maps or of what the normal network saw."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.training.n2fnet import prepared_maps
from engine.types import N_MEDIAPIPE

__all__ = ["N2FBatch", "batch_from_map_rows", "joined"]


@dataclass(frozen=True, slots=True, eq=False)
class N2FBatch:
    """B samples; maps of P x P. Vectors are means of unit normals: in length at most 1."""

    head: Tensor  # (B, 3, P, P) normals of all that is seen, head frame
    view: Tensor  # (B, 3, P, P) the same, crop-view frame
    mask: Tensor  # (B, 1, P, P) 0..1
    confidence: Tensor  # (B, 1, P, P) 0..1
    image: Tensor  # (B, 3, P, P) RGB 0..1; zeros where there is none
    mean: Tensor  # (B, 3, P, P) the mean head's normals at the same places; zeros if not known
    facing: Tensor  # (B, 1, P, P) cosine to the line of sight
    points: Tensor  # (B, 478, 3) MediaPipe's, as shares of the crop's side; zeros: not known
    shape: Tensor  # (B, n_shape)
    expr: Tensor  # (B, n_expr)
    jaw: Tensor  # (B, 3)
    eyelids: Tensor  # (B, 2)
    neck: Tensor  # (B, 3)
    R: Tensor  # (B, 3, 3) crop-view frame from head frame
    camera: Tensor  # (B, 3) as in `engine.stages.weak_perspective`

    def __len__(self) -> int:
        return len(self.head)

    def to(self, device: torch.device | str) -> "N2FBatch":
        """The batch on a device."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def maps(self, inputs: tuple[str, ...]) -> Tensor:
        """What N2FNet.forward takes."""
        names = ("head", "view", "mask", "confidence", "image")
        return prepared_maps(inputs, {name: getattr(self, name) for name in names})


def batch_from_map_rows(rows: npt.NDArray[np.void], map_px: int, *, picture: bool) -> N2FBatch:
    """Rows of `head_maps.map_row_type` or `predicted_normals.predicted_row_type`.

    Args:
        map_px: pixels that pictures are averaged to.
        picture: False: pictures are left out.
    """
    names = rows.dtype.names or ()
    head = _vectors(rows["head"])
    R = torch.from_numpy(rows["R"].copy())
    mask = _share(rows["mask"])
    view = torch.einsum("bij,bjyx->biyx", R, head)
    params = ("shape", "expr", "jaw", "eyelids", "neck", "camera")
    image = head.new_zeros(len(rows), 3, map_px, map_px)
    if picture and "image" in names:
        image = torch.nn.functional.adaptive_avg_pool2d(_channels(rows["image"]) / 255, map_px)
    return N2FBatch(
        head=head,
        view=_vectors(rows["view"]) if "view" in names else view,
        mask=mask,
        confidence=_share(rows["confidence"]) if "confidence" in names else torch.ones_like(mask),
        image=image,
        mean=_vectors(rows["mean"]) if "mean" in names else torch.zeros_like(head),
        facing=_share(rows["facing"]) if "facing" in names else view[:, 2:].clamp(0, 1),
        points=(
            torch.from_numpy(rows["points"].copy())
            if "points" in names
            else head.new_zeros(len(rows), N_MEDIAPIPE, 3)
        ),
        R=R,
        **{name: torch.from_numpy(rows[name].copy()) for name in params},
    )


def joined(batches: list[N2FBatch]) -> N2FBatch:
    """One batch of several."""
    if len(batches) == 1:
        return batches[0]
    parts = {f.name: [getattr(b, f.name) for b in batches] for f in fields(N2FBatch)}
    return N2FBatch(**{name: torch.cat(tensors) for name, tensors in parts.items()})


def _channels(pictures: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float()


def _vectors(coded: npt.NDArray[Any]) -> Tensor:
    """`head_maps.coded` undone; a value of 0, between two bytes, to 0."""
    vectors = (_channels(coded) - 127.5) / 127.5
    return vectors * (vectors.abs().amax(dim=1, keepdim=True) > 0.006)


def _share(coded: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(coded.copy()).float()[:, None] / 255
