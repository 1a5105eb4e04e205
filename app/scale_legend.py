"""What the colours of an error map mean: a bar from 0 to some millimetres or degrees."""

import numpy as np

from app.qt import QColor, QImage, QPainter, QPaintEvent, QRectF, QSize, Qt, QWidget
from engine.render.colour_scale import scale_bar

__all__ = ["LEGEND_TEXT", "ScaleLegend", "paint_plate"]

_BACK = (24, 26, 30, 225)
LEGEND_TEXT = "#d5d8dd"
"""Colours of legends, which lie on pictures."""

_SIZE = QSize(250, 46)
_MARGIN_PX = 10
_BAR_PX = 10


def paint_plate(painter: QPainter, legend: QWidget) -> None:
    """The plate of a legend, under what is written on it."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(*_BACK))
    painter.drawRoundedRect(QRectF(legend.rect()), 6, 6)


class ScaleLegend(QWidget):
    """Sits over a picture; let its parent move it."""

    def __init__(self, top: float, parent: QWidget, *, unit: str = " mm") -> None:
        """Args:
        top: where the colours end.
        unit: is written behind it.
        """
        super().__init__(parent)
        self._top, self.unit = top, unit
        self.setFixedSize(_SIZE)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_plate(painter, self)
        width = self.width() - 2 * _MARGIN_PX
        bar = np.ascontiguousarray(scale_bar(width, _BAR_PX))
        image = QImage(bar.data, width, _BAR_PX, 3 * width, QImage.Format.Format_RGB888)
        painter.drawImage(_MARGIN_PX, _MARGIN_PX, image)
        painter.setPen(QColor(LEGEND_TEXT))
        below = QRectF(_MARGIN_PX, _MARGIN_PX + _BAR_PX, width, self.height() - 2 * _BAR_PX - 4)
        for flag, text in (
            (Qt.AlignmentFlag.AlignLeft, "0"),
            (Qt.AlignmentFlag.AlignHCenter, f"{self._top / 2:g}"),
            (Qt.AlignmentFlag.AlignRight, f"≥ {self._top:g}{self.unit}"),
        ):
            painter.drawText(below, flag | Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()
