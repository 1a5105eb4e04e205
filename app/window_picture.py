"""A window as it is on the screen."""

import numpy as np

from app.qt import QImage, QWidget
from engine.types import U8

__all__ = ["window_picture"]


def window_picture(window: QWidget) -> U8:
    """(H, W, 3) RGB."""
    image = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    height, width, stride = image.height(), image.width(), image.bytesPerLine()
    rows = np.frombuffer(image.constBits().asstring(stride * height), np.uint8)
    return rows.reshape(height, stride)[:, : 3 * width].reshape(height, width, 3).copy()
