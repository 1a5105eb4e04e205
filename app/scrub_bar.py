"""A bar of frames: where one is, and what is done of each side. A click or drag goes there."""

from collections.abc import Sequence
from enum import Enum

from app.qt import (
    QColor,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPointF,
    QRectF,
    QSize,
    Qt,
    QWidget,
    pyqtSignal,
)

__all__ = ["Mark", "ScrubBar"]

_HEIGHT_PX = 30
_MARGIN_PX = 10
_ROWS = ((5.0, 8.0), (16.0, 8.0))
"""Top and height of each side's row."""


class Mark(Enum):
    """What is known of a frame on one side; its value is the colour."""

    PENDING = "#2a2d33"
    AT_WORK = "#e69f00"
    DONE = "#4a90d9"
    CACHED = "#9cc3ec"
    NO_FACE = "#5a5f68"


class ScrubBar(QWidget):
    """Two rows of marks, left side above right side."""

    moved = pyqtSignal(int)
    """To which frame, 0..n-1, by hand."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(_HEIGHT_PX)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._rows: tuple[Sequence[Mark], Sequence[Mark]] = ((), ())
        self._n = 0
        self._position = 0

    def sizeHint(self) -> QSize:
        return QSize(600, _HEIGHT_PX)

    @property
    def marks(self) -> tuple[Sequence[Mark], Sequence[Mark]]:
        """What it shows, left and right."""
        return self._rows

    def show_marks(self, left: Sequence[Mark], right: Sequence[Mark], position: int) -> None:
        """One mark for each frame."""
        self._rows, self._n, self._position = (left, right), len(left), position
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._go(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._go(event)

    def _go(self, event: QMouseEvent) -> None:
        if self._n and event.buttons() & Qt.MouseButton.LeftButton:
            at = int((event.position().x() - _MARGIN_PX) / self._cell())
            self.moved.emit(min(max(at, 0), self._n - 1))

    def _cell(self) -> float:
        """px for each frame."""
        return max(self.width() - 2 * _MARGIN_PX, 1) / max(self._n, 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        cell = self._cell()
        gap = 1.0 if cell > 4 else 0.0
        for marks, (top, height) in zip(self._rows, _ROWS, strict=True):
            for at, mark in enumerate(marks):
                place = QRectF(_MARGIN_PX + at * cell, top, cell - gap, height)
                painter.fillRect(place, QColor(mark.value))
        if self._n:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QColor("#ffffff"))
            x = _MARGIN_PX + (self._position + 0.5) * cell
            painter.drawLine(QPointF(x, 1), QPointF(x, _HEIGHT_PX - 2))
            painter.setBrush(QColor("#ffffff"))
            painter.drawEllipse(QPointF(x, 3.5), 3.0, 3.0)
        painter.end()
