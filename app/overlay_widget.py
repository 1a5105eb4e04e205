"""The picture: a QOpenGLWidget that hosts engine.render. All GL is made, used and freed here."""

from collections.abc import Callable

import moderngl

from app.qt import QOpenGLWidget, QSize, QWidget
from app.qt_gl import attach
from app.theme import CANVAS_RGB
from app.view import View
from engine.render.overlay import DEFAULT_OPACITY, draw_overlay
from engine.render.prediction import PredictionMode
from engine.render.renderer import MeshRenderer, RenderMode

__all__ = ["OverlayWidget", "letterbox"]


def letterbox(canvas: tuple[int, int], picture: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest rectangle of the picture's shape in the middle of the canvas.

    Args: canvas, picture: width, height px.
    Returns: x, y, width, height px, each side at least 1.
    """
    scale = min(canvas[0] / picture[0], canvas[1] / picture[1])
    width, height = max(1, round(picture[0] * scale)), max(1, round(picture[1] * scale))
    return (canvas[0] - width) // 2, (canvas[1] - height) // 2, width, height


class OverlayWidget(QOpenGLWidget):
    """Shows the frame of a view with its heads drawn over it."""

    def __init__(
        self,
        make_renderer: Callable[[moderngl.Context], MeshRenderer],
        parent: QWidget | None = None,
    ) -> None:
        """make_renderer: called whenever Qt gives the widget a new GL context."""
        super().__init__(parent)
        self._make_renderer = make_renderer
        self._ctx: moderngl.Context | None = None
        self._renderer: MeshRenderer | None = None
        self._view: View | None = None
        self._stale = True  # the renderer's picture is not of the present view and settings
        self.mode: RenderMode | PredictionMode = RenderMode.SHADED
        self.opacity = DEFAULT_OPACITY
        self.mirrored = False
        self.n_painted = 0
        """Pictures that reached the screen."""

    def show_view(self, view: View) -> None:
        """Draw this view from now on."""
        self._view = view
        self._repaint()

    def set_mode(self, mode: RenderMode | PredictionMode) -> None:
        self.mode = mode
        self._repaint()

    def set_opacity(self, opacity: float) -> None:
        """opacity: 0..1 of the head."""
        self.opacity = opacity
        self._repaint()

    def set_mirrored(self, mirrored: bool) -> None:
        """Show everything the other way round, as a mirror does."""
        self.mirrored = mirrored
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(960, 640)

    def initializeGL(self) -> None:
        # Runs again after the widget moved to another window: everything is made anew.
        self.context().aboutToBeDestroyed.connect(self._free)
        self._ctx = attach()
        self._renderer = self._make_renderer(self._ctx)
        self._stale = True

    def paintGL(self) -> None:
        if self._ctx is None or self._renderer is None:
            return
        frame = self._view.frame if self._view is not None else None
        if frame is not None and self._stale:
            faces = self._view.faces if self._view is not None else ()
            draw_overlay(self._renderer, frame.image, faces, mode=self.mode, opacity=self.opacity)
            self._stale = False
        # Qt draws into a framebuffer of its own, another one after each resize.
        screen = self._ctx.detect_framebuffer(self.defaultFramebufferObject())
        ratio = self.devicePixelRatioF()
        size = (max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio)))
        screen.use()
        self._ctx.scissor = None
        screen.clear(*CANVAS_RGB, 1.0, viewport=(0, 0, *size))
        if frame is not None:
            place = letterbox(size, self._renderer.texture.size)
            self._renderer.blit_to(screen, place, mirrored=self.mirrored)
            self.n_painted += 1

    def _repaint(self) -> None:
        self._stale = True
        self.update()

    def _free(self) -> None:
        self.makeCurrent()
        if self._renderer is not None:
            self._renderer.release()
        self._renderer = self._ctx = None
        self.doneCurrent()
