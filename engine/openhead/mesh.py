"""openhead's mesh: one half of the source decimated, mirrored, with eyeballs of a real size.

Its product is a `Mesh` whose vertices are fixed linear mixtures of source vertices (`carry`), so
that every mode of the source, identity or expression, moves it exactly.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from engine.openhead.decimate import decimate
from engine.openhead.ict import RANGES, IctModel
from engine.types import F64, I32

__all__ = ["EYE_CENTRE", "EYE_RADIUS", "Mesh", "build_mesh"]

EYE_CENTRE = np.array([0.0312, 0.0356, 0.0810])
EYE_RADIUS = 0.0125
"""The left eyeball, metres: as far forward as it can lie without passing through the skin anywhere
on a lid's way from open to shut (measured on the source's blink; real eyes have about 12 mm)."""

IRIS_DEG = 27.0  # half angle of the iris: 5.7 mm over 12.5 mm
_EYE_RINGS_DEG = (9.0, 18.0, IRIS_DEG, 38.0, 52.0, 70.0, 90.0, 115.0, 145.0)
_EYE_SEGMENTS = 20

# Half spaces that are kept, (point, inward normal) in the model frame: the neck is cut by a slanted
# plane above the shoulders, teeth lose the roots that nobody sees.
_KEPT = {
    "skin": ((0.0, -0.118, 0.0), (0.0, 1.0, 0.42)),
    "gums_tongue": ((0.0, -1.0, 0.0), (0.0, 1.0, 0.0)),
    "upper_teeth": ((0.0, -0.0205, 0.0), (0.0, -1.0, 0.0)),
    "lower_teeth": ((0.0, -0.0435, 0.0), (0.0, 1.0, 0.0)),
}

_HALF_BUDGET = {"skin": 2010, "gums_tongue": 160, "lower_teeth": 120, "upper_teeth": 170}
"""Vertices kept on one half, midline included."""


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """V vertices as mixtures of the S source vertices, the triangles, and which part each is of."""

    carry: csr_array  # (V, S), rows sum to 1
    triangles: I32  # (F, 3)
    mirror: I32  # (V,)
    part: I32  # (V,) index into PARTS
    source_vertex: I32  # (V,) the source vertex it is, -1 for mixtures


PARTS = ("skin", "mouth_socket", "eye_sockets", "gums_tongue", "upper_teeth", "lower_teeth",
         "eye_left", "eye_right")  # fmt: skip


def build_mesh(
    ict: IctModel, importance: F64, locked_skin: I32, *, full_skin: bool = False
) -> Mesh:
    """Decimate, cut, mirror and add eyeballs.

    Args:
        importance: (S,) weight of the squared surface error at each source vertex.
        locked_skin: source vertices that the mesh must keep (landmarks, lid and lip loops).
        full_skin: leave the skin as fine as the source's; its vertices then include all those of
            the decimated skin.
    """
    shapes = _shape_samples(ict)
    halves = []
    for name, vertices_kept in _HALF_BUDGET.items():
        budget = len(ict.vertices) if full_skin and name == "skin" else vertices_kept
        ranges = ("face", "head_neck", "mouth_socket", "eye_sockets") if name == "skin" else (name,)
        halves.append(_half(ict, shapes, importance, locked_skin, ranges, name, budget))
    carry = vstack([h[0] for h in halves]).tocsr()
    offsets = np.cumsum([0] + [h[0].shape[0] for h in halves])
    triangles = np.concatenate([h[1] + o for h, o in zip(halves, offsets[:-1], strict=True)])
    carry, triangles, mirror = _mirrored(ict, carry, triangles)
    return _with_eyes(ict, carry, triangles, mirror)


def _shape_samples(ict: IctModel) -> F64:
    """(K, S, 3) symmetric heads that the decimation must suit: people, and strong expressions."""
    rng = np.random.default_rng(0)
    shapes = [ict.vertices]
    moving = [n for n in ict.expressions if not n.startswith(("jaw", "mouthClose", "Pupil"))]
    for _ in range(8):
        delta = np.tensordot(rng.standard_normal(len(ict.identity)), ict.identity, 1)
        for name in moving:
            delta += rng.normal(0.0, 0.2) * ict.expressions[name]
        shapes.append(ict.vertices + (delta + delta[ict.mirror] * [-1, 1, 1]) / 2)
    for names in (("jawOpen",), ("mouthSmile_L", "mouthSmile_R"), ("eyeBlink_L", "eyeBlink_R"),
                  ("mouthPucker",), ("browInnerUp_L", "browInnerUp_R", "browOuterUp_L",
                                     "browOuterUp_R", "noseSneer_L", "noseSneer_R")):  # fmt: skip
        delta = np.sum([ict.expressions[n] for n in names], axis=0)
        shapes.append(ict.vertices + (delta + delta[ict.mirror] * [-1, 1, 1]) / 2)
    return np.array(shapes)


def _half(
    ict: IctModel,
    shapes: F64,
    importance: F64,
    locked: I32,
    ranges: tuple[str, ...],
    name: str,
    budget: int,
) -> tuple[csr_array, I32]:
    """The left half (x >= 0) of some parts: (carry of its vertices, triangles)."""
    inside = np.zeros(len(ict.vertices), bool)
    for part in ranges:
        inside[slice(*RANGES[part])] = True
    tri = ict.triangles
    tri = tri[inside[tri].all(1) & (ict.vertices[tri, 0] > -1e-9).all(1)]
    point, inward = _KEPT[name]
    height = (ict.vertices - point) @ np.array(inward)
    carry, tri = _cut(len(ict.vertices), tri, height)
    if carry.shape[0] <= budget:
        return carry, tri
    half_shapes = np.stack([carry @ s for s in shapes])
    on_midline = np.abs(half_shapes[0, :, 0]) < 1e-9
    on_cut = np.abs(carry @ height) < 1e-9
    rail = on_midline * 1 + on_cut * 2
    keep_locked = np.zeros(len(ict.vertices), bool)
    keep_locked[locked] = True
    keep_locked[ict.mirror[locked]] = True
    is_locked = (carry @ keep_locked.astype(float) > 0.999) | (rail == 3)
    kept, tri = decimate(
        half_shapes, tri, budget, carry @ importance, is_locked, rail.astype(np.int32)
    )
    return carry[kept], tri


def _cut(n: int, triangles: I32, height: F64) -> tuple[csr_array, I32]:
    """Keep what lies above height 0; triangles across it are cut.

    Returns: carry (V', n) of the vertices used, triangles into them.
    """
    rows: list[dict[int, float]] = []
    index: dict[tuple[int, int], int] = {}

    def vertex(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in index:
            index[key] = len(rows)
            s = 0.0 if a == b else height[key[0]] / (height[key[0]] - height[key[1]])
            rows.append({key[0]: 1.0} if a == b else {key[0]: 1 - s, key[1]: s})
        return index[key]

    out: list[tuple[int, int, int]] = []
    for corners in triangles.tolist():
        polygon: list[int] = []
        for i in range(3):
            a, b = corners[i], corners[(i + 1) % 3]
            if height[a] >= 0:
                polygon.append(vertex(a, a))
            if (height[a] >= 0) != (height[b] >= 0):
                polygon.append(vertex(a, b))
        out += [(polygon[0], polygon[i], polygon[i + 1]) for i in range(1, len(polygon) - 1)]
    r = [i for i, row in enumerate(rows) for _ in row]
    c = [j for row in rows for j in row]
    w = [x for row in rows for x in row.values()]
    return csr_array(coo_array((w, (r, c)), shape=(len(rows), n))), np.array(out, np.int32)


def _mirrored(ict: IctModel, carry: csr_array, triangles: I32) -> tuple[csr_array, I32, I32]:
    """Add the mirror image of a half; midline vertices are shared."""
    n = carry.shape[0]
    on_midline = np.abs(carry @ ict.vertices[:, 0]) < 1e-9
    sides = np.flatnonzero(~on_midline)
    other = np.arange(n)
    other[sides] = n + np.arange(len(sides))
    swap = csr_array(
        (np.ones(len(ict.mirror)), (np.arange(len(ict.mirror)), ict.mirror)),
        shape=(len(ict.mirror),) * 2,
    )
    both = vstack([carry, carry[sides] @ swap]).tocsr()
    mirror = np.concatenate([other, sides]).astype(np.int32)
    flipped = other[triangles][:, [0, 2, 1]]
    return both, np.concatenate([triangles, flipped]).astype(np.int32), mirror


def _with_eyes(ict: IctModel, carry: csr_array, triangles: I32, mirror: I32) -> Mesh:
    n = carry.shape[0]
    part = _parts_of(carry)
    sphere, sphere_tri = _eyeball()
    left = _as_mixtures(sphere, slice(*RANGES["eye_left"]), ict.vertices)
    right = _as_mixtures(sphere * [-1, 1, 1], slice(*RANGES["eye_right"]), ict.vertices)
    m = len(sphere)
    single = np.diff(carry.indptr) == 1
    source_vertex = np.where(single, carry.indices[carry.indptr[:-1]], -1)
    return Mesh(
        carry=vstack([carry, left, right]).tocsr(),
        triangles=np.concatenate(
            [triangles, sphere_tri + n, sphere_tri[:, [0, 2, 1]] + n + m]
        ).astype(np.int32),
        mirror=np.concatenate([mirror, n + m + np.arange(m), n + np.arange(m)]).astype(np.int32),
        part=np.concatenate([part, np.full(m, 6), np.full(m, 7)]).astype(np.int32),
        source_vertex=np.concatenate([source_vertex, np.full(2 * m, -1)]).astype(np.int32),
    )


def _parts_of(carry: csr_array) -> I32:
    first = carry.indices[carry.indptr[:-1]]
    part = np.zeros(carry.shape[0], np.int32)
    for i, name in enumerate(PARTS[1:6], start=1):
        start, end = RANGES[name]
        part[(first >= start) & (first < end)] = i
    return part


def _eyeball() -> tuple[F64, I32]:
    """The left eyeball: first vertex the front pole, then rings, last the back pole."""
    turn = 2 * np.pi * np.arange(_EYE_SEGMENTS) / _EYE_SEGMENTS
    rings = [
        np.stack(
            [np.sin(a) * np.cos(turn), np.sin(a) * np.sin(turn), np.full_like(turn, np.cos(a))], 1
        )
        for a in np.radians(_EYE_RINGS_DEG)
    ]
    points = np.concatenate([[[0.0, 0.0, 1.0]], *rings, [[0.0, 0.0, -1.0]]])
    s = np.arange(_EYE_SEGMENTS)
    following = (s + 1) % _EYE_SEGMENTS
    last = len(points) - 1
    tri = [np.stack([np.zeros_like(s), 1 + s, 1 + following], 1)]
    for r in range(len(rings) - 1):
        a, b = 1 + r * _EYE_SEGMENTS, 1 + (r + 1) * _EYE_SEGMENTS
        tri.append(np.stack([a + s, b + s, b + following], 1))
        tri.append(np.stack([a + s, b + following, a + following], 1))
    a = last - _EYE_SEGMENTS
    tri.append(np.stack([a + s, np.full_like(s, last), a + following], 1))
    return EYE_CENTRE + EYE_RADIUS * points, np.concatenate(tri).astype(np.int32)


def _as_mixtures(points: F64, part: slice, vertices: F64) -> csr_array:
    """Least-norm affine mixtures of a part's vertices that give the points.

    The source's eyeballs move by similarities (to 0.01 mm), which such mixtures follow exactly.
    """
    source = vertices[part]
    affine = np.concatenate([source.T, np.ones((1, len(source)))])
    target = np.concatenate([points.T, np.ones((1, len(points)))])
    weights = np.linalg.pinv(affine) @ target
    columns = np.tile(np.arange(part.start, part.stop), len(points))
    rows = np.repeat(np.arange(len(points)), len(source))
    shape = (len(points), len(vertices))
    return csr_array(coo_array((weights.T.ravel(), (rows, columns)), shape=shape))
