"""Windows and widgets as pictures in memory."""

from collections.abc import Sequence

import numpy as np

from app.qt import QImage, QPainter, QPoint, QRegion, QWidget
from engine.types import U8

__all__ = ["lettered", "window_picture"]


def window_picture(window: QWidget) -> U8:
    """(H, W, 3) RGB: as it is on the screen."""
    return _pixels(window.grab().toImage())


def lettered(picture: U8, labels: Sequence[tuple[QWidget, QPoint]], scale: float) -> U8:
    """A picture with widgets painted over it.

    Args:
        picture: (H, W, 3) RGB.
        labels: with where the upper left corner of each goes, in the widgets' px.
        scale: px of the picture for each of theirs.
    Returns: (H, W, 3) RGB.
    """
    height, width = picture.shape[:2]
    data = np.ascontiguousarray(picture)
    image = QImage(data.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    painter = QPainter(image)
    painter.scale(scale, scale)
    for label, at in labels:
        label.render(painter, at, QRegion(), QWidget.RenderFlag.DrawChildren)
    painter.end()
    return _pixels(image)


def _pixels(image: QImage) -> U8:
    """(H, W, 3) RGB."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    height, width, stride = image.height(), image.width(), image.bytesPerLine()
    rows = np.frombuffer(image.constBits().asstring(stride * height), np.uint8)
    return rows.reshape(height, stride)[:, : 3 * width].reshape(height, width, 3).copy()
