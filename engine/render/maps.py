"""SurfaceMaps: what the camera sees at each pixel, as data."""

from dataclasses import dataclass

import numpy as np

from engine.types import F32, I32, Bool

__all__ = ["SurfaceMaps", "maps_from_attachments"]


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceMaps:
    """Per-pixel data of one drawn mesh, top row first; zeros where there is no mesh."""

    head_normals: F32  # (H, W, 3) unit, model frame
    view_normals: F32  # (H, W, 3) unit, view frame
    depth: F32  # (H, W) metres along the optical axis
    triangles: I32  # (H, W) row of faces, -1 where there is no mesh
    barycentrics: F32  # (H, W, 2) weights of the triangle's corners 0 and 1; the third is the rest
    mask: Bool  # (H, W) True on the mesh

    def interpolate(self, values: F32, faces: I32) -> F32:
        """Values at corners, (N, C) with triangles `faces` (F, 3) into them -> (H, W, C).

        For uv maps pass uv and uv_faces; for attributes of vertices pass the mesh's faces.
        """
        weights = self.barycentrics[self.mask]
        corners = values[faces[self.triangles[self.mask]]]
        third = 1.0 - weights.sum(axis=1, keepdims=True)
        image = np.zeros((*self.mask.shape, values.shape[1]), np.float32)
        image[self.mask] = np.einsum("nk,nkc->nc", np.hstack([weights, third]), corners)
        return image


def maps_from_attachments(head_depth: F32, view_triangle: F32, corners: F32) -> SurfaceMaps:
    """Split the attachments of shaders/maps.frag; triangle numbers are exact to 2^24."""
    triangles = view_triangle[..., 3].astype(np.int32) - 1
    return SurfaceMaps(
        head_normals=np.ascontiguousarray(head_depth[..., :3]),
        view_normals=np.ascontiguousarray(view_triangle[..., :3]),
        depth=np.ascontiguousarray(head_depth[..., 3]),
        triangles=triangles,
        barycentrics=corners,
        mask=triangles >= 0,
    )
