"""Texts that are cut with an ellipsis where there is no room for all of them."""

from app.qt import QLabel, QPainter, QPaintEvent, QResizeEvent, QSize, Qt, QToolButton

__all__ = ["ElidedLabel", "name_button"]

_PADDING_PX = 8
"""On both sides."""
_LEAST_PX = 170
"""A text that is shorter is never cut."""
_ROUNDING_PX = 2
"""Qt cuts a text that has no more room than its width, which it rounds down."""


def name_button(button: QToolButton, title: str, most_px: int, tip: str) -> None:
    """Write a title on a button; what does not go into so many px is in the tooltip, above tip."""
    seen = button.fontMetrics().elidedText(title, Qt.TextElideMode.ElideMiddle, most_px)
    button.setText(seen)
    button.setToolTip(tip if seen == title else f"{title}\n{tip}")


class ElidedLabel(QLabel):
    """`text` stays whole; where not all of it is seen, the tooltip has it."""

    def minimumSizeHint(self) -> QSize:
        return QSize(min(_LEAST_PX, self.sizeHint().width()), super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        across = self.fontMetrics().horizontalAdvance(self.text()) + 2 * _PADDING_PX
        return QSize(across + _ROUNDING_PX, super().sizeHint().height())

    @property
    def seen(self) -> str:
        """What there is room for."""
        room = self.width() - 2 * _PADDING_PX
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room)

    def setText(self, text: str) -> None:
        super().setText(text)
        self._tell_rest()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._tell_rest()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        box = self.rect().adjusted(_PADDING_PX, 0, -_PADDING_PX, 0)
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self.seen)
        painter.end()

    def _tell_rest(self) -> None:
        self.setToolTip(self.text() if self.seen != self.text() else "")
