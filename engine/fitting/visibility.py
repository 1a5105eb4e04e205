"""What of a head each pixel of a map shows: drawn by the renderer, kept for some iterations."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from engine.fitting.observed import Observed
from engine.fitting.torch_head import TorchHead
from engine.flame.posed import PosedHead
from engine.frames import project
from engine.render.context import headless_context
from engine.render.maps import SurfaceMaps
from engine.render.renderer import MeshRenderer
from engine.types import F32, I32, Bool, FlameParams

__all__ = ["Patch", "Rasteriser", "Visible"]

_REFERENCE_PX = 256
"""Size of Pixel3DMM's maps, in which its lengths are given."""
_EYES = ("eyeballs", "eyes")
_DEEP_M = 0.01
"""So far behind what was drawn a vertex is hidden; Pixel3DMM's tolerance."""
_SEAM = 0.1
"""Triangles that reach further over the texture, 0..1, go across a seam of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """N places on the kept surface, one for each of some pixels."""

    corners: Tensor  # (N, 3) kept vertices
    bary: Tensor  # (N, 3)
    pixels: Tensor  # (N, 2) x, y

    def at(self, values: Tensor) -> Tensor:
        """(V, C) of vertices -> (N, C)."""
        return (values[self.corners] * self.bary[..., None]).sum(dim=1)

    def every(self, n: int) -> "Patch":
        """Each n-th of them."""
        return Patch(self.corners[::n], self.bary[::n], self.pixels[::n])


@dataclass(frozen=True, slots=True, eq=False)
class Visible:
    """Of one pose."""

    skin: Patch  # where normals are compared
    spilt: Patch  # head where the picture has background or neck
    textured: Patch | None  # where places in the texture are compared; None: nowhere
    vertices: Tensor | None  # (V,) bool: kept vertices that nothing hides; None: nobody asks


class Rasteriser:
    """Draws poses of one head; used and closed by one thread."""

    def __init__(self, head: TorchHead) -> None:
        """Raises: ProviderError: if nothing can be drawn here."""
        self._head = head
        model = head.model
        self._posed = PosedHead(model)
        self._ctx = headless_context()
        self._renderer = MeshRenderer(self._ctx, model.faces, samples=0)
        eyes = np.zeros(model.n_vertices, bool)
        region = next((name for name in _EYES if name in model.regions), None)
        if region is not None:
            eyes[model.regions[region]] = True
        self._of_eyes = eyes[model.faces].any(axis=1)
        corners = head.corners(np.arange(len(model.faces), dtype=np.int32))
        self._kept = (corners >= 0).all(axis=1)
        self._corners = np.where(self._kept[:, None], corners, 0)
        self._textured = self._kept & _within_texture(head, self._corners)
        self._whole = self._kept & head.has_normal[self._corners].all(axis=1)

    def see(self, params: FlameParams, seen: Observed, widened_px: int) -> Visible:
        """Args: widened_px: by which eyes are widened, px of 256."""
        vertices = self._posed.vertices(params)
        maps = self._renderer.render_maps(seen.camera, vertices, params.R, params.t)
        triangle = np.where(maps.mask, maps.triangles, 0)
        eyes = maps.mask & self._of_eyes[triangle]
        reach = round(widened_px / 2 * seen.size / _REFERENCE_PX)
        kernel = np.ones((2 * reach + 1,) * 2, np.uint8)
        wide = cv2.dilate(eyes.astype(np.uint8), kernel).astype(bool)
        counted = maps.mask & self._whole[triangle] & seen.skin & ~wide
        spilt = np.zeros_like(counted)
        if seen.background is not None:
            spilt = maps.mask & self._kept[triangle] & seen.background
        textured, shown_vertices = None, None
        if seen.places is not None:
            shown = maps.mask & self._textured[triangle] & seen.places.mask & ~eyes
            textured = self._patch(maps, shown)
            shown_vertices = self._unhidden(maps, params, vertices, seen)
        return Visible(
            self._patch(maps, counted), self._patch(maps, spilt), textured, shown_vertices
        )

    def _unhidden(
        self, maps: SurfaceMaps, params: FlameParams, vertices: F32, seen: Observed
    ) -> Tensor:
        """(V,) by the depths that were drawn where the vertices are."""
        view = vertices[self._head.kept] @ params.R.T + params.t
        column, row = np.rint(project(view, seen.camera.K)).astype(int).clip(0, seen.size - 1).T
        free = ~maps.mask[row, column] | (-view[:, 2] < maps.depth[row, column] + _DEEP_M)
        return torch.as_tensor(free, device=self._head.device)

    def _patch(self, maps: SurfaceMaps, where: Bool) -> Patch:
        row, column = np.nonzero(where)
        weights = maps.barycentrics[row, column]
        bary = np.concatenate([weights, 1 - weights.sum(axis=1, keepdims=True)], axis=1)
        triangles: I32 = maps.triangles[row, column]
        device, dtype = self._head.device, self._head.dtype
        return Patch(
            torch.as_tensor(self._corners[triangles], dtype=torch.long, device=device),
            torch.as_tensor(bary, dtype=dtype, device=device),
            torch.as_tensor(np.column_stack([column, row]), dtype=dtype, device=device),
        )

    def close(self) -> None:
        """Free what is on the GPU."""
        self._renderer.release()
        self._ctx.release()


def _within_texture(head: TorchHead, corners: I32) -> Bool:
    """(F,) triangles whose corners lie near each other in the texture."""
    if head.places is None:
        return np.zeros(len(corners), np.bool_)
    places = head.places.cpu().numpy()[corners]
    near: Bool = (np.ptp(places, axis=1) < _SEAM).all(axis=1)
    return near
