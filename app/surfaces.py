"""The two ways in which a canvas reaches the screen. All GL is made, used and freed here."""

from typing import Protocol

import moderngl
import numpy as np

from app.qt import (
    QColor,
    QImage,
    QOpenGLWidget,
    QPainter,
    QPaintEvent,
    QPoint,
    Qt,
    QWidget,
)
from app.qt_gl import HiddenGl, attach
from app.qt_screen import QtScreen, size_px
from app.theme import CANVAS_RGB
from engine.types import U8

__all__ = ["GlSurface", "Host", "ImageSurface"]


class Host(Protocol):
    """What a canvas offers its surface."""

    def begin_gl(self, ctx: moderngl.Context) -> None: ...
    def end_gl(self) -> None: ...
    def paint_gl(self, screen: moderngl.Framebuffer, size: tuple[int, int]) -> None: ...
    def paint_image(self, size: tuple[int, int]) -> tuple[U8, int, int] | None: ...
    def count_shown(self) -> None: ...


class GlSurface(QOpenGLWidget):
    """For graphics cards: the picture never leaves them."""

    def __init__(self, host: QWidget) -> None:
        """host: a canvas, whose whole surface this is."""
        super().__init__(host)
        self._host: Host = host
        self._ctx: moderngl.Context | None = None
        self._screen = QtScreen()
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.frameSwapped.connect(self._host.count_shown)

    def initializeGL(self) -> None:
        # Runs again after the widget moved to another window: everything is made anew.
        self.context().aboutToBeDestroyed.connect(self._free)
        self._ctx = attach()
        self._screen.forget()
        self._host.begin_gl(self._ctx)

    def resizeGL(self, width: int, height: int) -> None:
        self._screen.forget()

    def paintGL(self) -> None:
        if self._ctx is not None:
            size = size_px(self)
            screen = self._screen.of(self._ctx, self.defaultFramebufferObject(), size)
            self._host.paint_gl(screen, size)

    def _free(self) -> None:
        self.makeCurrent()
        self._host.end_gl()
        self._ctx = None
        self._screen.forget()
        self.doneCurrent()


class ImageSurface(QWidget):
    """For processors that draw: an image that is drawn and put together in memory."""

    def __init__(self, host: QWidget) -> None:
        """host: a canvas, whose whole surface this is."""
        super().__init__(host)
        self._host: Host = host
        self._gl: HiddenGl | None = None
        self._pixels: U8 | None = None  # what is shown: QImage does not keep it alive
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def makeCurrent(self) -> None:
        """As of a QOpenGLWidget."""
        if self._gl is None:
            self._gl = HiddenGl()
            with self._gl:
                self._host.begin_gl(attach())
        self._gl.make_current()

    def doneCurrent(self) -> None:
        """As of a QOpenGLWidget."""
        if self._gl is not None:
            self._gl.done_current()

    def paintEvent(self, event: QPaintEvent) -> None:
        size = size_px(self)
        self.makeCurrent()
        try:
            found = self._host.paint_image(size)
        finally:
            self.doneCurrent()
        painter = QPainter(self)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        whole = found is not None and found[0].shape[1::-1] == size
        if not whole:
            painter.fillRect(self.rect(), QColor.fromRgbF(*CANVAS_RGB))
        if found is not None:
            pixels, left, top = found
            self._pixels = np.ascontiguousarray(pixels)
            height, width = pixels.shape[:2]
            image = QImage(self._pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
            ratio = self.devicePixelRatioF()
            painter.scale(1.0 / ratio, 1.0 / ratio)
            painter.drawImage(QPoint(left, top), image)
        painter.end()
        self._host.count_shown()

    def picture(self) -> QImage:
        """What is shown."""
        return self.grab().toImage()
