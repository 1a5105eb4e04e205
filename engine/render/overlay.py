"""Heads over the frame that they were fitted to: for the window, pictures and videos alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import moderngl
import numpy as np

from engine.flame.model import HeadModel
from engine.frames import default_camera
from engine.render.appearance import head_surface
from engine.render.closing import Closing
from engine.render.context import draws_in_software, headless_context
from engine.render.normal_error import paint_normal_errors
from engine.render.prediction import PredictionMode, paint_predictions
from engine.render.renderer import MeshRenderer, RenderMode
from engine.types import F32, F64, U8, Camera, Reconstruction

__all__ = [
    "DEFAULT_OPACITY",
    "OverlayPainter",
    "OverlayStyle",
    "draw_overlay",
    "head_renderer",
    "overlaid",
]

DEFAULT_OPACITY = 0.85
MAX_SIDE_PX = 4096
"""Larger frames are drawn scaled down to this; every OpenGL 3.3 driver can draw it."""

_NO_VERTICES: F32 = np.zeros((0, 3), np.float32)


def head_renderer(ctx: moderngl.Context, model: HeadModel, *, live: bool = False) -> MeshRenderer:
    """A renderer of this head, coloured by region.

    Args:
        live: where the processor draws, speed goes before smooth edges and small highlights.
    """
    quick = live and draws_in_software(ctx)
    return MeshRenderer(
        ctx,
        model.faces,
        surface=head_surface(model),
        samples=0 if quick else 4,
        lit_at_vertices=quick,
    )


@dataclass(frozen=True, slots=True, eq=False)
class OverlayStyle:
    """How heads are drawn over a frame."""

    mode: RenderMode | PredictionMode  # of heads, or which of a network's maps instead of them
    opacity: float  # 0..1 of the heads or maps
    fades: Sequence[float] | None = None
    """0..1 for each face, that its head's opacity is multiplied by; None: 1."""
    largest: tuple[int, int] | None = None
    """Width, height px that the picture is wanted at; larger frames are drawn so."""
    colours: F32 | None = None
    """(V, 3) sRGB-encoded 0..1: heads are drawn in these, whichever RenderMode mode is, and do not
    fade."""

    def opacity_of(self, face: int) -> float:
        """0..1 of a face's head, by its place among the faces."""
        fades = self.fades if self.colours is None else None
        return self.opacity if fades is None else self.opacity * fades[face]


def draw_overlay(
    renderer: MeshRenderer, image: U8, faces: Sequence[Reconstruction], style: OverlayStyle
) -> None:
    """Draw a frame and the heads fitted to it into the renderer's framebuffer.

    Args:
        image: (H, W, 3) RGB; drawn smaller where a side is over MAX_SIDE_PX.
        faces: fitted to this image, in the order of drawing.
    """
    image, faces, mode, drawn_from_frame = _prepared(renderer, image, faces, style)
    if not faces:
        camera = default_camera(image.shape[1], image.shape[0])
        # Landmarks mode without landmarks: the frame alone.
        renderer.draw(
            camera,
            _NO_VERTICES,
            np.eye(3),
            np.zeros(3),
            mode=RenderMode.LANDMARKS,
            background=image,
        )
    for i, face in enumerate(faces):
        camera = Camera(drawn_from_frame @ face.camera.K, image.shape[1], image.shape[0])
        placed = (camera, face.vertices, face.params.R, face.params.t)
        under = image if i == 0 else renderer.read()
        opacity = style.opacity_of(i)
        if style.colours is not None:
            renderer.draw_coloured(
                *placed, colours=style.colours, background=under, opacity=opacity
            )
            continue
        renderer.draw(
            *placed,
            mode=mode,
            background=under,
            opacity=opacity,
            landmarks_px=_moved(face.landmarks68_px, drawn_from_frame),
        )


def overlaid(
    renderer: MeshRenderer, image: U8, faces: Sequence[Reconstruction], style: OverlayStyle
) -> U8:
    """(H, W, 3) RGB: what `draw_overlay` draws, put together in memory; args as there.

    Without faces it may be the image itself, which nobody may write into then.
    """
    given = image
    image, faces, mode, drawn_from_frame = _prepared(renderer, image, faces, style)
    if faces and image is given:
        image = image.copy()
    for i, face in enumerate(faces):
        renderer.draw_onto(
            image,
            Camera(drawn_from_frame @ face.camera.K, image.shape[1], image.shape[0]),
            face.vertices,
            face.params.R,
            face.params.t,
            mode=mode,
            opacity=style.opacity_of(i),
            landmarks_px=_moved(face.landmarks68_px, drawn_from_frame),
            colours=style.colours,
        )
    return image


def _prepared(
    renderer: MeshRenderer, image: U8, faces: Sequence[Reconstruction], style: OverlayStyle
) -> tuple[U8, Sequence[Reconstruction], RenderMode, F64]:
    """The image as large as it is drawn and with a network's maps, where they are to be seen; what
    is still to be drawn over it and how; (3, 3) its pixels from the frame's."""
    mode = style.mode
    if mode is PredictionMode.ERROR:
        image, faces = paint_normal_errors(renderer, image, faces, style.opacity), ()
        mode = RenderMode.LANDMARKS
    elif isinstance(mode, PredictionMode):
        maps = [face.normals for face in faces if face.normals is not None]
        image, faces = paint_predictions(image, maps, mode, style.opacity), ()
        mode = RenderMode.LANDMARKS
    height, width = image.shape[:2]
    bounds = style.largest or (MAX_SIDE_PX, MAX_SIDE_PX)
    scale = min(1.0, MAX_SIDE_PX / max(height, width), bounds[0] / width, bounds[1] / height)
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        # Down to a half, two pixels each way see all: several times as fast as by area.
        how = cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA
        image = cv2.resize(image, size, interpolation=how).astype(np.uint8, copy=False)
    return image, faces, mode, _scaling(image.shape[1] / width, image.shape[0] / height)


def _scaling(across: float, down: float) -> F64:
    """(3, 3) pixel to pixel when an image is resized: (0, 0) is the centre of the first pixel."""
    return np.array(
        [[across, 0.0, (across - 1.0) / 2], [0.0, down, (down - 1.0) / 2], [0.0, 0.0, 1.0]]
    )


def _moved(points: F32, dst_from_src: F64) -> F32:
    moved: F32 = (points @ dst_from_src[:2, :2].T + dst_from_src[:2, 2]).astype(np.float32)
    return moved


class OverlayPainter(Closing):
    """Draws overlays without a window. Made, used and closed by one thread."""

    def __init__(self, model: HeadModel) -> None:
        """Raises: ProviderError: if there is no OpenGL without a display."""
        self._closed = False
        self._ctx = headless_context()
        self._renderer = head_renderer(self._ctx, model)

    def paint(
        self,
        image: U8,
        faces: Sequence[Reconstruction],
        *,
        mode: RenderMode | PredictionMode = RenderMode.SHADED,
        opacity: float = DEFAULT_OPACITY,
        colours: F32 | None = None,
    ) -> U8:
        """(H, W, 3) RGB: the image with the heads over it; args as of `OverlayStyle`."""
        style = OverlayStyle(mode, opacity, colours=colours)
        draw_overlay(self._renderer, image, faces, style)
        return self._renderer.read()

    def close(self) -> None:
        """Free the GPU. Safe to call twice."""
        if not self._closed:
            self._renderer.release()
            self._ctx.release()
        self._closed = True
