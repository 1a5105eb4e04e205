"""openhead with the source's own fine skin: the same parameters mean the same head.

Every vertex of the decimated head is one of the full head's too. Joints, the basis of expressions
and skinning weights are taken over from the decimated head, so that FlameParams fit both.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from engine.errors import AssetError
from engine.flame.model import Contour, HeadModel, Landmarks, load_head_model
from engine.openhead.build import (
    eyelid_dirs,
    identity_dirs,
    mesh_of,
    source_shapes,
    without_jaw_turns,
)
from engine.openhead.expressions import expression_basis
from engine.openhead.ict import load_ict
from engine.openhead.mesh import PARTS as MESH_PARTS
from engine.openhead.mesh import Mesh
from engine.openhead.points import closest_on_mesh, landmarks68
from engine.openhead.rig import build_rig, jaw_correctives
from engine.openhead.skin_uv import skin_uv
from engine.synth.harmonic import harmonic_spread
from engine.types import F64, I32, Bool

__all__ = ["build_openhead_full"]

_SAME_M = 1e-6


def build_openhead_full(source: Path, shipped: Path) -> HeadModel:
    """The head of `shipped` on the source's full mesh; its model_id is that of `shipped`.

    Args:
        source: folder of the data pack.
        shipped: assets/openhead.npz.
    Raises: AssetError: if shipped was not built from this source.
    """
    coarse = load_head_model(shipped)
    ict = load_ict(source / "ict_facekit")
    coarse_mesh, mesh = mesh_of(ict), mesh_of(ict, full_skin=True)
    coarse_v, v = coarse_mesh.carry @ ict.vertices, mesh.carry @ ict.vertices
    if coarse_v.shape != coarse.v_template.shape or not np.allclose(
        coarse_v, coarse.v_template, atol=_SAME_M
    ):
        raise AssetError(f"{shipped} was not built from {source}; build openhead again first")
    shared = _shared_vertices(coarse_mesh, mesh)
    spread = harmonic_spread(mesh.triangles, len(v), shared)
    coarse_shapes = source_shapes(ict, coarse_mesh)
    rig = build_rig(ict, coarse_mesh, coarse_v, coarse_shapes["jawOpen"])
    coarse_shapes, _ = without_jaw_turns(ict, coarse_v, coarse_shapes, rig.lbs_weights[:, 2])
    weights = spread @ rig.lbs_weights
    shapes = source_shapes(ict, mesh)
    jaw_open_shape = shapes["jawOpen"]
    shapes, jaw = without_jaw_turns(ict, v, shapes, weights[:, 2])
    basis = expression_basis(coarse_shapes)
    stack = np.stack([shapes[name] for name in basis.names], axis=-1)
    regressor = np.zeros((5, len(v)), np.float32)
    regressor[:, shared] = coarse.J_regressor
    uv, uv_faces = skin_uv(source / "registration", v, mesh.triangles)
    return replace(
        coarse,
        v_template=v.astype(np.float32),
        shapedirs=identity_dirs(ict, mesh).astype(np.float32),
        exprdirs=(stack @ np.linalg.pinv(basis.coefficients.T)).astype(np.float32),
        posedirs=jaw_correctives(v, jaw_open_shape, weights[:, 2], jaw["jawOpen"]).astype(
            np.float32
        ),
        J_regressor=regressor,
        lbs_weights=weights.astype(np.float32),
        faces=mesh.triangles,
        regions={
            **{
                name: _spread_region(spread, index, coarse.n_vertices)
                for name, index in coarse.regions.items()
            },
            "gums": np.flatnonzero(mesh.part == MESH_PARTS.index("gums_tongue")).astype(np.int32),
        },
        landmarks68=landmarks68(ict, mesh),
        mediapipe=_carried(coarse.mediapipe, coarse, mesh, v, weights[:, 2]),
        contour=_carried_contour(coarse, mesh, v, weights[:, 2]),
        eyelid_dirs=eyelid_dirs(shapes).astype(np.float32),
        uv=uv.astype(np.float32),
        uv_faces=uv_faces,
        mirror=mesh.mirror,
    )  # fmt: skip


def _shared_vertices(coarse: Mesh, full: Mesh) -> I32:
    """(V coarse,) which vertex of the full mesh is the same mixture of the source."""

    def keys(mesh: Mesh) -> list[tuple[bytes, bytes]]:
        carry = csr_array(mesh.carry)
        carry.sort_indices()
        rows = zip(carry.indptr[:-1], carry.indptr[1:], strict=True)
        return [
            (carry.indices[a:b].astype(np.int64).tobytes(), carry.data[a:b].tobytes())
            for a, b in rows
        ]

    where = {key: i for i, key in enumerate(keys(full))}
    return np.array([where[key] for key in keys(coarse)], np.int32)


def _spread_region(spread: csr_array, index: I32, n_coarse: int) -> I32:
    member = np.zeros(n_coarse)
    member[index] = 1.0
    return np.flatnonzero(spread @ member > 0.5).astype(np.int32)


def _carried(points: Landmarks, coarse: HeadModel, mesh: Mesh, v: F64, jaw: F64) -> Landmarks:
    """The nearest places of the full mesh, lower lip to lower lip, within the same part."""
    corners = coarse.faces[points.faces_idx]
    places = np.einsum("nk,nkc->nc", points.bary, coarse.v_template[corners].astype(np.float64))
    follows = (points.bary * coarse.lbs_weights[corners, 2]).sum(1) > 0.5
    ball = np.zeros(coarse.n_vertices, np.bool_)
    ball[coarse.regions["eyeballs"]] = True
    part = mesh.part[mesh.triangles].max(axis=1)
    tri_follows = jaw[mesh.triangles].mean(axis=1) > 0.5
    faces, bary = np.zeros(len(places), np.int32), np.zeros((len(places), 3), np.float32)
    groups: list[tuple[Bool, Bool]] = [
        (ball[corners].all(1), part >= 6),
        (~ball[corners].all(1) & follows, (part == 0) & tri_follows),
        (~ball[corners].all(1) & ~follows, (part == 0) & ~tri_follows),
    ]
    for chosen, rows in groups:
        if chosen.any():
            found = closest_on_mesh(places[chosen], v, mesh.triangles[rows])
            faces[chosen] = np.flatnonzero(rows)[found.faces_idx]
            bary[chosen] = found.bary
    return Landmarks(faces, bary)


def _carried_contour(coarse: HeadModel, mesh: Mesh, v: F64, jaw: F64) -> Contour | None:
    if (own := coarse.contour) is None:
        return None
    flat = Landmarks(own.faces_idx.reshape(-1), own.bary.reshape(-1, 3))
    found = _carried(flat, coarse, mesh, v, jaw)
    shape = own.faces_idx.shape
    return Contour(own.yaw_deg, found.faces_idx.reshape(shape), found.bary.reshape(*shape, 3))
