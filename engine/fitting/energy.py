"""The energy of a fit: Pixel3DMM's terms with what is visible held fixed between renderings.

Instead of the rendered normal at a fixed pixel, the observed normal is read where the surface point
of that pixel lies now: the same differences at the pose that was rendered, and the same slopes to
first order, without a rasteriser to differentiate.
Lengths on the map count as shares of its side S. Source: Giebenhain et al. 2025 (Pixel3DMM), and
its public tracker; what differs is listed in docs/pixel3dmm.md.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.fitting.observed import (
    DENSE_POINTS,
    EYE_POINTS,
    GAPS,
    MOUTH_GAPS,
    Correspondences,
    Observed,
    point_weights,
)
from engine.fitting.settings import FitSettings
from engine.fitting.state import HeadState
from engine.fitting.torch_head import PosedSkin, TorchHead
from engine.fitting.visibility import Patch, Visible
from engine.stages.mediapipe_points import IRISES, LIPS
from engine.types import F32, I32

__all__ = ["SMOOTHED", "Energy", "Marks", "project", "sampled", "view_of"]

_REFERENCE_PX = 256
_FACING = 0.1
"""Least cosine to the line of sight with which a correspondence counts."""
_WHOLLY = 0.99
"""Share of a pixel between others that must be inside of a mask."""
_I6D = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


SMOOTHED = (
    ("exp", "expr"),
    ("jaw", "jaw"),
    ("eyes", "eyes"),
    ("eyelids", "eyelids"),
    ("R", "R"),
    ("t", "t"),
)
"""What changes from frame to frame: its name in settings (`reg_smooth_...`), and in HeadState."""


def view_of(points: Tensor, R: Tensor, t: Tensor) -> Tensor:
    """(N, 3) metres, model frame -> view frame."""
    return points @ R.T + t


def project(view: Tensor, K: Tensor) -> Tensor:
    """`engine.frames.project` for tensors: (N, 3) view frame, K (2, 3) -> (N, 2) px."""
    x, y, z = view.unbind(-1)
    return torch.stack([x / -z, y / z, torch.ones_like(z)], dim=-1) @ K.T


def sampled(maps: Tensor, px: Tensor) -> Tensor:
    """(C, S, S) read between pixels at (N, 2) -> (N, C); at the border as on it."""
    grid = 2 * px / (maps.shape[-1] - 1) - 1
    read = functional.grid_sample(
        maps[None], grid[None, None], mode="bilinear", padding_mode="border", align_corners=True
    )
    return read[0, :, 0].T


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """N points of the head whose places on the map are known."""

    patch: Patch  # `pixels`: where they are seen
    weight: Tensor  # (N,)


class Energy:
    """Of one face. `see` first, and again whenever the head has moved far."""

    def __init__(
        self,
        head: TorchHead,
        seen: Observed,
        settings: FitSettings,
        *,
        start: HeadState | None = None,
        before: HeadState | None = None,
    ) -> None:
        """Args:
        start: whose shape the fit is drawn to, as Pixel3DMM's is to MICA's; None: to no one's.
        before: of the frame before, in a video.
        """
        self.head, self.seen, self.settings = head, seen, settings
        self._start_shape = None if start is None else start.shape.detach()
        self._before = None if before is None else before.detached()
        self.dense = self._dense(seen.uv)
        self.eyes = self._marks(EYE_POINTS)
        self.irises = self._marks(IRISES)
        self.lips = self._marks(LIPS) if settings.w_lmks_mouth > 0 else None
        self.lid_gaps = self._gaps(GAPS)
        self.mouth_gaps = self._gaps(MOUTH_GAPS) if settings.w_lmks_mouth > 0 else None
        self._mirror = head.mirror
        self.visible: Visible | None = None
        self.spilt_px = torch.zeros(0)

    def _patch(self, faces_idx: I32, bary: F32, px: Tensor) -> tuple[Patch, Tensor]:
        """The points on kept triangles, and which these are."""
        head = self.head
        corners = head.corners(faces_idx)
        rows = torch.as_tensor(np.flatnonzero((corners >= 0).all(axis=1)), device=head.device)
        kept = torch.as_tensor(corners, dtype=torch.long, device=head.device)[rows]
        weights = torch.as_tensor(bary, dtype=head.dtype, device=head.device)[rows]
        return Patch(kept, weights, px[rows]), rows

    def _marks(self, indices: tuple[int, ...]) -> Marks:
        """Of MediaPipe's points those that the model has, with equal weights of mean 1."""
        model = self.head.model
        row_of = {int(k): row for row, k in enumerate(model.mediapipe_idx)}
        known = [k for k in indices if k in row_of]
        rows = [row_of[k] for k in known]
        points = model.mediapipe
        px = self.seen.landmarks[known]
        patch, _ = self._patch(points.faces_idx[rows], points.bary[rows], px)
        return Marks(patch, torch.ones(len(patch.pixels), dtype=px.dtype, device=px.device))

    def _dense(self, uv: Correspondences | None) -> Marks:
        if uv is not None:
            patch, rows = self._patch(uv.faces_idx, uv.bary, uv.px)
            return Marks(patch, uv.weight[rows])
        model = self.head.model
        known = np.isin(model.mediapipe_idx, DENSE_POINTS)
        indices = tuple(int(k) for k in model.mediapipe_idx[known])
        px = self.seen.landmarks[list(indices)]
        points = model.mediapipe
        patch, rows = self._patch(points.faces_idx[known], points.bary[known], px)
        weight = torch.as_tensor(point_weights(indices), dtype=px.dtype, device=px.device)
        return Marks(patch, weight[rows])

    def _gaps(self, pairs: tuple[tuple[int, int], ...]) -> tuple[Marks, Marks]:
        """First and second points of pairs that the model has."""
        have = {int(k) for k in self.head.model.mediapipe_idx}
        known = [pair for pair in pairs if set(pair) <= have]
        return self._marks(tuple(a for a, _ in known)), self._marks(tuple(b for _, b in known))

    def see(self, visible: Visible) -> None:
        """Take over what a rendering showed."""
        self.visible = visible
        if self.seen.away is not None:
            self.spilt_px = sampled(self.seen.away, visible.spilt.pixels)[:, 0].clamp_min(1.0)

    def terms(self, state: HeadState) -> dict[str, Tensor]:
        """Each weighted; their sum is the energy."""
        skin = self.head.skin(state)
        R = state.rotation
        view = view_of(skin.points, R, state.t)
        terms = self._normals(skin, view, R)
        terms |= self._correspondences(skin, view, R)
        terms |= self._places(view)
        terms |= self._landmarks(view)
        terms |= self._silhouette(view)
        terms |= self._regularisers(state)
        if self._before is not None:
            terms |= self._temporal(state, self._before)
        return terms

    def _normals(self, skin: PosedSkin, view: Tensor, R: Tensor) -> dict[str, Tensor]:
        if self.visible is None:
            raise ValueError("nothing was rendered yet: call see() first")
        s, patch = self.settings, self.visible.skin
        own = functional.normalize(patch.at(skin.normals), dim=1, eps=1e-12)
        px = project(patch.at(view), self.seen.K)
        terms = {}
        for name, maps, normals, weight in (
            ("normal", self.seen.head, own, s.normal_super),
            ("view_normal", self.seen.view, own @ R.T, s.view_normal_super),
        ):
            if maps is not None and weight > 0:
                miss = (sampled(maps, px) - normals).abs()
                valid = miss.detach().mean(dim=1, keepdim=True) < s.delta_n
                terms[name] = weight * (miss * valid).sum() / (3 * self.seen.size**2)
        return terms

    def _correspondences(self, skin: PosedSkin, view: Tensor, R: Tensor) -> dict[str, Tensor]:
        weight = self.dense_weights(skin, view, R)
        miss = self.misses(self.dense, view)
        scale = 100 * self.dense_weight
        return {"uv": scale * (weight * miss.square().sum(dim=1)).sum() / max(len(weight), 1) / 2}

    @property
    def dense_weight(self) -> float:
        """Of all correspondences together."""
        s = self.settings
        return s.points_super if self.seen.uv is None else s.uv_map_super

    def _places(self, view: Tensor) -> dict[str, Tensor]:
        """Places in the texture by pixel."""
        found = self.place_misses(view)
        if found is None:
            return {}
        miss, shown = found
        scale = 100 * self.settings.uv_map_super / (2 * self.seen.size**2)
        return {"uv_pixel": scale * (shown * miss.square().sum(dim=1)).sum()}

    def place_misses(self, view: Tensor, every: int = 1) -> tuple[Tensor, Tensor] | None:
        """(N, 2) of places in the texture, and (N,) which count; None where there is no map."""
        visible, places, own = self.visible, self.seen.places, self.head.places
        if visible is None or visible.textured is None or places is None or own is None:
            return None
        patch = visible.textured.every(every)
        px = project(patch.at(view), self.seen.K)
        with torch.no_grad():
            shown = (sampled(places.inside, px)[:, 0] > _WHOLLY).to(view.dtype)
        return sampled(places.uv, px) - patch.at(own), shown

    def dense_weights(self, skin: PosedSkin, view: Tensor, R: Tensor) -> Tensor:
        """(N,) of the correspondences: none for those turned away or far off."""
        with torch.no_grad():
            patch = self.dense.patch
            place = patch.at(view)
            sight = functional.normalize(-place, dim=1)
            facing = (patch.at(skin.normals) @ R.T * sight).sum(dim=1) > _FACING
            far = self.misses(self.dense, view).abs().sum(dim=1) * _REFERENCE_PX
            unhidden = self.visible.vertices if self.visible is not None else None
            if self.seen.places is not None and unhidden is not None:
                facing &= unhidden[patch.corners].all(dim=1)
            weight: Tensor = self.dense.weight * (facing & (far < self.settings.dist_uv))
        return weight

    def misses(self, marks: Marks, view: Tensor) -> Tensor:
        """(N, 2) of projected points, shares of the map's side."""
        return (project(marks.patch.at(view), self.seen.K) - marks.patch.pixels) / self.seen.size

    def gap_misses(self, gaps: tuple[Marks, Marks], view: Tensor) -> Tensor:
        """(N, 2) of the differences between paired points."""
        return self.misses(gaps[0], view) - self.misses(gaps[1], view)

    def quadratic(self) -> list[tuple[str, float, Marks | tuple[Marks, Marks]]]:
        """Name, weight and points of the terms that are mean squares of misses."""
        s = self.settings
        terms: list[tuple[str, float, Marks | tuple[Marks, Marks]]] = [
            ("lmk_eye", 5 * s.w_lmks, self.eyes),
            ("lmk_lid", 500 * s.w_lmks_lid, self.lid_gaps),
            ("lmk_iris", 50 * s.w_lmks_iris, self.irises),
        ]
        if self.lips is not None and self.mouth_gaps is not None:
            terms.append(("lmk_mouth", 0.25 * s.w_lmks_mouth, self.lips))
            terms.append(("lmk_mouth_closure", 2.5 * s.w_lmks_mouth, self.mouth_gaps))
        return terms

    def _landmarks(self, view: Tensor) -> dict[str, Tensor]:
        terms = {}
        for name, weight, marks in self.quadratic():
            miss = (
                self.misses(marks, view)
                if isinstance(marks, Marks)
                else self.gap_misses(marks, view)
            )
            terms[name] = weight * miss.square().sum() / max(miss.numel(), 1)
        return terms

    def _silhouette(self, view: Tensor) -> dict[str, Tensor]:
        """Each spilt pixel counts as the share of its way home that is left."""
        if self.seen.away is None or self.visible is None:
            return {}
        px = project(self.visible.spilt.at(view), self.seen.K)
        left = sampled(self.seen.away, px)[:, 0] / self.spilt_px
        return {"sil": self.settings.sil_super * left.sum() / self.seen.size**2}

    def _regularisers(self, state: HeadState) -> dict[str, Tensor]:
        s = self.settings
        rest = torch.tensor(_I6D, dtype=state.t.dtype, device=state.t.device)
        terms = {
            "exp": s.w_exp * state.expr.square().sum(),
            "shape_general": s.w_shape_general * state.shape.square().sum(),
            "jaw": s.w_jaw * (state.jaw - rest).square().sum(),
            "eyes": s.w_eyes * (state.eyes - rest).square().sum(),
            "eyes_same": s.w_eyes_same * (state.eyes[0] - state.eyes[1]).square().sum(),
        }
        if self._start_shape is not None:
            terms["shape"] = s.w_shape * (state.shape - self._start_shape).square().sum()
        if self._mirror is not None:
            offset, columns = self._mirror
            apart = offset + columns @ state.shape
            terms["mirror"] = s.w_mirror * apart.square().sum()
        return terms

    def _temporal(self, state: HeadState, before: HeadState) -> dict[str, Tensor]:
        terms = {}
        for name, field in SMOOTHED:
            change = getattr(state, field) - getattr(before, field)
            weight = getattr(self.settings, f"reg_smooth_{name}")
            terms[f"smooth_{name}"] = weight * change.square().mean()
        return terms

    @property
    def start_shape(self) -> Tensor | None:
        """(n_shape,) what the shape is drawn to besides zero."""
        return self._start_shape

    @property
    def mirror(self) -> tuple[Tensor, Tensor] | None:
        """Offset (Q,) and columns (Q, n_shape): root mean square of their sum is the asymmetry."""
        return self._mirror

    @property
    def before(self) -> HeadState | None:
        """Of the frame before."""
        return self._before
