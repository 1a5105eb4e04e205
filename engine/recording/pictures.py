"""Draws shots without a window: for films, screenshots and virtual cameras."""

import moderngl
import numpy as np

from engine.flame.model import HeadModel
from engine.recording.shot import Content, Look, Shot
from engine.render.closing import Closing
from engine.render.context import headless_context
from engine.render.overlay import OverlayStyle, head_renderer, overlaid
from engine.render.prediction import PredictionMode
from engine.render.renderer import MeshRenderer, PhotoSource, RenderMode
from engine.render.trust_mark import marked
from engine.types import U8, Reconstruction

__all__ = ["ShotPainter"]


class ShotPainter(Closing):
    """Made, used and closed by one thread; sets up OpenGL when heads are first to be drawn."""

    def __init__(self, model: HeadModel, *, live: bool = False) -> None:
        """live: where the processor draws, speed goes before smooth edges."""
        self._model, self._live = model, live
        self._ctx: moderngl.Context | None = None
        self._made: MeshRenderer | None = None

    @property
    def _renderer(self) -> MeshRenderer:
        if self._made is None:
            self._ctx = headless_context()
            self._made = head_renderer(self._ctx, self._model, live=self._live)
        return self._made

    def picture(self, shot: Shot, content: Content, look: Look) -> U8:
        """(H, W, 3) RGB; a side-by-side is twice as wide. Doubtful heads are framed in amber.

        Raises: ValueError: if the shot has no picture. ProviderError: without OpenGL, or for a
            picture that it cannot draw.
        """
        image = _image_of(shot)
        if content is Content.VIDEO:
            return _turned(image, look)
        if content is Content.OVERLAY:
            fades = [look.fade(face.quality) for face in shot.faces]
            style = OverlayStyle(look.mode, look.opacity, fades)
            drawn = _turned(overlaid(self._renderer, image, shot.faces, style), look)
        else:
            drawn = _turned(self._avatar(shot, image, look), look)
            if content is Content.SIDE_BY_SIDE:
                drawn = np.hstack([_turned(image, look), drawn])
        return marked(drawn, shot.faces)

    def cutout(self, shot: Shot, look: Look) -> U8:
        """(H, W, 4) RGBA: the heads alone on nothing, alpha not multiplied in.

        The frame of doubtful ones is opaque. Raises: as `picture`.
        """
        image = _image_of(shot)
        below = np.zeros((*image.shape[:2], 4), np.uint8)
        for face in shot.faces:
            self._draw(face, image, look, None)
            below = _over(self._renderer.read(alpha=True), below)
        return marked(_turned(below, look), shot.faces)

    def _avatar(self, shot: Shot, image: U8, look: Look) -> U8:
        picture = np.full_like(image, look.background)
        for face in shot.faces:
            self._draw(face, image, look, picture)
            picture = self._renderer.read()
        return picture

    def _draw(self, face: Reconstruction, image: U8, look: Look, background: U8 | None) -> None:
        # The network's maps belong to the picture: an avatar has none.
        mode = RenderMode.SHADED if isinstance(look.mode, PredictionMode) else look.mode
        R, t = face.params.R, face.params.t
        photo = PhotoSource(image, face.camera, face.vertices, R, t)
        camera = face.camera
        if look.stand is not None:
            height, width = image.shape[:2]
            camera, R, t = look.stand(face, width, height)
            # The dots of landmarks belong to the source's picture.
            mode = RenderMode.SHADED if mode is RenderMode.LANDMARKS else mode
        self._renderer.draw(
            camera,
            face.vertices,
            R,
            t,
            mode=mode,
            background=background,
            landmarks_px=face.landmarks68_px,
            texture_from=photo if mode is RenderMode.TEXTURE else None,
        )

    def close(self) -> None:
        """Free the GPU. Safe to call twice."""
        if self._made is not None:
            self._made.release()
        if self._ctx is not None:
            self._ctx.release()
        self._made = self._ctx = None


def _image_of(shot: Shot) -> U8:
    if shot.image is None:
        raise ValueError("the shot was taken without its picture")
    return shot.image


def _turned(picture: U8, look: Look) -> U8:
    return np.ascontiguousarray(picture[:, ::-1]) if look.mirrored else picture


def _over(upper: U8, lower: U8) -> U8:
    """(H, W, 4) RGBA over (H, W, 4) RGBA, alpha not multiplied in."""
    covers = upper[..., 3:] / np.float32(255.0)
    shines = (1.0 - covers) * lower[..., 3:] / np.float32(255.0)
    alpha = covers + shines
    mixed = upper[..., :3] * covers + lower[..., :3] * shines
    colour = np.divide(mixed, alpha, out=np.zeros_like(mixed), where=alpha > 0)
    rgba = np.concatenate([colour, 255.0 * alpha], axis=2)
    rounded: U8 = np.rint(rgba).astype(np.uint8)
    return rounded
