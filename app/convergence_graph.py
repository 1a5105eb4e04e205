"""How an optimiser's energy falls, over its iterations."""

import math
from collections.abc import Sequence

from app.qt import (
    QColor,
    QPainter,
    QPaintEvent,
    QPen,
    QPointF,
    QPolygonF,
    QRectF,
    QSize,
    Qt,
    QWidget,
)
from engine.compare.side_fit import Step

__all__ = ["ConvergenceGraph"]

_HEIGHT_PX = 118
_MARGINS_PX = (54, 22, 14, 20)  # left, top, right, bottom
_TOTAL = "#e8e8e8"
_TERM_COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7")
"""Okabe and Ito 2008: told apart by all eyes."""
_LEAST_SHARE = 0.02
"""Of the least energy: the logarithmic axis begins there, however small a term may be."""


class ConvergenceGraph(QWidget):
    """Give it the steps so far; energy is on a logarithmic axis, with its largest terms."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(_HEIGHT_PX)
        self._title, self._steps, self._remark = "", tuple[Step, ...](), ""

    def sizeHint(self) -> QSize:
        return QSize(600, _HEIGHT_PX)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What it shows."""
        return self._steps

    def show_steps(self, title: str, steps: Sequence[Step], remark: str) -> None:
        """Args:
        title: whose they are.
        remark: said in place of a graph where there are fewer than two steps.
        """
        self._title, self._steps, self._remark = title, tuple(steps), remark
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor("#17191c"))
        left, top, right, bottom = _MARGINS_PX
        area = QRectF(left, top, self.width() - left - right, self.height() - top - bottom)
        if len(self._steps) < 2:
            painter.setPen(QColor("#8b9098"))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._remark)
        else:
            self._draw(painter, area)
        painter.setPen(QColor("#b6bac1"))
        painter.drawText(QPointF(10, 15), self._title)
        painter.end()

    def _draw(self, painter: QPainter, area: QRectF) -> None:
        lines = {"energy": [step.total for step in self._steps]}
        for name in self._largest_terms():
            lines[name] = [step.terms.get(name, math.nan) for step in self._steps]
        shown = [v for values in lines.values() for v in values if math.isfinite(v) and v > 0]
        totals = [v for v in lines["energy"] if math.isfinite(v) and v > 0]
        if not totals:
            return
        high, low = max(shown), max(min(shown), _LEAST_SHARE * min(totals))
        scale = _Axes(area, self._steps, low, high)
        self._draw_axes(painter, area, low, high)
        x = area.right()
        for (name, values), colour in reversed(
            list(zip(lines.items(), (_TOTAL, *_TERM_COLOURS), strict=False))
        ):
            painter.setPen(QPen(QColor(colour), 2.0 if name == "energy" else 1.2))
            painter.drawPolyline(scale.line(values))
            x -= painter.fontMetrics().horizontalAdvance(name) + 14
            painter.drawText(QPointF(x, 15), name)

    def _largest_terms(self) -> list[str]:
        """Names of the terms that ever were largest, in that order."""
        largest: dict[str, float] = {}
        for step in self._steps:
            for name, value in step.terms.items():
                if math.isfinite(value):
                    largest[name] = max(value, largest.get(name, 0.0))
        return sorted(largest, key=lambda name: -largest[name])[: len(_TERM_COLOURS)]

    def _draw_axes(self, painter: QPainter, area: QRectF, low: float, high: float) -> None:
        painter.setPen(QColor("#34383f"))
        painter.drawRect(area)
        painter.setPen(QColor("#8b9098"))
        corner = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for value, y in ((high, area.top()), (low, area.bottom())):
            painter.drawText(QRectF(0, y - 8, area.left() - 6, 16), corner, f"{value:.3g}")
        last = self._steps[-1]
        below = QRectF(area.left(), area.bottom() + 2, area.width(), 16)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, str(self._steps[0].iteration))
        painter.drawText(
            below,
            Qt.AlignmentFlag.AlignRight,
            f"iteration {last.iteration}, {last.seconds:.1f} s, energy {last.total:.4g}",
        )


class _Axes:
    """Steps and energies to places in the graph."""

    def __init__(self, area: QRectF, steps: Sequence[Step], low: float, high: float) -> None:
        self._area, self._steps, self._low = area, steps, low
        self._span = max(math.log(high / low), 1e-9)

    def line(self, values: Sequence[float]) -> QPolygonF:
        """What is not above zero, which has no logarithm, is left out or cut off."""
        points = []
        first, last = self._steps[0].iteration, self._steps[-1].iteration
        for step, value in zip(self._steps, values, strict=True):
            if math.isfinite(value):
                across = (step.iteration - first) / max(last - first, 1)
                up = math.log(max(value, self._low) / self._low) / self._span
                points.append(
                    QPointF(
                        self._area.left() + across * self._area.width(),
                        self._area.bottom() - up * self._area.height(),
                    )
                )
        return QPolygonF(points)
