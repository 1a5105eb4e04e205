"""A made-up head with a known surface: an ellipsoid with nose, eye sockets, lips, chin and ears.

Any mesh can be wrapped around the same surface, so that where a landmark belongs on another mesh
is known exactly. Metres, FLAME's axes. No data of any real head is used.
"""

from collections.abc import Callable

import numpy as np

from engine.flame.model import REGIONS, Contour, HeadModel, Landmarks
from engine.types import F64, I32

AXES_M = np.array([0.075, 0.115, 0.095])
EYE_M = np.array([0.0315, 0.02, 0.068])  # centre of the left eyeball
EYE_RADIUS_M = 0.012
NECK_Y_M = -0.085  # the surface is open below

# Gaussian bumps on the ellipsoid: where (x, y, z sign), how high, how wide; metres.
_BUMPS = (
    ((0.0, -0.015, 1), 0.022, 0.011),  # nose tip
    ((0.0, 0.010, 1), 0.008, 0.009),  # bridge
    ((0.012, -0.022, 1), 0.006, 0.006),  # nostril wings
    ((-0.012, -0.022, 1), 0.006, 0.006),
    ((0.0315, 0.020, 1), -0.010, 0.014),  # eye sockets
    ((-0.0315, 0.020, 1), -0.010, 0.014),
    ((0.030, 0.042, 1), 0.005, 0.012),  # brows
    ((-0.030, 0.042, 1), 0.005, 0.012),
    ((0.0, -0.043, 1), 0.006, 0.008),  # upper lip
    ((0.0, -0.051, 1), -0.004, 0.005),  # mouth
    ((0.0, -0.058, 1), 0.006, 0.008),  # lower lip
    ((0.0, -0.078, 1), 0.010, 0.014),  # chin
)


def icosphere(level: int, turn_rad: float = 0.0) -> tuple[F64, I32]:
    """Unit sphere of 10 * 4**level + 2 vertices, turned about an oblique axis; (V, 3), (F, 3)."""
    golden = (1.0 + 5.0**0.5) / 2.0
    corners = [(0, s, t * golden) for s in (-1, 1) for t in (-1, 1)]
    vertices = np.array([np.roll(c, k) for c in corners for k in range(3)], np.float64)
    vertices /= np.linalg.norm(vertices[0])
    near = np.linalg.norm(vertices[:, None] - vertices[None], axis=2) < 1.1
    faces = np.array(
        [
            (a, b, c)
            for a in range(12)
            for b in range(12)
            for c in range(12)
            if a < b < c and near[a, b] and near[b, c] and near[a, c]
        ]
    )
    for _ in range(level):
        vertices, faces = _split(vertices, faces)
    outward = np.einsum("fd,fd->f", _normals(vertices, faces), vertices[faces].mean(axis=1))
    faces[outward < 0] = faces[outward < 0][:, ::-1]
    axis = np.array([0.36, 0.48, 0.8])
    cross = np.cross(np.eye(3), axis)
    R = np.eye(3) + np.sin(turn_rad) * cross + (1 - np.cos(turn_rad)) * cross @ cross
    return vertices @ R.T, faces.astype(np.int32)


def _split(vertices: F64, faces: I32) -> tuple[F64, I32]:
    pairs = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, inverse = np.unique(pairs, axis=0, return_inverse=True)
    middle = vertices[edges].sum(axis=1)
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    ab, bc, ca = len(vertices) + inverse.reshape(3, -1)
    a, b, c = faces.T
    triangles = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    split = np.concatenate([np.stack(t, axis=1) for t in triangles])
    return np.vstack([vertices, middle]), split


def _normals(vertices: F64, faces: I32) -> F64:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def head_surface(directions: F64) -> F64:
    """(N, 3) unit directions -> (N, 3) points of the head, metres."""
    base = directions * AXES_M
    height = np.zeros(len(base))
    for (x, y, side), size, width in _BUMPS:
        centre = front(np.array([[x, y]]))[0] * [1.0, 1.0, side]
        height += size * np.exp(-((base - centre) ** 2).sum(axis=1) / (2.0 * width**2))
    for side in (-1.0, 1.0):
        centre = np.array([side * AXES_M[0], 0.005, -0.01])
        height += 0.016 * np.exp(-((base - centre) ** 2).sum(axis=1) / (2.0 * 0.012**2))
    outward = directions / AXES_M
    return base + height[:, None] * outward / np.linalg.norm(outward, axis=1, keepdims=True)


def front(xy: F64) -> F64:
    """(N, 2) seen from the front, metres -> (N, 3) on the bare ellipsoid."""
    z = AXES_M[2] * np.sqrt(1.0 - ((xy / AXES_M[:2]) ** 2).sum(axis=1))
    return np.column_stack([xy, z])


def landmark_directions() -> F64:
    """(68, 3) unit directions of iBUG-like points: jaw line, brows, nose, eyes, mouth."""
    jaw = np.linspace(-1.15, 1.15, 17)
    groups = [np.column_stack([-0.062 * np.sin(jaw), -0.08 * np.cos(jaw) + 0.01])]
    groups += [np.column_stack([np.linspace(s, e, 5), np.full(5, 0.042)]) for s, e in _BROWS]
    groups += [np.column_stack([np.zeros(4), np.linspace(0.018, -0.015, 4)])]
    groups += [np.column_stack([np.linspace(-0.012, 0.012, 5), np.full(5, -0.028)])]
    groups += [_ring(side * 0.0315, 0.02, 0.012, 0.005, 6) for side in (-1, 1)]
    groups += [_ring(0.0, -0.05, 0.022, 0.011, 12), _ring(0.0, -0.05, 0.016, 0.003, 8)]
    directions = front(np.vstack(groups)) / AXES_M
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


_BROWS = ((-0.048, -0.014), (0.014, 0.048))


def _ring(x: float, y: float, width: float, height: float, count: int) -> F64:
    angle = np.pi - np.arange(count) * 2.0 * np.pi / count
    return np.column_stack([x + width * np.cos(angle), y + height * np.sin(angle)])


def stay(points: F64) -> F64:
    return points


def bumpy_mesh(
    level: int = 4, turn_rad: float = 0.0, warp: Callable[[F64], F64] = stay
) -> tuple[F64, I32]:
    """Head, open at the neck, and two eyeballs, left first: (V, 3) metres and (F, 3)."""
    sphere, triangles = icosphere(level, turn_rad)
    skin = head_surface(sphere)
    kept = triangles[(skin[triangles][:, :, 1] > NECK_Y_M).all(axis=1)]
    used, kept = np.unique(kept, return_inverse=True)
    parts, faces, count = [skin[used]], [kept.reshape(-1, 3)], len(used)
    ball, ball_faces = icosphere(2, turn_rad)
    for side in (1.0, -1.0):
        parts.append(ball * EYE_RADIUS_M + EYE_M * [side, 1.0, 1.0])
        faces.append(ball_faces + count)
        count += len(ball)
    return warp(np.vstack(parts)), np.concatenate(faces).astype(np.int32)


def locate(directions: F64, sphere: F64, faces: I32) -> Landmarks:
    """Where rays from the origin meet a star-shaped mesh: triangle and barycentrics."""
    corners = sphere[faces]
    inverse = np.linalg.inv(np.swapaxes(corners, 1, 2))
    weights = np.einsum("fij,nj->nfi", inverse, directions)
    worst = weights.min(axis=2)
    idx = np.argmax(np.where(np.isfinite(worst), worst, -np.inf), axis=1)
    bary = np.maximum(weights[np.arange(len(directions)), idx], 0.0)
    bary /= bary.sum(axis=1, keepdims=True)
    return Landmarks(idx.astype(np.int32), bary.astype(np.float32))


def bumpy_head(level: int = 4, n_shape: int = 6, n_expr: int = 4) -> HeadModel:
    """The made-up head as a model with every part that a reference has."""
    vertices, faces = bumpy_mesh(level)
    n_ball = 162
    n_skin = len(vertices) - 2 * n_ball
    skin_faces = faces[(faces < n_skin).all(axis=1)]
    points = landmark_directions()
    located = _on_mesh(points, vertices, skin_faces)
    yaw = np.array([-30.0, 0.0, 30.0], np.float32)
    mediapipe, mediapipe_idx = _mediapipe(vertices, faces, skin_faces, n_skin)
    weights = _weights(vertices, n_skin, n_ball)
    return HeadModel(
        name="bumpy 1",
        licence="none: made up",
        model_id="0" * 64,
        v_template=vertices.astype(np.float32),
        shapedirs=_waves(vertices, n_shape, 0.003, 1),
        exprdirs=_waves(vertices, n_expr, 0.002, 2),
        posedirs=_waves(vertices, 36, 0.0005, 3),
        J_regressor=_regressor(vertices, n_skin, n_ball),
        parents=np.array([-1, 0, 1, 1, 1], np.int32),
        lbs_weights=weights,
        faces=faces,
        regions=_regions(vertices, n_skin),
        landmarks68=located,
        mediapipe=mediapipe,
        mediapipe_idx=mediapipe_idx,
        contour=Contour(
            yaw, np.tile(located.faces_idx[:17], (3, 1)), np.tile(located.bary[:17], (3, 1, 1))
        ),
    )


def _on_mesh(directions: F64, vertices: F64, faces: I32) -> Landmarks:
    """Points of the surface on the mesh: along the direction that each vertex was made from."""
    return locate(head_surface(directions), vertices, faces)


def _mediapipe(vertices: F64, faces: I32, skin_faces: I32, n_skin: int) -> tuple[Landmarks, I32]:
    skin = _on_mesh(landmark_directions()[17:], vertices, skin_faces)
    numbers = [np.arange(51)]
    faces_idx, bary = [skin.faces_idx], [skin.bary]
    rim = np.array(
        [[0.0, 0.0, 1.0], [0.45, 0, 0.9], [0, 0.45, 0.9], [-0.45, 0, 0.9], [0, -0.45, 0.9]]
    )
    n_ball = (len(vertices) - n_skin) // 2
    for first, start, side in ((468, n_skin + n_ball, -1.0), (473, n_skin, 1.0)):
        own = np.flatnonzero((faces >= start).all(axis=1) & (faces < start + n_ball).all(axis=1))
        found = locate(rim, vertices - EYE_M * [side, 1.0, 1.0], faces[own])
        faces_idx.append(own[found.faces_idx].astype(np.int32))
        bary.append(found.bary)
        numbers.append(np.arange(first, first + 5))
    points = Landmarks(np.concatenate(faces_idx), np.concatenate(bary))
    return points, np.concatenate(numbers).astype(np.int32)


def _waves(vertices: F64, count: int, size_m: float, seed: int) -> np.ndarray:
    """Smooth displacement fields, (V, 3, count)."""
    rng = np.random.default_rng(seed)
    frequency = rng.normal(0.0, 15.0, (count, 3))
    phase = rng.uniform(0.0, 2.0 * np.pi, (3, count))
    waves = np.sin((vertices @ frequency.T)[:, None, :] + phase)
    return np.ascontiguousarray(size_m * waves, np.float32)


def _regressor(vertices: F64, n_skin: int, n_ball: int) -> np.ndarray:
    regressor = np.zeros((5, len(vertices)), np.float32)
    for row, y in ((0, -0.08), (1, -0.07), (2, -0.02)):
        ring = np.argsort(np.abs(vertices[:n_skin, 1] - y))[:24]
        regressor[row, ring] = 1.0 / 24
    for row, start in ((3, n_skin), (4, n_skin + n_ball)):
        regressor[row, start : start + n_ball] = 1.0 / n_ball
    return regressor


def _weights(vertices: F64, n_skin: int, n_ball: int) -> np.ndarray:
    weights = np.zeros((len(vertices), 5), np.float32)
    jaw = 1.0 / (1.0 + np.exp((vertices[:, 1] + 0.05) / 0.004)) * (vertices[:, 2] > 0)
    weights[:, 2], weights[:, 1] = jaw, 1.0 - jaw
    weights[n_skin:] = 0.0
    weights[n_skin : n_skin + n_ball, 3] = 1.0
    weights[n_skin + n_ball :, 4] = 1.0
    return weights


def _regions(vertices: F64, n_skin: int) -> dict[str, I32]:
    x, y, z = vertices.T
    skin = np.arange(len(vertices)) < n_skin
    masks = {
        "face": skin & (z > 0.02) & (y > -0.09) & (y < 0.07),
        "eyes": skin & (z > 0.03) & (np.hypot(np.abs(x) - EYE_M[0], y - EYE_M[1]) < 0.018),
        "nose": skin & (z > 0.05) & (np.abs(x) < 0.018) & (y > -0.032) & (y < 0.015),
        "mouth": skin & (z > 0.04) & (np.abs(x) < 0.026) & (y > -0.066) & (y < -0.036),
        "ears": skin & (np.abs(x) > 0.072),
        "forehead": skin & (z > 0.03) & (y > 0.05) & (y < 0.08),
        "scalp": skin & ((y > 0.08) | (z < -0.03)) & (y > -0.04),
        "neck": skin & (y < -0.06) & (z < 0.02),
        "eyeballs": ~skin,
    }
    assert set(REGIONS) <= set(masks)
    return {name: np.flatnonzero(mask).astype(np.int32) for name, mask in masks.items()}
