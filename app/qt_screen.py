"""QtScreen: the framebuffer of a QOpenGLWidget that is drawn into."""

import moderngl

from app.qt import QWidget

__all__ = ["QtScreen", "size_px"]


def size_px(widget: QWidget) -> tuple[int, int]:
    """Width and height of what a widget draws, in the display's own pixels."""
    ratio = widget.devicePixelRatioF()
    return max(1, round(widget.width() * ratio)), max(1, round(widget.height() * ratio))


class QtScreen:
    """Kept while it is the same; Qt makes another one after each resize.

    Each look for it leaves some hundred bytes that moderngl never frees, a megabyte a minute.
    """

    def __init__(self) -> None:
        self._known: tuple[tuple[int, tuple[int, int]], moderngl.Framebuffer] | None = None

    def of(self, ctx: moderngl.Context, number: int, size: tuple[int, int]) -> moderngl.Framebuffer:
        """Args: number: of the widget's defaultFramebufferObject; size: width, height in px."""
        key = (number, size)
        if self._known is None or self._known[0] != key:
            self._known = (key, ctx.detect_framebuffer(number))
        return self._known[1]

    def forget(self) -> None:
        """The context is gone."""
        self._known = None
