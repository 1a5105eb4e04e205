"""Where FLAME's vertices are seen, by a map of texture coordinates: the dense matches of Pixel3DMM.

Each vertex goes to the pixel whose coordinates are nearest to its own, once for a picture, unless
none comes near, or it is at the border of the mask. A vertex that is turned away has no pixel of
its own, but may have that of another surface: who uses the matches must look whether it is seen.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from scipy import ndimage

from engine.errors import AssetError
from engine.flame.model import HeadModel
from engine.types import F32, I32, I64, Bool, check_array

__all__ = ["UvMatches", "coords_beside", "matched_vertices", "read_vertex_uv", "uv_matches"]

_AT_ONCE: Final = 256
MOST_SQUARED: Final = 5e-5
"""Squared distance in the unit square of the texture beyond which a match is none."""


@dataclass(frozen=True, slots=True, eq=False)
class UvMatches:
    """N vertices, and where each is seen. A vertex is given as a corner of a triangle, too."""

    vertices: I32  # (N,)
    px: F32  # (N, 2) px of the map
    faces_idx: I32  # (N,) a triangle that the vertex belongs to
    bary: F32  # (N, 3) 1 at its corner

    def __post_init__(self) -> None:
        n = len(self.vertices)
        check_array("UvMatches.vertices", self.vertices, (n,), np.int32)
        check_array("UvMatches.px", self.px, (n, 2), np.float32)
        check_array("UvMatches.faces_idx", self.faces_idx, (n,), np.int32)
        check_array("UvMatches.bary", self.bary, (n, 3), np.float32)


def coords_beside(network: Path) -> Path:
    """Where the texture's coordinates are expected: in the folder of `uv.ckpt`."""
    return network.with_name("flame_uv_coords.npy")


def read_vertex_uv(path: Path, n_vertices: int) -> F32:
    """(V, 2) FLAME's texture coordinates, one pair for each vertex, v up.

    Args:
        path: Pixel3DMM's `flame_uv_coords.npy`, which FLAME's own files do not hold.
    Raises: AssetError: if it cannot be read or is something else.
    """
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise AssetError(
            f"texture coordinates {path} cannot be read ({error}); put Pixel3DMM's "
            "flame_uv_coords.npy beside uv.ckpt, or name it with --uv-coords"
        ) from error
    proper = isinstance(found, np.ndarray) and found.shape == (n_vertices, 2)
    if not proper or found.dtype.kind != "f" or not ((found >= 0) & (found <= 1)).all():
        shape = getattr(found, "shape", "no array")
        raise AssetError(
            f"{path} is {shape}, expected ({n_vertices}, 2) numbers of 0..1: take Pixel3DMM's "
            "flame_uv_coords.npy, and FLAME as the head model"
        )
    pairs: F32 = found.astype(np.float32)
    return pairs


def matched_vertices(model: HeadModel) -> I32:
    """(N,) vertices to match: of the face and the ears, but not in or around the eyes."""
    regions = model.regions
    left_out = np.concatenate([regions["eyes"], regions.get("eye_sockets", regions["eyes"])])
    seen = np.union1d(regions["face"], regions["ears"])
    kept: I32 = np.setdiff1d(seen, left_out).astype(np.int32)
    return kept


def uv_matches(uv: F32, inside: Bool, vertex_uv: F32, faces: I32, vertices: I32) -> UvMatches:
    """Args:
    uv: (S, S, 2) 0..1 as `NormalMap.uv` has it, v down.
    inside: (S, S) where it counts.
    vertex_uv: (V, 2) of `read_vertex_uv`.
    faces: (F, 3) the head's triangles.
    vertices: (M,) which to match, e.g. `matched_vertices`.
    """
    if not inside.any():
        return _placed(np.empty(0, np.int32), np.empty((0, 2), np.float32), faces)
    rows, columns = np.nonzero(inside)
    wanted = vertex_uv[vertices]
    wanted[:, 1] = 1 - wanted[:, 1]  # the map's v grows downwards
    distance, nearest = _nearest(uv[inside], wanted)
    # At the border of what is seen lie the nearest pixels of all that is hidden behind it.
    within = ndimage.binary_erosion(inside, np.ones((3, 3)), border_value=1)
    near = (distance**2 < MOST_SQUARED) & within[inside][nearest]
    px = np.stack([columns[nearest[near]], rows[nearest[near]]], axis=1).astype(np.float32)
    return _placed(vertices[near].astype(np.int32), px, faces)


def _nearest(places: F32, wanted: F32) -> tuple[F32, I64]:
    """(M,) distance from each wanted place to the nearest, and which of (N, 2) that is."""
    points = torch.from_numpy(np.ascontiguousarray(places))
    found = [
        torch.cdist(part, points, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1)
        for part in torch.from_numpy(wanted).split(_AT_ONCE)
    ]
    distance, nearest = (torch.cat([part[k] for part in found]).numpy() for k in (0, 1))
    return distance, nearest


def _placed(vertices: I32, px: F32, faces: I32) -> UvMatches:
    """Matches with the first triangle of each vertex; vertices of none are left out."""
    corners = faces.ravel()
    first = np.full(int(max(corners.max(), vertices.max(initial=0))) + 1, -1)
    first[corners[::-1]] = np.arange(corners.size)[::-1] // 3
    has_one = first[vertices] >= 0
    vertices, px = vertices[has_one], px[has_one]
    faces_idx = first[vertices].astype(np.int32)
    bary = (faces[faces_idx] == vertices[:, None]).astype(np.float32)
    return UvMatches(vertices, px, faces_idx, bary)
