"""openhead's texture coordinates: MakeHuman's, so that its skins fit."""

from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from engine.errors import AssetError
from engine.io.npz_read import UNREADABLE_NPZ, open_npz
from engine.openhead.points import closest_on_mesh
from engine.types import F64, I32

__all__ = ["skin_uv"]

_SAME_ISLAND = 0.08  # UV units: corners of one triangle may not lie further from its middle


def skin_uv(registration: Path, v: F64, triangles: I32) -> tuple[F64, I32]:
    """UVs for a neutral head from MakeHuman's head, registered to the same source.

    Args:
        registration: folder with topology.npz and ict_on_topology.npz.
        v: (V, 3) metres; triangles: (F, 3).
    Returns: uv (T, 2), and (F, 3) rows of it. Triangles at a seam get their own copies.
    """
    try:
        with open_npz(registration / "topology.npz") as topology:
            quads, uv, quads_uv = (topology[k] for k in ("quads", "uv", "quads_uv"))
        with open_npz(registration / "ict_on_topology.npz") as shapes:
            source = shapes["neutral_m"].astype(np.float64)
    except UNREADABLE_NPZ as error:
        raise AssetError(f"{registration} does not hold the registered head: {error}") from error
    tri = np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]]).astype(np.int32)
    tri_uv = uv[np.concatenate([quads_uv[:, :3], quads_uv[:, [0, 2, 3]]])].astype(np.float64)
    middle = _uv_at(v[triangles].mean(1), source, tri, tri_uv)
    corners = np.empty((len(triangles), 3, 2))
    for k in range(3):
        corners[:, k] = _uv_at(v[triangles[:, k]], source, tri, tri_uv)
        # Across a seam the nearest source triangle may belong to another island: ask again there.
        off = np.flatnonzero(np.linalg.norm(corners[:, k] - middle, axis=1) > _SAME_ISLAND)
        corners[off, k] = _uv_near(v[triangles[off, k]], middle[off], source, tri, tri_uv)
    unique, index = np.unique(np.round(corners.reshape(-1, 2), 5), axis=0, return_inverse=True)
    return unique, index.reshape(-1, 3).astype(np.int32)


def _uv_at(points: F64, source: F64, tri: I32, tri_uv: F64) -> F64:
    found = closest_on_mesh(points, source, tri)
    uv: F64 = np.einsum("nk,nkc->nc", found.bary, tri_uv[found.faces_idx])
    return uv


def _uv_near(points: F64, wanted_uv: F64, source: F64, tri: I32, tri_uv: F64) -> F64:
    """As _uv_at, among the triangles near both the point and the wanted place in the texture."""
    tree = cKDTree(source[tri].mean(1))
    out = wanted_uv.copy()
    for i, (point, uv) in enumerate(zip(points, wanted_uv, strict=True)):
        near = np.array(tree.query_ball_point(point, 0.03), dtype=np.int64)
        near = near[np.linalg.norm(tri_uv[near].mean(1) - uv, axis=1) < _SAME_ISLAND]
        if len(near):
            out[i] = _uv_at(point[None], source, tri[near], tri_uv[near])[0]
    return out
