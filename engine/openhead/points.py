"""Landmark embeddings of openhead: iBUG-68 with a sliding contour, and MediaPipe's mesh points.

MediaPipe's canonical mesh is bent onto the neutral head by its eye, lip, nose and jaw landmarks,
then each of its points is put on the nearest place of the skin.
"""

from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from engine.errors import AssetError
from engine.flame.closest import closest_on_triangles
from engine.flame.model import Contour, Landmarks
from engine.openhead.ict import IctModel
from engine.openhead.mesh import PARTS, Mesh
from engine.stages.mediapipe_points import EYES, IRISES, NME10, NME10_IBUG
from engine.types import F64, I32

__all__ = [
    "bent_canonical",
    "closest_on_mesh",
    "contour68",
    "landmarks68",
    "mediapipe_mirror",
    "mediapipe_points",
]

_PAIRS = {
    **dict(zip(NME10, NME10_IBUG, strict=True)),
    # Lids: upper and lower, two points each.
    160: 37, 158: 38, 153: 40, 144: 41, 385: 43, 387: 44, 373: 46, 380: 47,
    # Outer lip line.
    40: 49, 37: 50, 267: 52, 270: 53, 321: 55, 314: 56, 84: 58, 91: 59,
    # Inner lip line.
    78: 60, 81: 61, 13: 62, 311: 63, 308: 64, 402: 65, 14: 66, 178: 67,
    # Nose bridge and wings.
    168: 27, 197: 28, 195: 29, 98: 31, 97: 32, 326: 34, 327: 35,
    # Chin and jaw line.
    152: 8, 148: 7, 377: 9, 149: 6, 378: 10, 172: 4, 397: 12, 132: 2, 361: 14, 127: 0, 356: 16,
}  # fmt: skip
"""MediaPipe index -> iBUG index, where the two conventions agree well enough to bend one mesh."""


def landmarks68(ict: IctModel, mesh: Mesh) -> Landmarks:
    """The source's iBUG points; the mesh keeps their vertices."""
    vertex_of = {int(s): i for i, s in enumerate(mesh.source_vertex) if s >= 0}
    vertices = np.array([vertex_of[int(s)] for s in ict.landmarks])
    return _at_vertices(mesh.triangles, vertices)


def _at_vertices(triangles: I32, vertices: I32) -> Landmarks:
    first: dict[int, tuple[int, int]] = {}
    for f, corners in enumerate(triangles.tolist()):
        for k, v in enumerate(corners):
            first.setdefault(v, (f, k))
    faces, corners = np.array([first[int(v)] for v in vertices]).T
    return Landmarks(faces.astype(np.int32), np.eye(3, dtype=np.float32)[corners])


def _vertices(marks: Landmarks, triangles: I32) -> I32:
    """The vertex that each landmark sits on, for landmarks that sit on vertices."""
    vertices: I32 = triangles[marks.faces_idx, marks.bary.argmax(axis=1)]
    return vertices


def contour68(v: F64, mesh: Mesh, static: F64) -> Contour:
    """The 17 jaw points by yaw: on the side turned away they slide to the visible outline.

    Args:
        v: (V, 3) neutral head, metres.
        static: (68, 3) the frontal positions.
    """
    skin = mesh.triangles[(mesh.part[mesh.triangles] == 0).all(1)]
    rows = np.flatnonzero((mesh.part[mesh.triangles] == 0).all(1))
    yaws = np.arange(-39.0, 40.0, 3.0)
    points = np.empty((len(yaws), 17, 3))
    curves = [_radial_curve(v, skin, static[i], static) for i in range(17)]
    for y, yaw in enumerate(np.radians(yaws)):
        across = np.array([np.cos(yaw), 0.0, np.sin(yaw)])  # image-right axis, model frame
        for i, curve in enumerate(curves):
            # Positive yaw, nose to image right, turns the subject's left cheek (i > 8) away.
            hidden = (i < 8 and yaw < 0) or (i > 8 and yaw > 0)
            side = -1.0 if i < 8 else 1.0
            points[y, i] = static[i]
            if hidden and len(curve):
                candidates = np.vstack([static[i], curve])
                points[y, i] = candidates[(candidates @ across * side).argmax()]
    landmarks = closest_on_mesh(points.reshape(-1, 3), v, skin)
    shape = (len(yaws), 17)
    return Contour(
        yaws.astype(np.float32),
        rows[landmarks.faces_idx].reshape(shape).astype(np.int32),
        landmarks.bary.reshape(*shape, 3),
    )


def _radial_curve(v: F64, triangles: I32, point: F64, static: F64) -> F64:
    """Where the plane through a jaw point and the face's middle axis cuts the cheek, inwards."""
    centre = static[30] * [0, 1, 0]
    spoke = (point - centre) * [1, 1, 0]
    normal = np.array([-spoke[1], spoke[0], 0.0]) / np.linalg.norm(spoke)
    offset = (v - centre) @ normal
    a, b = np.concatenate([triangles, triangles[:, [1, 2, 0]]]).reshape(2, -1)
    crossing = (offset[a] < 0) != (offset[b] < 0)
    a, b = a[crossing], b[crossing]
    s = (offset[a] / (offset[a] - offset[b]))[:, None]
    cut = v[a] * (1 - s) + v[b] * s
    outward = (cut - centre) @ (spoke / np.linalg.norm(spoke))
    # Cheek points may slide far; those of the chin stay on it, below the lips. Skin in front only.
    reach = 0.5 if point[1] > static[48, 1] else 0.85
    inside = (outward > reach * np.linalg.norm(spoke)) & (cut[:, 2] > point[2] - 0.002)
    found: F64 = cut[inside]
    return found


def mediapipe_points(
    canonical: Path,
    v: F64,
    mesh: Mesh,
    marks: Landmarks,
    lid_rims: I32,
    jaw_weight: F64,
    offsets: F64,
) -> tuple[Landmarks, I32]:
    """MediaPipe's 468 surface points and two iris centres on the neutral head v (V, 3).

    Args:
        lid_rims: vertices along the rims of the lids, which the lid points must lie on.
        jaw_weight: (V,) 0..1, tells the lower lip from the upper.
        offsets: (468, 3) metres: what calibration on real faces moves each point by, before it is
            put back on the skin.
    Returns: the points, and which of the 478 each is.
    """
    static = np.einsum("nk,nkc->nc", marks.bary, v[mesh.triangles[marks.faces_idx]])
    bent = bent_canonical(canonical, static) + offsets
    rows = np.flatnonzero((mesh.part[mesh.triangles] == 0).all(1))
    found = closest_on_mesh(bent, v, mesh.triangles[rows])
    faces, bary = rows[found.faces_idx], found.bary.copy()
    on_lids = _closest_on_edges(bent[list(EYES)], v, mesh.triangles, lid_rims)
    faces[list(EYES)], bary[list(EYES)] = on_lids.faces_idx, on_lids.bary
    # Closed lips touch: what belongs to one must not land on the other.
    follows = jaw_weight[mesh.triangles[rows]].mean(axis=1) > 0.5
    for lip, side in ((_UPPER_LIP, ~follows), (_LOWER_LIP, follows)):
        on_lip = closest_on_mesh(bent[list(lip)], v, mesh.triangles[rows[side]])
        faces[list(lip)], bary[list(lip)] = rows[side][on_lip.faces_idx], on_lip.bary
    corners = _vertices(marks, mesh.triangles)[list(NME10_IBUG)]
    exact = _at_vertices(mesh.triangles, corners)
    faces[list(NME10)], bary[list(NME10)] = exact.faces_idx, exact.bary
    poles = [np.flatnonzero(mesh.part == PARTS.index(e))[0] for e in ("eye_right", "eye_left")]
    iris = _at_vertices(mesh.triangles, np.array(poles))
    points = Landmarks(
        np.concatenate([faces, iris.faces_idx]).astype(np.int32),
        np.concatenate([bary, iris.bary]).astype(np.float32),
    )
    return points, np.append(np.arange(468), IRISES).astype(np.int32)


def bent_canonical(canonical: Path, static: F64) -> F64:
    """(468, 3) MediaPipe's mesh bent to fit (68, 3) landmarks of a neutral head; symmetric."""
    source = _read_obj_vertices(canonical)
    ids = np.array(sorted(_PAIRS))
    target = static[[_PAIRS[i] for i in ids]]
    bent = RBFInterpolator(source[ids], target, kernel="thin_plate_spline", smoothing=1e-4)(source)
    symmetric: F64 = (bent + bent[_mirror_pairs(source)] * [-1, 1, 1]) / 2
    return symmetric


def _closest_on_edges(points: F64, v: F64, triangles: I32, ring: I32) -> Landmarks:
    """The nearest place to each point on the triangle edges between vertices of a ring."""
    in_ring = np.isin(triangles, ring)
    pairs = [
        (f, k, (k + 1) % 3)
        for k in range(3)
        for f in np.flatnonzero(in_ring[:, k] & in_ring[:, (k + 1) % 3])
    ]
    face, i, j = np.array(pairs).T
    start, end = v[triangles[face, i]], v[triangles[face, j]]
    edge = end - start
    s = ((points[:, None] - start) * edge).sum(-1) / ((edge**2).sum(-1) + 1e-30)
    s = np.clip(s, 0, 1)
    gap = np.linalg.norm(start + s[..., None] * edge - points[:, None], axis=-1)
    best, n = gap.argmin(axis=1), np.arange(len(points))
    bary = np.zeros((len(points), 3))
    bary[n, i[best]], bary[n, j[best]] = 1 - s[n, best], s[n, best]
    return Landmarks(face[best].astype(np.int32), bary.astype(np.float32))


_UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
_LOWER_LIP = (324, 318, 402, 317, 14, 87, 178, 88, 95)
"""MediaPipe's points on the line where the lips meet."""


def mediapipe_mirror(canonical: Path) -> I32:
    """(468,) which of MediaPipe's points is each one's mirror image."""
    return _mirror_pairs(_read_obj_vertices(canonical))


def _mirror_pairs(source: F64) -> I32:
    _, mirror = cKDTree(source).query(source * [-1, 1, 1])
    return np.asarray(mirror, np.int32)


def _read_obj_vertices(path: Path) -> F64:
    """(N, 3) vertices of an OBJ file, in its own units."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise AssetError(f"MediaPipe's canonical mesh {path} cannot be read: {error}") from error
    return np.array([[float(x) for x in s.split()[1:4]] for s in lines if s.startswith("v ")])


def closest_on_mesh(points: F64, v: F64, triangles: I32, n_near: int = 60) -> Landmarks:
    """The nearest place of a mesh to each point.

    Args:
        points: (N, 3); v: (V, 3); triangles: (T, 3).
        n_near: exact among this many triangles whose centres are nearest.
    """
    corners = v[triangles]
    _, near = cKDTree(corners.mean(1)).query(points, k=min(n_near, len(triangles)))
    near = near.reshape(len(points), -1)  # one triangle in all: the query drops the axis
    bary = closest_on_triangles(points[:, None], corners[near])
    distance = np.linalg.norm(
        np.einsum("nkc,nkcd->nkd", bary, corners[near]) - points[:, None], axis=-1
    )
    best = distance.argmin(axis=1)
    n = np.arange(len(points))
    return Landmarks(near[n, best].astype(np.int32), bary[n, best].astype(np.float32))
