"""Named regions of openhead, and where its mesh has to be dense: by geometry, both sides alike."""

import itertools

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from engine.flame.normals import vertex_normals
from engine.openhead.ict import RANGES, IctModel
from engine.openhead.mesh import EYE_CENTRE, EYE_RADIUS, IRIS_DEG, PARTS, Mesh
from engine.types import F64, I32, Bool

_NOSTRIL_HIDDEN = 0.7  # share of directions out of the skin that end on skin

__all__ = ["importance", "loops", "regions"]


def loops(ict: IctModel) -> tuple[I32, I32]:
    """Source vertices that the mesh must keep: (visible rims of the lids, seams to the sockets).

    The seam of lid and eye socket lies out of sight behind the lid; the rim that one sees is the
    edge loop through the landmarks 36 to 41 and 42 to 47.
    """
    seams = np.concatenate([_seam(ict, "eye_sockets"), _seam(ict, "mouth_socket")])
    left = _edge_path(ict, ict.landmarks[[42, 43, 44, 45, 46, 47, 42]])
    return np.unique(np.concatenate([left, ict.mirror[left]])), seams


def _edge_path(ict: IctModel, stops: I32) -> I32:
    """Vertices on the shortest way along edges from stop to stop."""
    a, b = np.concatenate([ict.triangles, ict.triangles[:, [1, 2, 0]]]).T[:2]
    near = np.linalg.norm(ict.vertices - ict.vertices[stops[0]], axis=1) < 0.06
    a, b = a[near[a] & near[b]], b[near[a] & near[b]]
    lengths = np.linalg.norm(ict.vertices[a] - ict.vertices[b], axis=1)
    graph = coo_array((lengths, (a, b)), shape=(len(ict.vertices),) * 2).tocsr()
    path: list[int] = []
    for start, end in itertools.pairwise(stops.tolist()):
        _, before = dijkstra(graph, directed=False, indices=start, return_predecessors=True)
        while end != start:
            path.append(end)
            end = int(before[end])
    return np.array(path, np.int32)


def _seam(ict: IctModel, inner: str) -> I32:
    skin, socket = np.zeros((2, len(ict.vertices)), bool)
    skin[slice(*RANGES["face"])] = True
    socket[slice(*RANGES[inner])] = True
    across = ict.triangles[skin[ict.triangles].any(1) & socket[ict.triangles].any(1)]
    seam = np.unique(across)
    return np.asarray(seam[skin[seam]], np.int32)


def _near(points: F64, centre: F64, radii: tuple[float, float, float]) -> Bool:
    """Inside an ellipsoid or its mirror image."""
    sides = (np.sum(((points - centre * [s, 1, 1]) / radii) ** 2, axis=1) < 1 for s in (1, -1))
    return np.asarray(np.logical_or(*sides))


def importance(ict: IctModel) -> F64:
    """(S,) weight of the squared surface error: lids, nostrils and lips before cheeks and scalp."""
    v, lm = ict.vertices, ict.vertices[ict.landmarks]
    weight = np.full(len(v), 0.12)
    weight[slice(*RANGES["narrow_face"])] = 1.0
    weight[_near(v, EYE_CENTRE, (0.024, 0.020, 0.030))] = 6.0
    weight[_near(v, lm[48:].mean(0), (0.034, 0.020, 0.030))] = 4.0
    weight[_near(v, lm[31:36].mean(0), (0.024, 0.022, 0.040))] = 5.0
    weight[slice(*RANGES["mouth_socket"])] = 0.05
    weight[slice(*RANGES["eye_sockets"])] = 0.05
    for name in ("upper_teeth", "lower_teeth"):
        teeth = slice(*RANGES[name])
        weight[teeth] = np.where(v[teeth, 2] > 0.088, 1.0, 0.1)  # molars are hardly seen
    return weight


def regions(ict: IctModel, mesh: Mesh, v: F64) -> dict[str, I32]:
    """Vertex indices by region name; v: (V, 3) neutral openhead, metres."""
    lm = ict.vertices[ict.landmarks]
    share = {
        name: (mesh.carry[:, slice(*RANGES[name])].sum(axis=1) > 0.5)
        for name in ("narrow_face", "face")
    }
    skin = mesh.part == PARTS.index("skin")
    ears = skin & share["face"] & ~share["narrow_face"] & _ear_box(v)
    # Under the jaw: below the line from chin to ear lobe, which 68-point contours follow.
    jaw_y = np.interp(v[:, 2], [lm[1, 2], lm[4, 2], lm[8, 2]], [lm[1, 1], lm[4, 1], lm[8, 1]])
    face = share["narrow_face"] & skin & (v[:, 1] > jaw_y - 0.012)
    brow_y = np.interp(np.abs(v[:, 0]), np.abs(lm[21:16:-1, 0]), lm[21:16:-1, 1])
    forehead = face & (v[:, 1] > brow_y + 0.004)
    neck = skin & ~face & ~ears & (v[:, 1] < np.interp(v[:, 2], [-0.06, 0.02], [-0.02, -0.055]))
    eyes = face & _near(v, EYE_CENTRE, (0.025, 0.019, 0.05))
    bridge = np.interp(v[:, 1], [lm[33, 1], lm[27, 1]], [0.022, 0.011])
    nose = face & ~eyes & (np.abs(v[:, 0]) < bridge)
    nose &= (v[:, 1] > lm[33, 1] - 0.003) & (v[:, 1] < lm[27, 1] + 0.002)
    mouth = face & _near(v, lm[48:60].mean(0), (0.036, 0.0185, 0.05))
    eyeballs = mesh.part >= PARTS.index("eye_left")
    centres = np.where((v[:, :1] > 0), EYE_CENTRE, EYE_CENTRE * [-1, 1, 1])
    cosine = (v[:, 2] - centres[:, 2]) / EYE_RADIUS
    masks = {
        "face": face,
        "eyes": eyes,
        "nose": nose,
        "mouth": mouth,
        "ears": ears,
        "forehead": forehead,
        "neck": neck,
        "scalp": skin & ~face & ~ears & ~neck,
        "lips": _lips(lm, v, face),
        "brows": _brows(lm, v, face),
        "nostrils": _nostrils(lm, v, mesh, nose),
        "eyeballs": eyeballs,
        "iris": eyeballs & (cosine > np.cos(np.radians(IRIS_DEG + 1))),
        "pupil": eyeballs & (cosine > np.cos(np.radians(10.0))),
        "teeth": np.isin(mesh.part, (PARTS.index("upper_teeth"), PARTS.index("lower_teeth"))),
        "mouth_inside": np.isin(
            mesh.part, (PARTS.index("mouth_socket"), PARTS.index("gums_tongue"))
        ),
        "eye_sockets": mesh.part == PARTS.index("eye_sockets"),
    }
    return {name: np.flatnonzero(mask).astype(np.int32) for name, mask in masks.items()}


def _nostrils(lm: F64, v: F64, mesh: Mesh, nose: Bool) -> Bool:
    """Skin of the nose that sees mostly other skin: the insides of the nostrils."""
    near = nose & (v[:, 1] < lm[30, 1]) & (np.abs(v[:, 0]) < 0.016) & (v[:, 2] < lm[30, 2] - 0.006)
    candidates = np.flatnonzero(near | near[mesh.mirror])
    around = np.linalg.norm(v[mesh.triangles].mean(1) - lm[33], axis=1) < 0.03
    corners = v[mesh.triangles[around & (mesh.part[mesh.triangles] == 0).all(1)]]
    normals = vertex_normals(v.astype(np.float32), mesh.triangles)[candidates].astype(np.float64)
    hidden = np.zeros(len(v))
    for ray in _directions(48):
        towards = ray * np.sign(normals @ ray)[:, None]
        hit = _hits(v[candidates] + 2e-4 * normals, towards, corners)
        hidden[candidates] += hit / 48
    return np.asarray((hidden + hidden[mesh.mirror]) / 2 > _NOSTRIL_HIDDEN)


def _directions(n: int) -> F64:
    """(n, 3) unit vectors evenly over half a sphere (golden angle)."""
    k = np.arange(n) + 0.5
    z, turn = k / n, np.pi * (1 + 5**0.5) * k
    r = np.sqrt(1 - z**2)
    return np.stack([r * np.cos(turn), r * np.sin(turn), z], axis=1)


def _hits(origins: F64, directions: F64, corners: F64) -> Bool:
    """(N,) whether each ray meets a triangle within 20 mm (Moeller and Trumbore 1997)."""
    a, e1, e2 = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    p = np.cross(directions[:, None], e2)
    determinant = (e1 * p).sum(-1)
    inverse = 1.0 / np.where(np.abs(determinant) < 1e-14, np.inf, determinant)
    s = origins[:, None] - a
    u = (s * p).sum(-1) * inverse
    q = np.cross(s, e1)
    w = (directions[:, None] * q).sum(-1) * inverse
    distance = (e2 * q).sum(-1) * inverse
    inside = (u >= 0) & (w >= 0) & (u + w <= 1) & (distance > 1e-5) & (distance < 0.02)
    return np.asarray(inside.any(axis=1))


def _ear_box(v: F64) -> Bool:
    inside = (np.abs(v[:, 0]) > 0.066) & (v[:, 1] > -0.034) & (v[:, 1] < 0.047)
    return np.asarray(inside & (v[:, 2] > -0.05) & (v[:, 2] < 0.021))


def _lips(lm: F64, v: F64, face: Bool) -> Bool:
    """Between the outer lip line (iBUG 48-59) and the mouth."""
    x = np.abs(v[:, 0])
    upper = np.interp(x, lm[[51, 52, 53, 54], 0], lm[[51, 52, 53, 54], 1] + 0.0005)
    lower = np.interp(x, lm[[57, 56, 55, 54], 0], lm[[57, 56, 55, 54], 1] - 0.0005)
    return np.asarray(face & (x <= lm[54, 0] + 0.001) & (v[:, 1] <= upper) & (v[:, 1] >= lower))


def _brows(lm: F64, v: F64, face: Bool) -> Bool:
    """A band along iBUG 22-26, thinner towards the temple."""
    x, brow = np.abs(v[:, 0]), lm[22:27]
    height = np.interp(x, brow[:, 0], brow[:, 1]) - 0.001
    half = np.interp(x, [brow[0, 0], brow[4, 0]], [0.0042, 0.0022])
    inside = (x > brow[0, 0] - 0.002) & (x < brow[4, 0] + 0.002)
    return np.asarray(face & inside & (np.abs(v[:, 1] - height) < half))
