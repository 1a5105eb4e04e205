"""What the colours of an error map mean: a bar from 0 to some millimetres."""

import numpy as np

from app.qt import QColor, QImage, QPainter, QPaintEvent, QRectF, QSize, Qt, QWidget
from engine.render.colour_scale import scale_bar

__all__ = ["ScaleLegend"]

_SIZE = QSize(250, 46)
_MARGIN_PX = 10
_BAR_PX = 10


class ScaleLegend(QWidget):
    """Sits over a picture; let its parent move it."""

    def __init__(self, top_mm: float, parent: QWidget) -> None:
        """top_mm: where the colours end."""
        super().__init__(parent)
        self._top_mm = top_mm
        self.setFixedSize(_SIZE)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(24, 26, 30, 225))
        painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
        width = self.width() - 2 * _MARGIN_PX
        bar = np.ascontiguousarray(scale_bar(width, _BAR_PX))
        image = QImage(bar.data, width, _BAR_PX, 3 * width, QImage.Format.Format_RGB888)
        painter.drawImage(_MARGIN_PX, _MARGIN_PX, image)
        painter.setPen(QColor("#d5d8dd"))
        below = QRectF(_MARGIN_PX, _MARGIN_PX + _BAR_PX, width, self.height() - 2 * _BAR_PX - 4)
        for flag, text in (
            (Qt.AlignmentFlag.AlignLeft, "0"),
            (Qt.AlignmentFlag.AlignHCenter, f"{self._top_mm / 2:g}"),
            (Qt.AlignmentFlag.AlignRight, f"≥ {self._top_mm:g} mm"),
        ):
            painter.drawText(below, flag | Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()
