"""What a map of normals says about a head, as normal equations.

Unknowns in the order of `engine.stages.landmark_energy`; shape last, where it is asked for.
Residuals are the observed normal's parts across the head's own normal, in the head frame. Where a
vertex has a head and a view normal, their weighted mean gives its two rows; what the two differ by
depends on the rotation alone and is added apart. Both together are exactly the sum of the two, but
for the difference between the two maps' slopes. Coordinates come before vertices.
"""

import math
from dataclasses import dataclass

import numpy as np

from engine.flame.part_normals import cross
from engine.frames import project_with_slopes
from engine.stages.landmark_energy import N_POSE, Unknowns
from engine.stages.normal_samples import NormalSampler
from engine.stages.normal_surface import NormalSurface, Patches
from engine.types import F32, F64, Bool, Camera

__all__ = ["NormalConfig", "NormalEnergy", "NormalEquations"]


@dataclass(frozen=True, slots=True)
class NormalConfig:
    """How far normals are trusted. Deviations are for each of a normal's two directions.

    A network's errors are alike over large parts of a map. Most of that is a turn that all normals
    share and one that grows across the face: both are solved for along with the head.
    """

    head_noise_deg: float = 6.0  # standard deviation of head normals, each vertex on its own
    view_noise_deg: float = 6.0  # of view normals
    common_deg: float = 3.0  # of the turn that a whole map shares, about each axis
    slope_deg: float = 3.0  # of how much that turn grows, per standard deviation across the face
    turn_deg: float = 4.2  # of the turn between a head and a view map, about each axis
    outlier: float = 0.25  # length of a difference beyond which a normal hardly counts: 14 degrees
    facing: float = 0.15  # cosine to the line of sight from which on a vertex counts
    facing_full: float = 0.35  # and from which on it counts fully
    hidden_from_deg: float = 20.0  # yaw beyond which parts of the face may hide others
    hidden_m: float = 0.015  # a vertex this far behind the nearest in its direction is hidden
    cell_m: float = 0.010  # size of the patches in which the nearest vertex is looked for


@dataclass(frozen=True, slots=True, eq=False)
class NormalEquations:
    """Cost near one point: g d + d H d / 2 (doubled alike)."""

    H: F64  # (P, P)
    g: F64  # (P,)
    weight: F32  # (M,) 0..1 how much each vertex counts: seen, believed, no outlier
    seen: F32  # (M,) 0..1 the same, outliers included
    angle_deg: float  # mean angle between the head's normals and the map's, by `seen`; NaN if none


class NormalEnergy:
    """Equations of one surface; keeps nothing of a frame."""

    def __init__(self, surface: NormalSurface, config: NormalConfig | None = None) -> None:
        self._surface, self._config = surface, config or NormalConfig()
        n_own = surface.d_normals.shape[2] - surface.n_shape
        # Points (3 rows) over normals (2 rows): one product gives the rows of a vertex.
        both = np.concatenate([surface.d_points, surface.d_normals], axis=1)
        c = self._config
        self._fields = np.c_[np.ones(len(surface.places)), surface.places].astype(np.float32)
        common = np.radians([c.common_deg, c.slope_deg, c.slope_deg])
        self._common_precision = np.diag(np.repeat(common, 3) ** -2)
        self._precisions = np.radians([c.head_noise_deg, c.view_noise_deg]) ** -2.0
        self._changes = np.ascontiguousarray(both)
        self._own_changes = np.ascontiguousarray(both[:, :, :n_own])

    def equations(
        self, unknowns: Unknowns, camera: Camera, sampler: NormalSampler, *, with_shape: bool
    ) -> NormalEquations:
        """Args: camera: of the frame that the map's crop is from."""
        R = unknowns.R.astype(np.float32)
        patches = self._surface.at(unknowns.state)
        turned = R @ patches.points
        view = turned + unknowns.t[:, None]
        pixels, d_pixels = project_with_slopes(view, camera.K)
        head_seen, view_seen, weight = sampler.at(pixels)
        seen = weight * self._visible(R, patches, view)
        of_head, of_view = self._precisions * (sampler.has_head, sampler.has_view)
        precision = of_head + of_view
        share = float(of_view / precision)
        fused = _fused(head_seen, view_seen, R, share)
        values = fused[0]
        miss = ((values - patches.normals) ** 2).sum(axis=0)
        trust = seen * (1 + miss / self._config.outlier**2) ** -2
        across = np.einsum("kcm,rcm->krm", fused, patches.across)
        d_map = np.tensordot(sampler.from_frame[:, :2], d_pixels, 1).astype(np.float32)
        d_view = np.einsum("krm,kcm->rcm", across[1:], d_map)  # per metre
        turns = cross(turned, d_view)
        if view_seen is not None:
            own = cross(R @ patches.across, view_seen[0])  # what a turn does to view normals
            turns += share * own
        root = np.sqrt(trust * precision).astype(np.float32)
        rows = self._rows(patches, R.T @ d_view, root, with_shape=with_shape)
        rows[:, :, :3] = (turns * root).transpose(2, 0, 1)
        rows[:, :, 3:N_POSE] = (d_view * root).transpose(2, 0, 1)
        rows[:, :, -1] = (across[0] * root).T
        flat = rows.reshape(-1, rows.shape[2])
        H, g = self._without_common(flat.T @ flat)
        if head_seen is not None and view_seen is not None:
            apart = head_seen[0] - R.T @ view_seen[0]
            residual = (patches.across * apart).sum(axis=1)
            weight = root * root * (share * (1 - share))
            self._add_turn(H, g, own, residual, weight)
        angle = self._angle(patches, values, seen)
        return NormalEquations(H, g, trust, seen, angle)

    def _add_turn(self, H: F64, g: F64, own: F32, residual: F32, weight: F32) -> None:
        """Add, in place, what the turn from head to view normals says of the rotation.

        Args:
            own: (2, 3, M) what the rotation does to view normals, across the head's.
            residual: (2, M) head normals less view normals, across the normal.
        """
        weighted = own * weight
        H_turn = (weighted @ own.transpose(0, 2, 1)).sum(axis=0).astype(np.float64)
        # The two maps' frames err: their turn is known no better than that.
        bias = np.radians(self._config.turn_deg) ** 2
        limited = np.linalg.inv(np.eye(3) + bias * H_turn)
        H[:3, :3] += limited @ H_turn
        g[:3] -= limited @ (weighted @ residual[:, :, None]).sum(axis=0)[:, 0]

    def _rows(self, patches: Patches, d_points: F32, root: F32, *, with_shape: bool) -> F32:
        """(M, 2, P + N + 1) derivatives of the weighted residuals, the head's P unknowns first.

        Then what errors common to large parts of a map would do: small turns of all normals about
        three axes, and such that grow across the face. Pose and the last column are left free.
        Args: d_points: (2, 3, M) how normals read change with the head's points.
        """
        changes = self._changes if with_shape else self._own_changes
        M, n = len(root), N_POSE + changes.shape[2]
        rows = np.empty((M, 2, n + 3 * self._fields.shape[1] + 1), np.float32)
        factor = np.zeros((M, 2, 5), np.float32)
        factor[:, :, :3] = (d_points * root).transpose(2, 0, 1)
        factor[:, 0, 3] = factor[:, 1, 4] = -root
        np.matmul(factor, changes, out=rows[:, :, N_POSE:n])
        turn = cross(patches.across, patches.normals) * root
        common = rows[:, :, n:-1].reshape(M, 2, -1, 3)  # a view
        np.multiply(self._fields[:, None, :, None], turn.transpose(2, 0, 1)[:, :, None], out=common)
        return rows

    def _without_common(self, product: F32) -> tuple[F64, F64]:
        """H and g with the common errors solved for and taken out.

        Args: product: (P + N + 1, P + N + 1) of the rows with themselves.
        """
        wide = product.astype(np.float64)
        n = len(wide) - 1 - 3 * self._fields.shape[1]
        inner = wide[n:-1, n:-1] + self._common_precision
        common = wide[n:-1]
        left = wide[:n] - wide[:n, n:-1] @ np.linalg.solve(inner, common)
        return left[:, :n], left[:, -1]

    def _angle(self, patches: Patches, values: F32, seen: F64) -> float:
        """Mean angle to the map's normals, degrees; NaN where none is seen."""
        total = float(seen.sum())
        if not total > 0:
            return float("nan")
        lengths = np.sqrt((values * values).sum(axis=0))
        cosine = (values * patches.normals).sum(axis=0) / np.maximum(lengths, 1e-6)
        angle = np.degrees(np.arccos(np.minimum(np.maximum(cosine, -1), 1)))
        return float((angle * seen).sum()) / total

    def _visible(self, R: F32, patches: Patches, view: F64) -> F64:
        """(M,) 0..1: faces the camera, and nothing else of the face is before it."""
        c = self._config
        sight = view / -np.sqrt((view * view).sum(axis=0))
        cosine = ((R @ patches.normals) * sight).sum(axis=0)
        visible: F64 = np.minimum(
            np.maximum((cosine - c.facing) / (c.facing_full - c.facing), 0), 1
        )
        ahead = (R[:, 2] @ sight).sum() / sight.shape[1]  # the head's z along the mean sight
        if ahead < math.cos(math.radians(c.hidden_from_deg)):
            visible = visible * ~self._hidden(view)
        return visible

    def _hidden(self, view: F64) -> Bool:
        """(M,) behind another vertex of the face, coarsely."""
        depth = -view[2]
        plane = view[:2] / depth * np.median(depth)
        column, row = ((plane - plane.min(axis=1)[:, None]) / self._config.cell_m).astype(np.int64)
        index = row * (int(column.max()) + 1) + column
        nearest = np.full(int(index.max()) + 1, np.inf)
        np.minimum.at(nearest, index, depth)
        hidden: Bool = depth > nearest[index] + self._config.hidden_m
        return hidden


def _fused(head: F32 | None, view: F32 | None, R: F32, share: float) -> F32:
    """(3, 3, M) values and slopes in the head frame: the weighted mean of what there is."""
    if view is None:
        if head is None:
            raise ValueError("neither head nor view normals, expected at least one")
        return head
    turned: F32 = R.T @ view
    return turned if head is None else share * turned + (1 - share) * head
