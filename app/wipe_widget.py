"""One picture, two ways to see it: a line to drag, left of it the one side, right of it the other.

One QOpenGLWidget draws both halves, so that there is one GL context and both are of one frame.
"""

from collections.abc import Callable
from dataclasses import dataclass

import moderngl

from app.overlay_widget import letterbox
from app.qt import QMouseEvent, QOpenGLWidget, QSize, Qt, QWidget, pyqtSignal
from app.qt_gl import attach
from app.qt_screen import QtScreen, size_px
from app.theme import CANVAS_RGB
from engine.render.overlay import DEFAULT_OPACITY, draw_overlay
from engine.render.renderer import MeshRenderer, RenderMode
from engine.types import F32, U8, Reconstruction

__all__ = ["WipeSide", "WipeWidget"]

_LINE_PX = 2
_GRIP_PX = (8, 44)
_LINE_RGB = (0.95, 0.95, 0.95)
_NUMBERS_OPACITY = 1.0
"""Of heads whose colours stand for numbers: a photo that shines through would change them."""


@dataclass(frozen=True, slots=True, eq=False)
class WipeSide:
    """What one side shows over the picture."""

    faces: tuple[Reconstruction, ...] = ()
    colours: F32 | None = None  # (V, 3) sRGB-encoded 0..1, in place of the mode's


class WipeWidget(QOpenGLWidget):
    """Give it pairs with `show_pair`; dragging anywhere moves the line."""

    split_changed = pyqtSignal(float)

    def __init__(
        self,
        make_renderer: Callable[[moderngl.Context], MeshRenderer],
        parent: QWidget | None = None,
    ) -> None:
        """make_renderer: called twice whenever Qt gives the widget a new GL context."""
        super().__init__(parent)
        self._make_renderer = make_renderer
        self._ctx: moderngl.Context | None = None
        self._screen = QtScreen()
        self._renderers: list[MeshRenderer] = []
        self._image: U8 | None = None
        self._sides = (WipeSide(), WipeSide())
        self._stale = True  # the renderers' pictures are not of the present pair and mode
        self.mode = RenderMode.SHADED
        self.opacity = DEFAULT_OPACITY
        self.mirrored = False
        self.split = 0.5
        """Where the line is, 0..1 of the picture's width on the screen."""
        self.n_painted = 0
        """Pairs that reached the screen."""
        self.setCursor(Qt.CursorShape.SplitHCursor)

    @property
    def shown(self) -> U8 | None:
        """The picture under the heads."""
        return self._image

    def show_pair(self, image: U8 | None, left: WipeSide, right: WipeSide) -> None:
        """Draw this from now on. image: (H, W, 3) RGB that both were fitted to; None: nothing."""
        self._image, self._sides = image, (left, right)
        self._repaint()

    def set_mode(self, mode: RenderMode) -> None:
        """How heads without colours of their own are drawn."""
        self.mode = mode
        self._repaint()

    def set_opacity(self, opacity: float) -> None:
        """opacity: 0..1 of such heads."""
        self.opacity = opacity
        self._repaint()

    def set_mirrored(self, mirrored: bool) -> None:
        """Show everything the other way round; the sides stay where they are."""
        self.mirrored = mirrored
        self.update()

    def set_split(self, split: float) -> None:
        """Move the line; split: 0..1, cut off there."""
        split = min(max(split, 0.0), 1.0)
        if split != self.split:
            self.split = split
            self.split_changed.emit(split)
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(960, 640)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._drag(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._drag(event)

    def _drag(self, event: QMouseEvent) -> None:
        if self._image is None or not event.buttons() & Qt.MouseButton.LeftButton:
            return
        height, width = self._image.shape[:2]
        x, _, across, _ = letterbox((self.width(), self.height()), (width, height))
        self.set_split((event.position().x() - x) / across)

    def initializeGL(self) -> None:
        # Runs again after the widget moved to another window: everything is made anew.
        self.context().aboutToBeDestroyed.connect(self._free)
        self._ctx = attach()
        self._renderers = [self._make_renderer(self._ctx) for _ in self._sides]
        self._stale = True

    def paintGL(self) -> None:
        if self._ctx is None:
            return
        if self._image is not None and self._stale:
            for renderer, side in zip(self._renderers, self._sides, strict=True):
                self._draw(renderer, self._image, side)
            self._stale = False
        size = size_px(self)
        screen = self._screen.of(self._ctx, self.defaultFramebufferObject(), size)
        screen.use()
        self._ctx.scissor = None
        screen.clear(*CANVAS_RGB, 1.0, viewport=(0, 0, *size))
        if self._image is not None:
            self._show(screen, letterbox(size, self._renderers[0].texture.size))
            self.n_painted += 1

    def _draw(self, renderer: MeshRenderer, image: U8, side: WipeSide) -> None:
        opacity = self.opacity if side.colours is None else _NUMBERS_OPACITY
        draw_overlay(
            renderer, image, side.faces, mode=self.mode, opacity=opacity, colours=side.colours
        )

    def _show(self, screen: moderngl.Framebuffer, place: tuple[int, int, int, int]) -> None:
        """Both halves and the line. place: of the picture; x, y, width, height px."""
        x, y, width, height = place
        left = round(self.split * width)
        parts = ((x, y, left, height), (x + left, y, width - left, height))
        for renderer, part in zip(self._renderers, parts, strict=True):
            renderer.blit_to(screen, place, mirrored=self.mirrored, scissor=part)
        ratio = self.devicePixelRatioF()
        line = max(1, round(_LINE_PX * ratio))
        grip = [round(side * ratio) for side in _GRIP_PX]
        middle, centre = x + left, y + height // 2
        screen.clear(*_LINE_RGB, 1.0, viewport=(middle - line // 2, y, line, height))
        screen.clear(
            *_LINE_RGB, 1.0, viewport=(middle - grip[0] // 2, centre - grip[1] // 2, *grip)
        )  # fmt: skip

    def _repaint(self) -> None:
        self._stale = True
        self.update()

    def _free(self) -> None:
        self.makeCurrent()
        for renderer in self._renderers:
            renderer.release()
        self._renderers, self._ctx = [], None
        self._screen.forget()
        self.doneCurrent()
