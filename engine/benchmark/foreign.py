"""Regions and landmarks for meshes of another topology, carried over from a head model.

The head model is laid over one neutral mesh of the topology: which way that faces is found by
trying, then the model is bent onto it. What is found holds for every mesh of the topology, and can
be kept in a folder.
"""

import hashlib
import itertools
import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.benchmark.alignment import icp
from engine.benchmark.regions import head_regions, seen_regions
from engine.benchmark.surface import MeshSurface, check_mesh, exact_normals
from engine.errors import AssetError
from engine.files import replacing
from engine.flame.model import JOINTS, HeadModel, Landmarks
from engine.flame.registration import Similarity
from engine.flame.transfer import transfer
from engine.types import F32, F64, I32

__all__ = ["Labels", "labels_of"]

log = logging.getLogger(__name__)

_FORMAT = 1
_N_POINTS = 400  # of the model's face, for finding the way a mesh faces
_KEEP = 0.8
_FIRST_ROUNDS = 12  # enough to tell the right turn from the others


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What is known of a topology."""

    regions: dict[str, I32]  # vertex indices, as of `head_regions`
    landmarks: Landmarks  # 68, iBUG order
    faces: I32  # (F, 3)

    def landmarks68(self, vertices: F64) -> F64:
        """(68, 3) of a mesh (V, 3), in its own frame and unit."""
        points = self.landmarks
        corners = vertices[self.faces[points.faces_idx]]
        found: F64 = np.einsum("nk,nkc->nc", points.bary.astype(np.float64), corners)
        return found


def labels_of(vertices: F64, faces: I32, reference: HeadModel, cache: Path | None = None) -> Labels:
    """Label a topology by one of its meshes, neutral or nearly so; some 20 s.

    Args:
        vertices: (V, 3) metres, turned in any way; faces: (F, 3).
        cache: folder where the result is kept, for all meshes of these faces.
    Raises: AssetError: if the model does not fit over the mesh.
    """
    check_mesh("mesh to label", vertices, faces)
    path = None if cache is None else cache / f"labels_{_key(faces, reference)}.npz"
    if path is not None and (kept := _read(path, faces)) is not None:
        return kept
    labels = _carried(vertices, faces, reference)
    if path is not None:
        _write(path, labels)
    return labels


def _carried(vertices: F64, faces: I32, reference: HeadModel) -> Labels:
    model_from_mesh = _facing(vertices, faces, reference)
    upright = model_from_mesh.apply(vertices)
    found = transfer(reference, upright.astype(np.float32), faces, _eyes_only(upright, reference))
    return Labels(seen_regions(vertices, faces, found.regions), found.landmarks68, faces)


def _facing(vertices: F64, faces: I32, reference: HeadModel) -> Similarity:
    """Where the mesh lies in the model's axes: the best of closest points from all 24 turns."""
    rows = head_regions(reference)["face"]
    rows = rows[:: max(1, len(rows) // _N_POINTS)]
    points = reference.v_template[rows].astype(np.float64)
    surface = MeshSurface(vertices, faces)
    normals = exact_normals(reference.v_template.astype(np.float64), reference.faces)[rows]
    middle = points.mean(axis=0)
    best, least = None, np.inf
    for turn in _turns():
        # The front of the mesh, in this turn, comes to where the model's face is.
        turned = vertices @ turn.T
        front = turned[turned[:, 2] > np.quantile(turned[:, 2], 0.7)].mean(axis=0)
        start = Similarity(1.0, turn, middle - front)
        placed = icp(surface, points, start, scaled=False, keep=_KEEP, rounds=_FIRST_ROUNDS)
        miss = _miss(surface, points, normals, placed)
        if miss < least:
            best, least = placed, miss
    if best is None:
        raise AssetError("no placement of the head model over the mesh was found")
    return icp(surface, points, best, scaled=True, keep=_KEEP)


def _miss(surface: MeshSurface, points: F64, normals: F64, placed: Similarity) -> float:
    """How badly a placement fits: distances, and normals that look the other way."""
    match = surface.closest((points - placed.t) @ placed.R / placed.scale)
    apart = 1 - (normals * (match.normals @ placed.R.T)).sum(axis=1)
    return float(np.minimum(match.distances, 0.02).mean() + 0.01 * apart.mean())


def _turns() -> list[F64]:
    """The 24 rotations that take axes to axes."""
    turns = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[range(3), order] = signs
            if np.linalg.det(matrix) > 0:
                turns.append(matrix)
    return turns


def _eyes_only(vertices: F64, reference: HeadModel) -> F32:
    """(5, V) a joint regressor that puts the joints of the mesh where the model's are.

    The smallest weights with sum 1 that do so.
    """
    joints = reference.J_regressor.astype(np.float64) @ reference.v_template
    rows = np.vstack([vertices.T, np.ones(len(vertices))])
    wanted = np.hstack([joints, np.ones((len(JOINTS), 1))])
    weights = np.linalg.pinv(rows) @ wanted.T
    regressor: F32 = weights.T.astype(np.float32)
    return regressor


def _key(faces: I32, reference: HeadModel) -> str:
    digest = hashlib.sha256(reference.model_id.encode())
    digest.update(np.ascontiguousarray(faces, np.int32).tobytes())
    return digest.hexdigest()[:16]


def _write(path: Path, labels: Labels) -> None:
    arrays = {f"region_{name}": idx for name, idx in labels.regions.items()}
    points = labels.landmarks
    with replacing(path) as temporary:
        np.savez(temporary, format=_FORMAT, faces_idx=points.faces_idx, bary=points.bary, **arrays)


def _read(path: Path, faces: I32) -> Labels | None:
    """What was kept; None if there is nothing or it is damaged, and has to be made again."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            if int(archive["format"]) != _FORMAT:
                return None
            regions = {
                key.removeprefix("region_"): archive[key].astype(np.int32)
                for key in archive.files
                if key.startswith("region_")
            }
            return Labels(regions, Landmarks(archive["faces_idx"], archive["bary"]), faces)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        log.warning("%s is damaged (%s) and made again", path, error)
        return None
