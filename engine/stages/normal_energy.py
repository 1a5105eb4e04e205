"""What a map of normals says about a head, as normal equations.

Unknowns in the order of `engine.stages.landmark_energy`; shape last, where it is asked for.
Residuals are the observed normal's parts across the head's own normal, in the head frame. Where a
vertex has a head and a view normal, their weighted mean gives its two rows; what the two differ by
depends on the rotation alone and is added apart. Both together are exactly the sum of the two, but
for the difference between the two maps' slopes.
"""

from dataclasses import dataclass

import numpy as np

from engine.frames import project, project_jacobian
from engine.stages.landmark_energy import N_POSE, Unknowns, cross_matrices
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
        self._fields = np.c_[np.ones(len(surface.places)), surface.places]
        common = np.radians([c.common_deg, c.slope_deg, c.slope_deg])
        self._common_precision = np.diag(np.repeat(common, 3) ** -2)
        self._precisions = np.radians([c.head_noise_deg, c.view_noise_deg]) ** -2.0
        self._changes = np.ascontiguousarray(both)
        self._own_changes = np.ascontiguousarray(both[:, :, :n_own])

    def equations(
        self, unknowns: Unknowns, camera: Camera, sampler: NormalSampler, *, with_shape: bool
    ) -> NormalEquations:
        """Args: camera: of the frame that the map's crop is from."""
        R = unknowns.R
        patches = self._surface.at(unknowns.state)
        turned = patches.points @ R.T
        view = turned + unknowns.t
        head_seen, view_seen, weight = sampler.at(project(view, camera.K))
        seen = weight * self._visible(R, patches, view)
        of_head, of_view = self._precisions * (sampler.has_head, sampler.has_view)
        precision = of_head + of_view
        share = of_view / precision
        fused = _fused(head_seen, view_seen, R, share)
        values = fused[:, 0]
        lengths = np.linalg.norm(values, axis=1)
        miss = np.linalg.norm(values - patches.normals, axis=1)
        trust = seen * (1 + (miss / self._config.outlier) ** 2) ** -2
        across = fused @ patches.across.transpose(0, 2, 1)  # (M, 3, 2)
        slopes = across[:, 1:].transpose(0, 2, 1) @ sampler.from_frame[:, :2]
        d_view = slopes @ project_jacobian(view, camera.K)  # (M, 2, 3) per metre
        own = np.zeros_like(d_view)
        if view_seen is not None:
            own = (patches.across @ R.T) @ cross_matrices(view_seen[:, 0].astype(np.float64))
        root = np.sqrt(trust * precision)[:, None, None]
        rows = self._rows(R, turned, d_view, share * own, root, with_shape=with_shape)
        rows = np.concatenate([rows, self._common(patches, root)], axis=1)
        residuals = (across[:, 0] * root[:, :, 0]).astype(np.float32).ravel()
        H, g = self._without_common(rows.T @ rows, rows.T @ residuals)
        if head_seen is not None and view_seen is not None:
            apart = head_seen[:, 0] - view_seen[:, 0] @ R
            residual = (patches.across @ apart[:, :, None])[:, :, 0]
            self._add_turn(H, g, own, residual, trust * precision * share * (1 - share))
        cosine = (values * patches.normals).sum(1) / np.maximum(lengths, 1e-6)
        angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        total = float(seen.sum())
        mean = float((angle * seen).sum()) / total if total > 0 else float("nan")
        return NormalEquations(H, g, trust, seen, mean)

    def _add_turn(self, H: F64, g: F64, own: F64, residual: F64, weight: F64) -> None:
        """Add, in place, what the turn from head to view normals says of the rotation.

        Args:
            own: (M, 2, 3) what the rotation does to view normals seen from the head.
            residual: (M, 2) head normals less view normals, across the normal.
        """
        H_turn = np.einsum("m,mri,mrj->ij", weight, own, own)
        # The two maps' frames err: their turn is known no better than that.
        bias = 2 * np.radians(self._config.common_deg) ** 2
        limited = np.linalg.inv(np.eye(3) + bias * H_turn)
        H[:3, :3] += limited @ H_turn
        g[:3] -= limited @ np.einsum("m,mri,mr->i", weight, own, residual)

    def _rows(
        self, R: F64, turned: F64, d_view: F64, own: F64, root: F64, *, with_shape: bool
    ) -> F32:
        """(2 M, P) derivatives of the weighted residuals."""
        changes = self._changes if with_shape else self._own_changes
        M = len(turned)
        factor = np.empty((M, 2, 5), np.float32)
        factor[:, :, :3] = (d_view @ R) * root
        factor[:, :, 3:] = -np.eye(2) * root
        rows = np.empty((M, 2, N_POSE + changes.shape[2]), np.float32)
        rows[:, :, :3] = (own - d_view @ cross_matrices(turned)) * root
        rows[:, :, 3:6] = d_view * root
        rows[:, :, 6:] = factor @ changes
        return rows.reshape(2 * M, -1)

    def _common(self, patches: Patches, root: F64) -> F32:
        """(2 M, N) what errors common to large parts of a map would do to the residuals.

        Small turns of all normals, about three axes, and such that grow across the face.
        """
        turn = patches.across @ cross_matrices(patches.normals.astype(np.float64)) * root
        columns = (self._fields[:, None, :, None] * turn[:, :, None, :]).astype(np.float32)
        flat: F32 = columns.reshape(2 * len(turn), -1)
        return flat

    def _without_common(self, H: F32, g: F32) -> tuple[F64, F64]:
        """Equations with the common errors, which come last, solved for and taken out."""
        wide, slope = H.astype(np.float64), g.astype(np.float64)
        n = len(slope) - 3 * self._fields.shape[1]
        inner = wide[n:, n:] + self._common_precision
        gain = np.linalg.solve(inner, np.c_[wide[n:, :n], slope[n:]])
        cross = wide[:n, n:]
        return wide[:n, :n] - cross @ gain[:, :-1], slope[:n] - cross @ gain[:, -1]

    def _visible(self, R: F64, patches: Patches, view: F64) -> F64:
        """(M,) 0..1: faces the camera, and nothing else of the face is before it."""
        c = self._config
        sight = -view / np.linalg.norm(view, axis=1, keepdims=True)
        cosine = ((patches.normals @ R.T) * sight).sum(axis=1)
        visible: F64 = np.clip((cosine - c.facing) / (c.facing_full - c.facing), 0.0, 1.0)
        mean_sight = sight.mean(axis=0) @ R
        if np.degrees(np.arccos(np.clip(mean_sight[2], -1, 1))) > c.hidden_from_deg:
            visible = visible * ~self._hidden(view)
        return visible

    def _hidden(self, view: F64) -> Bool:
        """(M,) behind another vertex of the face, coarsely."""
        depth = -view[:, 2]
        plane = view[:, :2] / depth[:, None] * np.median(depth)
        cell = np.floor((plane - plane.min(axis=0)) / self._config.cell_m).astype(np.int64)
        width = int(cell[:, 0].max()) + 1
        index = cell[:, 1] * width + cell[:, 0]
        nearest = np.full(int(index.max()) + 1, np.inf)
        np.minimum.at(nearest, index, depth)
        hidden: Bool = depth > nearest[index] + self._config.hidden_m
        return hidden


def _fused(head: F32 | None, view: F32 | None, R: F64, share: float) -> F32:
    """(M, 3, 3) values and slopes in the head frame: the weighted mean of what there is."""
    if view is None:
        if head is None:
            raise ValueError("neither head nor view normals, expected at least one")
        return head
    turned: F32 = view @ R.astype(np.float32)
    return turned if head is None else share * turned + (1 - share) * head
