"""A batch of samples as tensors, and how it is mirrored and warped with its truth.

Frames: pixels of the crop, y down, (0, 0) the centre of the first; points as `(px + 0.5) / S`; head
normals in the head frame, view normals in the crop-view frame.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from engine.frames import view_from_crop
from engine.stages.mediapipe_mesh import mirrored_points
from engine.types import F64, Camera

__all__ = ["Batch", "batch_from_rows", "mirrored", "sampling_grid", "similarities", "warped"]

_IBUG_MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
     45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
     54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)  # fmt: skip
_POINT_MIRROR = torch.from_numpy(mirrored_points()).long()


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B samples."""

    image: Tensor  # (B, 3, S, S) RGB, 0..1
    points: Tensor  # (B, 478, 3) crop sizes, y down, z to the viewer
    head: Tensor  # (B, 3, S, S) unit, or zero where nothing is there
    view: Tensor  # (B, 3, S, S) the same
    parsing: Tensor  # (B, S, S) int64 class; -1: not known
    landmarks: Tensor  # (B, 68, 2) px
    K: F64  # (B, 3, 3) px, the crop's cameras

    @property
    def size(self) -> int:
        """Pixels of the crop's side."""
        return int(self.image.shape[-1])

    def to(self, device: torch.device | str) -> "Batch":
        """The batch on a device."""
        tensors = ("image", "points", "head", "view", "parsing", "landmarks")
        return replace(self, **{name: getattr(self, name).to(device) for name in tensors})


def batch_from_rows(rows: npt.NDArray[np.void]) -> Batch:
    """A batch from rows of a SampleStore."""
    size = rows["image"].shape[1]
    return Batch(
        image=_channels_first(rows["image"]).float() / 255,
        points=(torch.from_numpy(rows["points"].copy()) + torch.tensor([0.5, 0.5, 0.0])) / size,
        head=_decoded(_channels_first(rows["head_normals"])),
        view=_decoded(_channels_first(rows["view_normals"])),
        parsing=torch.from_numpy(rows["parsing"].astype(np.int64)),
        landmarks=torch.from_numpy(rows["landmarks68"].copy()),
        K=rows["K"].copy(),
    )


def _channels_first(pictures: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))


def _decoded(coded: Tensor) -> Tensor:
    """`sample.decode_normals`, channels first and a few times as fast."""
    there = coded.amax(dim=1, keepdim=True) > 0
    return _unit_or_zero((coded.float() / 127.5 - 1) * there)


def mirrored(batch: Batch, chosen: Tensor) -> Batch:
    """The batch with the chosen samples (B,) seen in a mirror."""
    last = batch.size - 1
    turn = torch.tensor([-1.0, 1.0, 1.0])
    points = (batch.points * turn + torch.tensor([1.0, 0.0, 0.0]))[:, _POINT_MIRROR]
    marks = (batch.landmarks * turn[:2] + torch.tensor([last, 0.0]))[:, _IBUG_MIRROR]
    # A mirrored picture is one of a mirrored world: K' = F K M, both with x turned round.
    flip = np.array([[-1.0, 0.0, last], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    K = flip @ batch.K @ np.diag([-1.0, 1.0, 1.0])

    def pick(changed: Tensor, kept: Tensor) -> Tensor:
        return torch.where(chosen.view(-1, *[1] * (kept.ndim - 1)), changed, kept)

    return Batch(
        image=pick(batch.image.flip(-1), batch.image),
        points=pick(points, batch.points),
        head=pick(batch.head.flip(-1) * turn[:, None, None], batch.head),
        view=pick(batch.view.flip(-1) * turn[:, None, None], batch.view),
        parsing=pick(batch.parsing.flip(-1), batch.parsing),
        landmarks=pick(marks, batch.landmarks),
        K=np.where(chosen.numpy()[:, None, None], K, batch.K),
    )


def similarities(angle_rad: F64, scale: F64, shift_px: F64, size: int) -> F64:
    """(B, 2, 3) new px from old px: turned (positive: clockwise on the screen) and scaled about the
    middle of the crop, then shifted.

    Args:
        angle_rad, scale: (B,); shift_px: (B, 2).
    """
    c, s = scale * np.cos(angle_rad), scale * np.sin(angle_rad)
    linear = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
    middle = np.full(2, (size - 1) / 2)
    moved: F64 = np.concatenate([linear, (middle + shift_px - linear @ middle)[..., None]], -1)
    return moved


def warped(batch: Batch, new_from_old: F64) -> Batch:
    """The batch cut out anew by similarities (B, 2, 3) of pixels.

    Head normals stay as they are: they do not depend on the camera. View normals turn with the
    crop-view frame. What was outside of the old crop repeats the picture's border; it has no truth.
    """
    size = batch.size
    grid = sampling_grid(new_from_old, size)
    turn = torch.from_numpy(
        np.stack([_turn_of_view(K, A, size) for K, A in zip(batch.K, new_from_old, strict=True)])
    ).float()
    smooth = torch.cat([batch.image, batch.head, batch.view], dim=1)
    smooth = functional.grid_sample(smooth, grid, "bilinear", "border", align_corners=False)
    image, head, view = smooth.split(3, dim=1)
    known = (grid.abs() <= 1).all(dim=-1)[:, None]
    head, view = head * known, view * known
    labels = batch.parsing[:, None].float()
    parsing = functional.grid_sample(labels, grid, "nearest", "border", align_corners=False)
    parsing = parsing.masked_fill(~known, -1)
    A = torch.from_numpy(new_from_old).float()
    pixels = batch.points[..., :2] * size - 0.5
    pixels = (pixels @ A[:, :, :2].transpose(1, 2) + A[:, None, :, 2] + 0.5) / size
    stretch = torch.from_numpy(np.sqrt(np.linalg.det(new_from_old[:, :, :2]))).float()
    return Batch(
        image=image,
        points=torch.cat([pixels, batch.points[..., 2:] * stretch[:, None, None]], dim=-1),
        head=_unit_or_zero(head),
        view=_unit_or_zero(torch.einsum("bij,bjyx->biyx", turn, view)),
        parsing=parsing[:, 0].long(),
        landmarks=batch.landmarks @ A[:, :, :2].transpose(1, 2) + A[:, None, :, 2],
        K=_lifted(new_from_old) @ batch.K,
    )


def sampling_grid(new_from_old: F64, size: int) -> Tensor:
    """(B, S, S, 2) where each new pixel lies in the old picture, -1..1 from edge to edge.

    Args:
        new_from_old: (B, 2, 3) similarities of pixels.
    """
    unit_from_px = np.array([[2 / size, 0, 1 / size - 1], [0, 2 / size, 1 / size - 1], [0, 0, 1]])
    theta = unit_from_px @ np.linalg.inv(_lifted(new_from_old)) @ np.linalg.inv(unit_from_px)
    shape = [len(theta), 1, size, size]
    return functional.affine_grid(
        torch.from_numpy(theta[:, :2]).float(), shape, align_corners=False
    )


def _lifted(moves: F64) -> F64:
    """(B, 3, 3) from (B, 2, 3): a last row of 0, 0, 1."""
    full: F64 = np.concatenate([moves, np.tile([[[0.0, 0.0, 1.0]]], (len(moves), 1, 1))], axis=1)
    return full


def _turn_of_view(K: F64, new_from_old: F64, size: int) -> F64:
    """(3, 3) new crop-view frame from old."""
    camera = Camera(K, size, size)
    old = view_from_crop(camera, np.eye(3)[:2], size)
    turn: F64 = view_from_crop(camera, new_from_old, size).T @ old
    return turn


def _unit_or_zero(vectors: Tensor) -> Tensor:
    """(B, 3, S, S) scaled to length 1; short ones, mixed mostly of nothing, to 0."""
    length = vectors.square().sum(dim=1, keepdim=True).sqrt()
    return torch.where(length > 0.5, vectors / length.clamp_min(1e-6), 0.0)
