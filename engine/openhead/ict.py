"""The source of openhead's shapes: USC ICT's Face Model Light (MIT licence).

Source: Li et al. 2020, "Learning Formation of Physically-Based Face Attributes".
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from engine.errors import AssetError
from engine.io.npz_read import UNREADABLE_NPZ, open_npz
from engine.types import F64, I32

__all__ = ["RANGES", "IctModel", "load_ict"]

RANGES = {
    "narrow_face": (0, 6706),
    "face": (0, 9409),
    "head_neck": (9409, 11248),
    "mouth_socket": (11248, 13294),
    "eye_sockets": (13294, 14062),
    "gums_tongue": (14062, 17039),
    "upper_teeth": (17039, 19247),
    "lower_teeth": (19247, 21451),
    "eye_left": (21451, 22221),  # the outer shell; the inner one (iris) is left out
    "eye_right": (23021, 23791),
}
"""Vertex ranges of the parts of the repacked mesh."""


@dataclass(frozen=True, slots=True, eq=False)
class IctModel:
    """The source head. S vertices, metres, +y up, +z out of the face."""

    vertices: F64  # (S, 3) neutral head, exactly symmetric
    triangles: I32  # (T, 3)
    mirror: I32  # (S,) index of each vertex' mirror image
    identity: F64  # (100, S, 3) metres per standard deviation
    expressions: dict[str, F64]  # name -> (S, 3) metres at full strength
    landmarks: I32  # (68,) vertices of the iBUG points


def load_ict(folder: Path) -> IctModel:
    """Read the repacked ICT model and make its neutral head exactly symmetric.

    Raises: AssetError: if files are missing or not of the expected layout.
    """
    try:
        with open_npz(folder / "ict_geometry.npz") as geometry:
            vertices = geometry["neutral_vertices_cm"].astype(np.float64) / 100
            quads = geometry["faces"]
        with open_npz(folder / "ict_identity_i16.npz") as archive:
            identity = (
                archive["delta"] * (archive["scale_cm"].astype(np.float64) / 100)[:, None, None]
            )
        with open_npz(folder / "ict_expression_i16.npz") as archive:
            deltas = (
                archive["delta"] * (archive["scale_cm"].astype(np.float64) / 100)[:, None, None]
            )
            expressions = dict(zip((str(n) for n in archive["names"]), deltas, strict=True))
        landmarks = json.loads((folder / "vertex_indices.json").read_text())[
            "idx_to_landmark_verts"
        ]
    except UNREADABLE_NPZ as error:
        raise AssetError(
            f"{folder} does not hold the ICT source ({error}); expected ict_geometry.npz, "
            "ict_identity_i16.npz, ict_expression_i16.npz and vertex_indices.json"
        ) from error
    mirror = _mirror_map(vertices)
    symmetric = (vertices + vertices[mirror] * [-1, 1, 1]) / 2
    triangles = np.concatenate([quads[:, :3], quads[quads[:, 3] >= 0][:, [0, 2, 3]]])
    return IctModel(
        vertices=symmetric,
        triangles=triangles.astype(np.int32),
        mirror=mirror,
        identity=identity,
        expressions=expressions,
        landmarks=np.array(landmarks, np.int32),
    )


def _mirror_map(vertices: F64) -> I32:
    """Nearest vertex to each mirror image, within its own part, made an involution."""
    mirror = np.arange(len(vertices), dtype=np.int32)
    for name, (start, end) in RANGES.items():
        if name == "narrow_face" or name.startswith("eye_left"):
            continue
        part = slice(start, end)
        target = slice(*RANGES["eye_left"]) if name == "eye_right" else part
        _, nearest = cKDTree(vertices[target]).query(vertices[part] * [-1, 1, 1])
        mirror[part] = nearest + target.start
        if name == "eye_right":
            mirror[mirror[part]] = np.arange(start, end)
    broken = np.flatnonzero(mirror[mirror] != np.arange(len(mirror)))
    mirror[broken] = broken
    return mirror
