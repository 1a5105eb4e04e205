"""Where a fitted head's normals differ from those that a network sees, in colours on the photo."""

from collections.abc import Sequence

import numpy as np

from engine.frames import crop_camera
from engine.render.prediction import coloured_angles, paint_map
from engine.render.renderer import MeshRenderer
from engine.types import F32, U8, Reconstruction

__all__ = ["paint_normal_errors"]

_LEAST_MASK = 0.5


def paint_normal_errors(
    renderer: MeshRenderer, image: U8, faces: Sequence[Reconstruction], opacity: float
) -> U8:
    """A copy of the image with the angles on it; faces without view normals leave no trace.

    Args:
        image: (H, W, 3) RGB of the frame that the faces were fitted to.
        opacity: 0..1.
    """
    painted = image.copy()
    for face in faces:
        seen = face.normals
        if seen is None or (view := seen.view) is None:
            continue
        size = seen.mask.shape[0]
        camera = crop_camera(face.camera, seen.crop_from_frame, size)
        maps = renderer.render_maps(camera, face.vertices, face.params.R, face.params.t)
        cosines = (maps.view_normals * view).sum(axis=2)
        angles: F32 = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))).astype(np.float32)
        shown = (maps.triangles >= 0) & (seen.mask > _LEAST_MASK)
        alpha = shown.astype(np.float32) * np.float32(opacity)
        paint_map(painted, coloured_angles(angles), alpha, seen.crop_from_frame)
    return painted
