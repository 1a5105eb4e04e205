"""All axis flips, projections and pixel conventions. Nothing else in the project flips an axis.

Model frame: FLAME's, metres, +x subject's left, +y up, +z out of the face.
View frame: camera at the origin, +x right, +y up, +z to the viewer. Upright frontal head: R = I,
t_z < 0.
Pixels: (x, y), y down, (0, 0) = centre of the first pixel. NDC: OpenGL, -1..1, y up.
"""

import numpy as np

from engine.types import F32, F64, Camera

__all__ = [
    "camera_from_focal",
    "clip_from_view",
    "crop_camera",
    "default_camera",
    "focal_px_from_35mm",
    "project",
    "project_columns",
    "project_with_slopes",
    "view_from_crop",
    "view_from_model",
]

DEFAULT_FOCAL_RATIO = 1.2
"""Focal length over the longer image side where nothing is known: 45 degrees, a usual webcam."""
_FLIPS_YZ = np.outer([1.0, -1.0, -1.0], [1.0, -1.0, -1.0])
"""What axes on both sides of a matrix that are turned about x do to its entries."""


def camera_from_focal(focal_px: float, width: int, height: int) -> Camera:
    """Camera with square pixels and its principal point in the middle of the image."""
    if not focal_px > 0:
        raise ValueError(f"focal length must be positive, got {focal_px} px")
    K = np.array(
        [[focal_px, 0.0, (width - 1) / 2], [0.0, focal_px, (height - 1) / 2], [0.0, 0.0, 1.0]]
    )
    return Camera(K=K, width=width, height=height)


def default_camera(width: int, height: int) -> Camera:
    """Camera for an image of unknown origin: focal length 1.2 x its longer side."""
    return camera_from_focal(DEFAULT_FOCAL_RATIO * max(width, height), width, height)


def focal_px_from_35mm(focal_35mm: float, width: int, height: int) -> float:
    """EXIF's FocalLengthIn35mmFilm to pixels, by the diagonal (film: 43.27 mm; CIPA DC-008)."""
    return focal_35mm * float(np.hypot(width, height)) / float(np.hypot(36.0, 24.0))


def crop_camera(camera: Camera, crop_from_frame: F64, size: int) -> Camera:
    """The camera that sees a crop: K_crop = crop_from_frame @ K, size x size px."""
    lifted = np.eye(3)
    lifted[:2] = crop_from_frame
    return Camera(K=lifted @ camera.K, width=size, height=size)


def view_from_crop(camera: Camera, crop_from_frame: F64, size: int) -> F64:
    """(3, 3) rotation from the crop-view frame to the view frame.

    The crop-view frame is that of the camera turned about its centre until its axis goes through
    the middle of the crop and its x axis runs along the crop's upper edge: all that a network
    which sees nothing but the crop can know of directions.
    """
    middle = (size - 1) / 2
    rays = np.linalg.inv(crop_camera(camera, crop_from_frame, size).K)  # of pixels, homogeneous
    ahead = rays @ np.array([middle, middle, 1.0])
    z = ahead / np.sqrt(ahead @ ahead)
    x = rays[:, 0] - (rays[:, 0] @ z) * z  # the next pixel to the right lies that way
    x /= np.sqrt(x @ x)
    y = (z[1] * x[2] - z[2] * x[1], z[2] * x[0] - z[0] * x[2], z[0] * x[1] - z[1] * x[0])
    # K looks along +z with y down; the view frame along -z with y up.
    rotation: F64 = np.array([x, y, z]).T * _FLIPS_YZ
    return rotation


def project(points: F32 | F64, K: F64) -> F64:
    """View frame (..., 3) metres, z < 0 -> pixels (..., 2), y down."""
    x, y, z = np.moveaxis(np.asarray(points, np.float64), -1, 0)
    homogeneous = np.stack([x / -z, y / z, np.ones_like(z)], axis=-1)
    pixels: F64 = homogeneous @ K[:2].T
    return pixels


def project_columns(points: F32 | F64, K: F64) -> F64:
    """`project` of many points whose coordinates come first: (3, N) metres -> (2, N) px, y down."""
    pixels: F64 = _flipped(K) @ (points[:2] * (-1.0 / points[2])) + K[:2, 2:]
    return pixels


def project_with_slopes(points: F64, K: F64) -> tuple[F64, F64]:
    """`project_columns`, and how the pixels change with the points.

    Args:
        points: (3, N) view frame, metres, z < 0.
    Returns: (2, N) px, y down; (2, 3, N) px per metre.
    """
    near, scale = -1.0 / points[2], _flipped(K)
    from_middle = scale @ (points[:2] * near)
    slopes = np.empty((2, 3, points.shape[1]))
    np.multiply(scale[:, :, None], near, out=slopes[:, :2])
    np.multiply(from_middle, near, out=slopes[:, 2])
    return from_middle + K[:2, 2:], slopes


def _flipped(K: F64) -> F64:
    """(2, 2) px per focal plane's unit, for a y that points up."""
    flipped: F64 = K[:2, :2] * [1.0, -1.0]
    return flipped


def view_from_model(R: F64, t: F64) -> F64:
    """(4, 4) transform of model-frame points into the view frame."""
    matrix = np.eye(4)
    matrix[:3, :3] = R
    matrix[:3, 3] = t
    return matrix


def clip_from_view(camera: Camera, near: float, far: float) -> F64:
    """(4, 4) OpenGL projection that puts every view-frame point on its pixel of `project`.

    Args:
        camera: what sees the scene.
        near, far: metres, 0 < near < far, distances of the clip planes.
    """
    if not 0.0 < near < far:
        raise ValueError(f"clip planes must satisfy 0 < near < far, got {near}, {far}")
    # Pixel from view, homogeneous with w = -z; then NDC x = 2(u+.5)/W - 1, y = 1 - 2(v+.5)/H.
    pixel_from_view = camera.K @ np.diag([1.0, -1.0, -1.0])
    ndc_from_pixel = np.array(
        [
            [2.0 / camera.width, 0.0, 1.0 / camera.width - 1.0],
            [0.0, -2.0 / camera.height, 1.0 - 1.0 / camera.height],
            [0.0, 0.0, 1.0],
        ]
    )
    rows = ndc_from_pixel @ pixel_from_view
    matrix = np.zeros((4, 4))
    matrix[0, :3] = rows[0]
    matrix[1, :3] = rows[1]
    matrix[2] = [0.0, 0.0, -(far + near) / (far - near), -2.0 * far * near / (far - near)]
    matrix[3, :3] = rows[2]
    return matrix
