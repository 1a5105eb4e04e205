"""One picture, two ways to see it: a line to drag, left of it the one side, right of it the other.

One canvas draws both halves, so that there is one GL context and both are of one frame. Beside each
other, each half shows the whole picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import moderngl
import numpy as np

from app.canvas import Canvas, MakeRenderer, heads_over, letterbox
from app.qt import QMouseEvent, Qt, QWidget, pyqtSignal
from app.qt_screen import size_px
from engine.render.overlay import OverlayStyle
from engine.render.renderer import MeshRenderer
from engine.render.trust_mark import marked
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
    fades: tuple[float, ...] | None = None  # 0..1 that each face's opacity is multiplied by


class WipeWidget(Canvas):
    """Give it pairs with `show_pair`; dragging anywhere moves the line."""

    split_changed = pyqtSignal(float)

    def __init__(self, make_renderer: MakeRenderer | None, parent: QWidget | None = None) -> None:
        """make_renderer: called twice whenever there is a new GL context."""
        super().__init__(make_renderer, 2, parent)
        self._shown: U8 | None = None
        self._sides = (WipeSide(), WipeSide())
        self.beside = False
        """Both whole, next to each other; no line."""
        self.split = 0.5
        """Where the line is, 0..1 of the picture's width on the screen."""
        self.setCursor(Qt.CursorShape.SplitHCursor)

    @property
    def shown(self) -> U8 | None:
        """The picture under the heads."""
        return self._shown

    def show_pair(
        self, image: U8 | None, left: WipeSide, right: WipeSide, captured_ns: int | None = None
    ) -> None:
        """Draw this from now on.

        Args:
            image: (H, W, 3) RGB that both were fitted to; None: nothing.
            captured_ns: of a live picture, whose age is measured.
        """
        self._shown, self._sides, self._captured_ns = image, (left, right), captured_ns
        self._repaint()

    def set_beside(self, beside: bool) -> None:
        """Show both next to each other, or one picture with a line."""
        self.beside = beside
        self.setCursor(Qt.CursorShape.ArrowCursor if beside else Qt.CursorShape.SplitHCursor)
        self._repaint()

    def set_split(self, split: float) -> None:
        """Move the line; split: 0..1, cut off there."""
        split = min(max(split, 0.0), 1.0)
        if split != self.split:
            self.split = split
            self.split_changed.emit(split)
            self.update()

    def move_line(self, by: float) -> None:
        """By a share of the picture's width, -1..1; beside each other there is none to move."""
        if not self.beside:
            self.set_split(self.split + by)

    def picture(self) -> U8 | None:
        """(H, W, 3) RGB: both sides as large as the source; None: nothing is shown.

        Beside each other they are twice as wide. Doubtful heads are framed in amber.
        """
        if self._shown is None:
            return None
        height, width = self._shown.shape[:2]
        size = (2 * width if self.beside else width, height)
        self._surface.makeCurrent()
        try:
            if not (renderers := self._ready()):
                return None
            drawn = [self._draw(i, r, size, in_memory=True) for i, r in enumerate(renderers)]
        finally:
            self._surface.doneCurrent()
            self._repaint()
        both, _, _ = self._image([side for side in drawn if side is not None], size)
        return marked(both, [face for side in self._sides for face in side.faces])

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._drag(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._drag(event)

    def _drag(self, event: QMouseEvent) -> None:
        pressed = event.buttons() & Qt.MouseButton.LeftButton
        if self._shown is None or self.beside or not pressed:
            return
        height, width = self._shown.shape[:2]
        x, _, across, _ = letterbox((self.width(), self.height()), (width, height))
        self.set_split((event.position().x() - x) / across)

    def _has_picture(self) -> bool:
        return self._shown is not None

    def _draw(
        self, which: int, renderer: MeshRenderer, size: tuple[int, int], *, in_memory: bool
    ) -> U8 | None:
        if self._shown is None:
            return None
        side = self._sides[which]
        style = OverlayStyle(
            self.mode,
            self.opacity if side.colours is None else _NUMBERS_OPACITY,
            side.fades,
            self._half(size) if self._in_software else None,
            side.colours,
        )
        return heads_over(renderer, self._shown, side.faces, style, in_memory=in_memory)

    def _half(self, size: tuple[int, int]) -> tuple[int, int]:
        """Of the canvas, what one side has for itself."""
        return (max(1, size[0] // 2), size[1]) if self.beside else size

    def _show(
        self,
        renderers: Sequence[MeshRenderer],
        screen: moderngl.Framebuffer,
        size: tuple[int, int],
    ) -> None:
        x, y, width, height = letterbox(self._half(size), renderers[0].texture.size)
        if self.beside:
            for renderer, left in zip(renderers, (x, x + size[0] // 2), strict=True):
                renderer.blit_to(screen, (left, y, width, height), mirrored=self.mirrored)
            return
        split = round(self.split * width)
        parts = ((x, y, split, height), (x + split, y, width - split, height))
        for renderer, part in zip(renderers, parts, strict=True):
            place = (x, y, width, height)
            renderer.blit_to(screen, place, mirrored=self.mirrored, scissor=part)
        for left, bottom, across, up in self._marks(x + split, y, height):
            screen.clear(*_LINE_RGB, 1.0, viewport=(left, bottom, across, up))

    def _image(self, drawn: Sequence[U8], size: tuple[int, int]) -> tuple[U8, int, int]:
        (left, x, y), (right, _, _) = (self._fitted(side, self._half(size)) for side in drawn)
        if self.beside:
            gap = np.zeros((len(left), size[0] // 2 - left.shape[1], 3), np.uint8)
            return np.hstack([left, gap, right]), x, y
        split = round(self.split * left.shape[1])
        picture = left.copy()
        picture[:, split:] = right[:, split:]
        for across, down, width, height in self._marks(split, 0, len(picture)):
            rows = slice(max(0, down), down + height)
            picture[rows, max(0, across) : max(0, across + width)] = [
                round(255 * value) for value in _LINE_RGB
            ]
        return picture, x, y

    def _marks(self, across: int, start: int, length: int) -> tuple[tuple[int, int, int, int], ...]:
        """The line at a column, and its grip: left, first row, width, height px."""
        ratio = size_px(self)[0] / max(1, self.width())
        line = max(1, round(_LINE_PX * ratio))
        grip = [round(side * ratio) for side in _GRIP_PX]
        middle = start + length // 2
        return (
            (across - line // 2, start, line, length),
            (across - grip[0] // 2, middle - grip[1] // 2, *grip),
        )
