"""Heads with known parameters, the maps of normals they give, and what a detector would see."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead, surface_points
from engine.frames import camera_from_focal, crop_camera, project
from engine.render.renderer import MeshRenderer
from engine.types import F32, F64, Camera, FaceCrop, FlameParams, NormalMap

CAMERA = camera_from_focal(900.0, 1280, 720)


@dataclass(frozen=True)
class Face:
    """One picture's truth."""

    params: FlameParams
    normals: NormalMap
    landmarks: F32  # (478, 2) frame px, exact
    camera: Camera = CAMERA


def crop_of(face: Face) -> FaceCrop:
    """Its crop, without a picture: for what looks at maps and landmarks alone."""
    image = np.zeros((1, 1, 3), np.uint8)
    return FaceCrop(image, face.normals.crop_from_frame, face.landmarks, 1.0)


def random_params(
    model: HeadModel, rng: np.random.Generator, *, max_yaw_deg: float = 30.0
) -> FlameParams:
    """A face with an expression, somewhere in the picture."""
    yaw = rng.uniform(-max_yaw_deg, max_yaw_deg)
    turn = Rotation.from_euler("yxz", [yaw, rng.normal(0, 8), rng.normal(0, 8)], degrees=True)
    jaw = [rng.exponential(0.1), rng.normal(0, 0.015), 0.0]
    return FlameParams.neutral(model.model_id, model.n_shape, model.n_expr).with_values(
        shape=rng.standard_normal(model.n_shape).astype(np.float32),
        expr=(0.7 * rng.standard_normal(model.n_expr)).astype(np.float32),
        jaw=np.clip(jaw, -0.05, 0.4).astype(np.float32),
        R=turn.as_matrix(),
        t=np.array([rng.normal(0, 0.05), rng.normal(0, 0.03), -rng.uniform(0.5, 0.9)]),
    )


def landmarks_of(model: HeadModel, params: FlameParams, vertices: F32, camera: Camera) -> F32:
    """(478, 2) px; iris rings, which no fit uses, stay at zero."""
    points = surface_points(vertices, model.faces, model.mediapipe)
    pixels = np.zeros((478, 2), np.float32)
    pixels[model.mediapipe_idx] = project(points @ params.R.T + params.t, camera.K)
    return pixels


def crop_around(pixels: F64, size: int, *, roll_deg: float = 0.0) -> F64:
    """(2, 3) frame px -> px of a turned square 1.3 times as large as the points' box."""
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    scale = size / (1.3 * (high - low).max())
    turn = scale * Rotation.from_euler("z", roll_deg, degrees=True).as_matrix()[:2, :2]
    return np.c_[turn, (size - 1) / 2 - turn @ (low + high) / 2]


def rendered_face(
    model: HeadModel,
    renderer: MeshRenderer,
    params: FlameParams,
    *,
    size: int = 128,
    roll_deg: float = 0.0,
    camera: Camera = CAMERA,
) -> Face:
    """The head's true normals on a crop, masked to the region `face` without the mouth's inside."""
    vertices = PosedHead(model).vertices(params)
    landmarks = landmarks_of(model, params, vertices, camera)
    crop = crop_around(landmarks[model.mediapipe_idx].astype(np.float64), size, roll_deg=roll_deg)
    maps = renderer.render_maps(crop_camera(camera, crop, size), vertices, params.R, params.t)
    face = np.zeros((model.n_vertices, 1), np.float32)
    face[model.regions["face"]] = 1.0
    mask = (maps.interpolate(face, model.faces)[..., 0] > 0.99).astype(np.float32)
    normals = NormalMap(maps.head_normals, maps.view_normals, mask, np.ones_like(mask), None, crop)
    return Face(params, normals, landmarks, camera)


def with_noise(normals: NormalMap, deg: float, rng: np.random.Generator) -> NormalMap:
    """Head and view normals turned by smooth random fields of their own, `deg` in the root mean
    square over both directions together.
    """
    head, view = (None if n is None else _turned(n, deg, rng) for n in (normals.head, normals.view))
    return NormalMap(
        head, view, normals.mask, normals.confidence, normals.parsing, normals.crop_from_frame
    )


def _turned(normals: F32, deg: float, rng: np.random.Generator) -> F32:
    size = normals.shape[0]
    field = np.zeros((size, size, 3))
    for sigma in (0.03, 0.1):  # of the map's side
        part = gaussian_filter(rng.standard_normal(field.shape), (sigma * size,) * 2 + (0,))
        field += part / part.std()
    # Two of three components turn a normal.
    field *= np.radians(deg) / np.sqrt(2) / field.std()
    turns = Rotation.from_rotvec(field.reshape(-1, 3))
    turned: F32 = turns.apply(normals.reshape(-1, 3)).reshape(normals.shape).astype(np.float32)
    return turned


def vertex_error_mm(model: HeadModel, a: FlameParams, b: FlameParams) -> float:
    """Mean distance of the face's vertices after rigid alignment."""
    head, face = PosedHead(model), model.regions["face"]
    x, y = head.vertices(a)[face].astype(float), head.vertices(b)[face].astype(float)
    x, y = x - x.mean(0), y - y.mean(0)
    R, _ = Rotation.align_vectors(y, x)
    return float(np.linalg.norm(R.apply(x) - y, axis=1).mean() * 1e3)


def turn_between_deg(a: FlameParams, b: FlameParams) -> float:
    """Angle between two heads' rotations."""
    return float(np.degrees(Rotation.from_matrix(a.R @ b.R.T).magnitude()))
