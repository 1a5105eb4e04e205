"""A widget whose picture engine.render draws, put on the screen in the cheaper of two ways.

Where a graphics card draws, a QOpenGLWidget shows it. Where the processor does, such a widget costs
each pixel of the window three more passes: there heads are drawn in a context without a window, put
into the frame in memory, and shown as an image.
"""

from collections.abc import Callable, Sequence

import cv2
import moderngl
import numpy as np

from app.hud import ShownMeter
from app.qt import QImage, QResizeEvent, QSize, QWidget
from app.qt_gl import card_draws
from app.surfaces import GlSurface, ImageSurface
from app.theme import CANVAS_RGB
from engine.render.context import describe, draws_in_software
from engine.render.overlay import DEFAULT_OPACITY, OverlayStyle, draw_overlay, overlaid
from engine.render.prediction import PredictionMode
from engine.render.renderer import MeshRenderer, RenderMode
from engine.types import U8, Reconstruction

__all__ = ["Canvas", "MakeRenderer", "Place", "heads_over", "letterbox"]

MakeRenderer = Callable[[moderngl.Context], MeshRenderer]
Place = tuple[int, int, int, int]
"""x, y, width, height px."""


def letterbox(canvas: tuple[int, int], picture: tuple[int, int]) -> Place:
    """The largest rectangle of the picture's shape in the middle of the canvas.

    Args: canvas, picture: width, height px.
    Returns: x, y, width, height px, each side at least 1.
    """
    scale = min(canvas[0] / picture[0], canvas[1] / picture[1])
    width, height = max(1, round(picture[0] * scale)), max(1, round(picture[1] * scale))
    return (canvas[0] - width) // 2, (canvas[1] - height) // 2, width, height


def heads_over(
    renderer: MeshRenderer,
    image: U8,
    faces: Sequence[Reconstruction],
    style: OverlayStyle,
    *,
    in_memory: bool,
) -> U8 | None:
    """Draw heads over a frame (H, W, 3) RGB; what `Canvas._draw` returns."""
    if in_memory:
        return overlaid(renderer, image, faces, style)
    draw_overlay(renderer, image, faces, style)
    return None


class Canvas(QWidget):
    """Subclasses say what there is to draw, by `_has_picture`, `_draw` and `_image`."""

    def __init__(
        self,
        make_renderer: MakeRenderer | None,
        n_renderers: int = 1,
        parent: QWidget | None = None,
    ) -> None:
        """Args:
        make_renderer: called so many times whenever there is a new GL context; None: not yet known.
        """
        super().__init__(parent)
        self._make_renderer, self._n_renderers = make_renderer, n_renderers
        self._ctx: moderngl.Context | None = None
        self._renderers: list[MeshRenderer] = []
        self._in_software = False  # then nothing is drawn larger than it is shown
        self._stale = True  # what was drawn is not of the present picture, mode and size
        self._drawn: list[U8] = []  # in memory; on a card it is the renderers' textures
        self._captured_ns: int | None = None
        self.shown_meter = ShownMeter()
        self.mode: RenderMode | PredictionMode = RenderMode.SHADED
        self.opacity = DEFAULT_OPACITY
        self.mirrored = False
        self.n_painted = 0
        """Pictures that reached the screen."""
        self._surface: GlSurface | ImageSurface
        self._surface = GlSurface(self) if card_draws() else ImageSurface(self)
        self._surface.lower()

    @property
    def drawn_by(self) -> str:
        """The OpenGL driver; empty before the first picture."""
        return describe(self._ctx)["renderer"] if self._ctx is not None else ""

    def set_renderer(self, make_renderer: MakeRenderer) -> None:
        """The head model is loaded: draw by this from now on."""
        self._make_renderer = make_renderer
        self._repaint()

    def set_mode(self, mode: RenderMode | PredictionMode) -> None:
        """How heads are drawn."""
        self.mode = mode
        self._repaint()

    def set_opacity(self, opacity: float) -> None:
        """opacity: 0..1 of the heads."""
        self.opacity = opacity
        self._repaint()

    def set_mirrored(self, mirrored: bool) -> None:
        """Show everything the other way round, as a mirror does."""
        self.mirrored = mirrored
        self.update()

    def update(self) -> None:
        """Show what is there once more, soon."""
        self._surface.update()

    def grabFramebuffer(self) -> QImage:
        """What is shown, as a QOpenGLWidget would say it."""
        surface = self._surface
        return surface.grabFramebuffer() if isinstance(surface, GlSurface) else surface.picture()

    def sizeHint(self) -> QSize:
        return QSize(960, 640)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._stale = True  # what is drawn may depend on the widget's size
        self._surface.setGeometry(self.rect())

    def begin_gl(self, ctx: moderngl.Context) -> None:
        """There is another GL context: make everything anew. For surfaces."""
        self._ctx, self._renderers, self._stale = ctx, [], True
        self._in_software = draws_in_software(ctx)

    def end_gl(self) -> None:
        """The context goes. For surfaces."""
        for renderer in self._renderers:
            renderer.release()
        self._renderers, self._ctx = [], None

    def paint_gl(self, screen: moderngl.Framebuffer, size: tuple[int, int]) -> None:
        """Draw on the screen of a QOpenGLWidget; size: width, height in the display's px."""
        renderers = self._ready()
        if renderers and self._stale:
            for which, renderer in enumerate(renderers):
                self._draw(which, renderer, size, in_memory=False)
            self._stale = False
        screen.use()
        screen.ctx.scissor = None
        screen.clear(*CANVAS_RGB, 1.0, viewport=(0, 0, *size))
        if renderers:
            self._show(renderers, screen, size)
            self.n_painted += 1

    def paint_image(self, size: tuple[int, int]) -> tuple[U8, int, int] | None:
        """(h, w, 4) BGRX, and where its upper left corner goes; None: there is nothing yet.

        Args:
            size: width, height in the display's px.
        """
        renderers = self._ready()
        if not renderers:
            return None
        if self._stale:
            drawn = [self._draw(i, r, size, in_memory=True) for i, r in enumerate(renderers)]
            self._drawn = [picture for picture in drawn if picture is not None]
            self._stale = False
        self.n_painted += 1
        picture, left, top = self._image(self._drawn, size)
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGRA), np.uint8), left, top

    def count_shown(self) -> None:
        """What was painted is on the screen. For surfaces."""
        if self._captured_ns is not None and self.n_painted:
            self.shown_meter.shown(self._captured_ns)

    def _ready(self) -> list[MeshRenderer]:
        """The renderers; none while there is nothing to draw."""
        if self._ctx is None or self._make_renderer is None or not self._has_picture():
            return []
        if not self._renderers:
            self._renderers = [self._make_renderer(self._ctx) for _ in range(self._n_renderers)]
        return self._renderers

    def _has_picture(self) -> bool:
        raise NotImplementedError

    def _draw(
        self, which: int, renderer: MeshRenderer, size: tuple[int, int], *, in_memory: bool
    ) -> U8 | None:
        """Draw one renderer's picture for a canvas of size.

        Returns: it, (H, W, 3) RGB, where it is wanted in memory.
        """
        raise NotImplementedError

    def _show(
        self,
        renderers: Sequence[MeshRenderer],
        screen: moderngl.Framebuffer,
        size: tuple[int, int],
    ) -> None:
        """Put the renderers' pictures on the screen."""
        place = letterbox(size, renderers[0].texture.size)
        renderers[0].blit_to(screen, place, mirrored=self.mirrored)

    def _image(self, drawn: Sequence[U8], size: tuple[int, int]) -> tuple[U8, int, int]:
        """The same in memory: (h, w, 3) RGB, and where its upper left corner goes."""
        return self._fitted(drawn[0], size)

    def _fitted(self, picture: U8, size: tuple[int, int]) -> tuple[U8, int, int]:
        """A picture as large as it fits into size, mirrored where asked, and its place there."""
        left, top, width, height = letterbox(size, picture.shape[1::-1])
        if picture.shape[1::-1] != (width, height):
            picture = np.asarray(cv2.resize(picture, (width, height)), np.uint8)
        if self.mirrored:
            picture = np.asarray(cv2.flip(picture, 1), np.uint8)
        return picture, left, top

    def _repaint(self) -> None:
        self._stale = True
        self.update()
