"""A posed head near one state: how its points and normals change with every unknown.

Columns, as in `HeadState.moved`: expression, jaw (3, radians, multiplied from the left), eyes (4:
about x and y of the left, the right), eyelids (2), shape. Model frame, metres.
"""

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from engine.fitting.state import HeadState
from engine.fitting.torch_head import TorchHead

__all__ = ["HeadLinearizer", "LinearSkin"]

_JOINTS = ((2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (4, 0), (4, 1))
"""Joint and axis of the columns of jaw and eyes."""


class LinearSkin(NamedTuple):
    """V kept vertices, C columns."""

    points: Tensor  # (V, 3)
    normals: Tensor  # (V, 3) unit
    d_points: Tensor  # (V, 3, C)
    d_normals: Tensor  # (V, 3, C)


class HeadLinearizer:
    """For one head; the pattern of which vertex' normal depends on which vertices is paid once."""

    def __init__(self, head: TorchHead) -> None:
        self._head = head
        n = 3 * len(head.kept)
        faces = head.faces
        rows = faces[:, :, None].expand(-1, 3, 3).reshape(-1)
        columns = faces[:, None, :].expand(-1, 3, 3).reshape(-1)
        pairs, self._pair_of = torch.unique(rows * n + columns, return_inverse=True)
        axes = torch.arange(3, device=faces.device)
        shape = (len(pairs), 3, 3)
        row = (3 * (pairs // n)[:, None, None] + axes[:, None]).expand(shape).reshape(-1)
        column = (3 * (pairs % n)[:, None, None] + axes).expand(shape).reshape(-1)
        self._order = torch.argsort(row * n + column)
        self._columns = column[self._order]
        ends = torch.bincount(row, minlength=n).cumsum(0)
        self._starts = torch.cat([ends.new_zeros(1), ends])
        self._n_pairs = len(pairs)

    def at(self, state: HeadState, *, with_shape: bool) -> LinearSkin:
        """Args: with_shape: False: the shape's columns are left out."""
        head = self._head
        rest, joints, rotations = head.rest(state)
        blended = head.blended(joints, rotations)
        points = (blended[..., :3] @ rest[..., None])[..., 0] + blended[..., 3]
        d_points = _point_columns(head, rest, joints, rotations, blended, with_shape=with_shape)
        sums = head.vertex_sums(head.face_vectors(points))
        length = sums.norm(dim=1).clamp_min(1e-12)
        normals = sums / length[:, None]
        d_sums = (self._sums_by_points(points) @ d_points.view(3 * len(points), -1)).view(
            d_points.shape
        )
        d_sums -= normals[..., None] * (normals[:, None] @ d_sums)
        d_sums /= length[:, None, None]
        return LinearSkin(points, normals, d_points, d_sums)

    def _sums_by_points(self, points: Tensor) -> Tensor:
        """(3 V, 3 V) sparse: what moving points does to the sums of their triangles' vectors."""
        a, b, c = (points[self._head.faces[:, k]] for k in range(3))
        by_c, by_b = _crossed(b - a), -_crossed(c - a)
        blocks = torch.stack([-by_b - by_c, by_b, by_c], dim=1)  # of corners a, b, c
        every = blocks[:, None].expand(-1, 3, 3, 3, 3).reshape(-1, 9)
        summed = every.new_zeros(self._n_pairs, 9).index_add(0, self._pair_of, every)
        n = len(self._starts) - 1
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            return torch.sparse_csr_tensor(
                self._starts,
                self._columns,
                summed.reshape(-1)[self._order],
                (n, n),
                check_invariants=False,
            )


def _point_columns(
    head: TorchHead,
    rest: Tensor,
    joints: Tensor,
    rotations: Tensor,
    blended: Tensor,
    *,
    with_shape: bool,
) -> Tensor:
    """(V, 3, C); how joints shift with shape and expression is part of it."""
    E, S = head.expr_dirs.shape[2], head.shape_dirs.shape[2]
    n_turns = len(_JOINTS)
    out = rest.new_empty(len(rest), 3, E + n_turns + 2 + S * with_shape)
    turns = blended[..., :3].contiguous()
    slack = torch.eye(3, dtype=rest.dtype, device=rest.device) - rotations

    def linear(dirs: Tensor, J_dirs: Tensor | None) -> Tensor:
        moved = turns @ dirs
        if J_dirs is None:
            return moved
        return moved + (head.weights @ (slack @ J_dirs).view(5, -1)).view(moved.shape)

    out[..., :E] = linear(head.expr_dirs, head.J_expr)
    out[..., E + n_turns : E + n_turns + 2] = linear(head.lid_dirs, None)
    if with_shape:
        out[..., E + n_turns + 2 :] = linear(head.shape_dirs, head.J_shape)
    for column, (joint, axis) in enumerate(_JOINTS, start=E):
        turn = _crossed(torch.eye(3, dtype=rest.dtype, device=rest.device)[axis][None])[0]
        d_rotation = turn @ rotations[joint]
        # The joint hangs on a resting neck.
        moved = head.weights[:, joint, None] * ((rest - joints[joint]) @ d_rotation.T)
        own = slice(9 * (joint - 1), 9 * joint)
        corrective = head.pose_dirs[..., own] @ d_rotation.reshape(9)
        out[..., column] = moved + (turns @ corrective[..., None])[..., 0]
    return out


def _crossed(vectors: Tensor) -> Tensor:
    """(N, 3) -> (N, 3, 3) with matrix @ w = vector x w."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).view(-1, 3, 3)
