"""Draws the fitted heads without the photo, by a camera that a person moves."""

import numpy as np

from app.orbit import Orbit
from app.view import View
from engine.render.prediction import PredictionMode
from engine.render.renderer import MeshRenderer, PhotoSource, RenderMode
from engine.render.view import view_of
from engine.types import F32, F64, U8, Camera, Reconstruction

__all__ = ["TRANSPARENT", "Avatar"]

TRANSPARENT = "transparent"
_SQUARE_PX = 16
_SQUARES = (120, 150)  # grey levels of the pattern that stands for nothing
_NO_VERTICES: F32 = np.zeros((0, 3), np.float32)


class Avatar:
    """Remembers where the camera stands, and about which point of the head it walks."""

    def __init__(self) -> None:
        self.orbit = Orbit()
        self._centres: dict[int, F64] = {}
        self._pattern: U8 | None = None

    def draw(
        self,
        renderer: MeshRenderer,
        view: View,
        mode: RenderMode | PredictionMode,
        size: tuple[int, int],
        backdrop: str,
        *,
        for_screen: bool = False,
    ) -> None:
        """Draw the first head of a view into the renderer's framebuffer.

        Args:
            mode: those that need the photo's pixels are drawn shaded.
            size: width, height px.
            backdrop: "#rrggbb" or "transparent".
            for_screen: what is transparent shows the usual pattern of squares.
        """
        camera = self.orbit.camera(*size)
        background = self._background(size, backdrop, for_screen=for_screen)
        if not view.faces or view.frame is None:
            rest = np.eye(3), np.zeros(3)
            renderer.draw(
                camera, _NO_VERTICES, *rest, mode=RenderMode.LANDMARKS, background=background
            )
            return
        face = view.faces[0]
        texture = None
        if isinstance(mode, PredictionMode) or mode is RenderMode.LANDMARKS:
            mode = RenderMode.SHADED
        elif mode is RenderMode.TEXTURE:
            params = face.params
            if view_of(face.camera, face.vertices, params.R, params.t) is None:
                mode = RenderMode.SHADED  # the photo shows nothing of the head
            else:
                photo = view.frame.image
                texture = PhotoSource(photo, face.camera, face.vertices, params.R, params.t)
        camera, R, t = self.stand(face, *size)
        renderer.draw(
            camera, face.vertices, R, t, mode=mode, background=background, texture_from=texture
        )

    def stand(self, face: Reconstruction, width: int, height: int) -> tuple[Camera, F64, F64]:
        """The camera as it stands, for a picture of width x height px, and where the head is.

        Returns: camera, R (3, 3) and t (3,) metres, view from model.
        """
        R, t = self.orbit.place(face.params.R, self._centre(face))
        return self.orbit.camera(width, height), R, t

    def _centre(self, face: Reconstruction) -> F64:
        """(3,) metres, model frame: stays where it was when a face was first seen."""
        face_id = face.crop.face_id
        if face_id not in self._centres:
            bounds = face.vertices.min(axis=0), face.vertices.max(axis=0)
            self._centres = {face_id: np.mean(bounds, axis=0).astype(np.float64)}
        return self._centres[face_id]

    def _background(self, size: tuple[int, int], backdrop: str, *, for_screen: bool) -> U8 | None:
        if backdrop == TRANSPARENT and not for_screen:
            return None
        width, height = size
        if backdrop != TRANSPARENT:
            colour = [int(backdrop[i : i + 2], 16) for i in (1, 3, 5)]
            return np.full((height, width, 3), colour, np.uint8)
        if self._pattern is None or self._pattern.shape[:2] != (height, width):
            y, x = np.mgrid[0:height, 0:width] // _SQUARE_PX
            grey = np.where((x + y) % 2, *_SQUARES).astype(np.uint8)
            self._pattern = np.ascontiguousarray(
                np.broadcast_to(grey[..., None], (height, width, 3))
            )
        return self._pattern
