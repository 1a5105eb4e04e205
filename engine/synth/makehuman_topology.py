"""The mesh of the population "makehuman": registered skin, and openhead's insides behind it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from engine.errors import AssetError
from engine.flame.model import HeadModel, Landmarks
from engine.flame.posed import PosedHead
from engine.io.npz_read import UNREADABLE_NPZ, open_npz
from engine.openhead.mesh import PARTS
from engine.synth.harmonic import harmonic_spread
from engine.synth.makehuman_people import MakeHuman
from engine.types import F32, F64, I32, Bool, FlameParams

__all__ = ["MakeHumanTopology", "load_topology", "registered_ids"]

_TORN = 0.35  # share of the jaw that a vertex of the lips may be off from its rig weight
_MOUTH_BACK_M = 0.015  # of depth that counts as the back of the mouth
_HEAD_KEYS = ("n_skin", "region", "region_names", "quads", "quads_uv", "uv", "skin_weights",
              "lmk68_tri", "lmk68_bary")  # fmt: skip
_FITTED_KEYS = ("neutral_m", "expression_names", "expression_m")


@dataclass(frozen=True, slots=True, eq=False)
class MakeHumanTopology:
    """The registered head's skin (n vertices) with openhead's eyeballs and teeth (m) behind it."""

    n_skin: int
    region: list[str]  # (n,) by vertex
    extra: I32  # (m,) rows of openhead's vertices
    neutral: F64  # (n + m, 3) metres: openhead's mean head
    jaw_open: F64  # (n + m, 3) metres: its jawOpen
    faces: I32  # (F, 3)
    uv: F32
    uv_faces: I32
    landmarks68: Landmarks
    part: I32  # (n + m,) index into engine.openhead.mesh.PARTS
    mirror: I32  # (n + m,)

    def rows(self, *names: str) -> I32:
        """Skin vertices of some regions."""
        return np.flatnonzero(np.isin(self.region, names)).astype(np.int32)


def _load(path: Path, *keys: str) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    try:
        with open_npz(path) as archive:
            return {key: archive[key] for key in keys}
    except UNREADABLE_NPZ as error:
        raise AssetError(f"{path} cannot be read: {error}; fetch it again") from error


def registered_ids(registration: Path) -> I32:
    """(n + balls,) rows of base.obj that the registered head consists of.

    Raises: AssetError: if topology.npz in that folder cannot be read.
    """
    key = "base_obj_vertex_ids"
    ids: I32 = _load(registration / "topology.npz", key)[key].astype(np.int32)
    return ids


def load_topology(
    registration: Path, openhead: HeadModel, makehuman: MakeHuman
) -> MakeHumanTopology:
    """The mesh, at openhead's mean head.

    Args:
        registration: folder with topology.npz and ict_on_topology.npz.
        openhead: gives teeth, gums, eyeballs and the jaw's motion.
        makehuman: whose base mesh tells which vertices mirror each other.
    Raises: AssetError: if a file cannot be read, or the mesh is not symmetric.
    """
    path, fitted_path = registration / "topology.npz", registration / "ict_on_topology.npz"
    head, fitted = _load(path, *_HEAD_KEYS), _load(fitted_path, *_FITTED_KEYS)
    n = int(head["n_skin"])
    skin_mirror = _mirror(makehuman.vertices[:n])
    extra, extra_faces, part = _openhead_insides(openhead)
    skin = fitted["neutral_m"][:n].astype(np.float64)
    if len(skin) < n:
        raise AssetError(
            f"{fitted_path} has {len(skin)} vertices, {path.name} {n}; fetch both again"
        )
    row = _row(list(fitted["expression_names"]), "jawOpen", fitted_path)
    opened = fitted["expression_m"][row][:n].astype(np.float64)
    region, region_names = head["region"][:n].astype(np.int32), list(head["region_names"])
    interior: Bool = np.equal(region, _row(region_names, "interior", path))
    size = np.linalg.norm(opened, axis=1)
    torn = np.abs(size / size.max() - head["skin_weights"][:n, 2]) > _TORN
    torn &= region == _row(region_names, "lips", path)
    opened = _smooth_inside(opened, skin, interior, torn, _halved(head["quads"].astype(np.int32)))
    flip = [-1, 1, 1]
    new_row = np.zeros(openhead.n_vertices, np.int32)
    new_row[extra] = n + np.arange(len(extra))
    quads, uv_quads = (head[key].astype(np.int32) for key in ("quads", "quads_uv"))
    on_skin = (quads < n).all(axis=1)
    quads, uv_quads = quads[on_skin], uv_quads[on_skin]
    faces = np.concatenate([_halved(quads), new_row[extra_faces]]).astype(np.int32)
    uv_faces = np.concatenate([_halved(uv_quads), np.zeros_like(extra_faces)]).astype(np.int32)
    jaw_extra = _jaw_opened(openhead)[extra]
    mirror = openhead.mirror
    if mirror is None:
        raise AssetError("openhead without a mirror map; build it again")
    return MakeHumanTopology(
        n_skin=n,
        region=[str(region_names[r]) for r in region],
        extra=extra,
        neutral=np.concatenate(
            [(skin + skin[skin_mirror] * flip) / 2, openhead.v_template[extra].astype(np.float64)]
        ),
        jaw_open=np.concatenate([(opened + opened[skin_mirror] * flip) / 2, jaw_extra]),
        faces=faces,
        uv=head["uv"].astype(np.float32),
        uv_faces=uv_faces,
        landmarks68=_on_faces(head["lmk68_tri"].astype(np.int32), head["lmk68_bary"], faces),
        part=np.concatenate([np.zeros(n, np.int32), part]),
        mirror=np.concatenate([skin_mirror, new_row[mirror[extra]]]).astype(np.int32),
    )


def _row(names: Sequence[str], name: str, path: Path) -> int:
    found = [str(one) for one in names]
    if name not in found:
        raise AssetError(f"{path} has no {name} among {', '.join(found)}; fetch it again")
    return found.index(name)


def _smooth_inside(opened: F64, skin: F64, interior: Bool, torn: Bool, faces: I32) -> F64:
    """jawOpen of the mouth's inside, where registration failed, spread from the lips.

    Torn places of the lips, which went with the wrong lip, follow those around them. The back of
    the mouth goes a quarter of the chin's way.
    """
    back = interior & (skin[:, 2] < skin[interior, 2].min() + _MOUTH_BACK_M) & (skin[:, 1] < 0.012)
    jaw = (skin[:, 2] > 0.10) & (skin[:, 1] < -0.06) & ~interior
    known = np.flatnonzero((~interior & ~torn) | back).astype(np.int32)
    values = opened.copy()
    values[back] = 0.25 * opened[jaw].mean(axis=0)
    on_skin = (faces < len(skin)).all(axis=1)
    spread: F64 = harmonic_spread(faces[on_skin], len(skin), known) @ values[known]
    return spread


def _halved(quads: I32) -> I32:
    halves: I32 = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    return halves


def _mirror(points: F64) -> I32:
    away, nearest = cKDTree(points).query(points * [-1, 1, 1])
    if away.max() > 1e-6:
        raise AssetError("MakeHuman's base mesh is not symmetric; is base.obj.gz the right file?")
    return np.asarray(nearest, np.int32)


def _on_faces(corners: I32, bary: F32, faces: I32) -> Landmarks:
    """Landmarks given by vertices, as rows of faces; corners may stand in any order."""
    where: dict[frozenset[int], int] = {frozenset(f): i for i, f in enumerate(faces.tolist())}
    of_vertex: dict[int, int] = {}
    for i, f in enumerate(faces.tolist()):
        for vertex in f:
            of_vertex.setdefault(vertex, i)
    rows, weights = np.zeros(len(corners), np.int32), np.zeros((len(corners), 3), np.float32)
    for k, (triangle, share) in enumerate(zip(corners.tolist(), bary, strict=True)):
        # The quad may be halved along its other diagonal here: then the heaviest corner has it.
        rows[k] = where.get(frozenset(triangle), of_vertex[triangle[int(np.argmax(share))]])
        for vertex, weight in zip(triangle, share, strict=True):
            weights[k] += weight * (faces[rows[k]] == vertex)
    return Landmarks(rows, weights / weights.sum(axis=1, keepdims=True))


def _openhead_insides(openhead: HeadModel) -> tuple[I32, I32, I32]:
    """openhead's teeth, gums and eyeballs: (its vertices, its faces, part of each vertex)."""
    part = np.zeros(openhead.n_vertices, np.int32)
    part[openhead.regions["gums"]] = PARTS.index("gums_tongue")
    teeth = openhead.regions["teeth"]
    lower = openhead.lbs_weights[teeth, 2] > 0.5
    part[teeth] = np.where(lower, PARTS.index("lower_teeth"), PARTS.index("upper_teeth"))
    balls = openhead.regions["eyeballs"]
    left = openhead.v_template[balls, 0] > 0
    part[balls] = np.where(left, PARTS.index("eye_left"), PARTS.index("eye_right"))
    extra = np.flatnonzero(part).astype(np.int32)
    return extra, openhead.faces[(part[openhead.faces] > 0).all(axis=1)], part[extra]


def _jaw_opened(openhead: HeadModel) -> F64:
    if openhead.arkit is None:
        raise AssetError("openhead without ARKit's shapes; build it again")
    rest = FlameParams.neutral(openhead.model_id, openhead.n_shape, openhead.n_expr)
    turn = openhead.arkit.jaw[openhead.arkit.names.index("jawOpen")]
    moved = PosedHead(openhead).vertices(replace(rest, jaw=turn))
    return (moved - openhead.v_template).astype(np.float64)
