"""Numbers over the heads where a picture shows several: which is which, and how trusted."""

from app.qt import QColor, QPainter, QPaintEvent, QRectF, Qt, QWidget
from app.view import View

__all__ = ["FaceTags", "tag_places"]

_SIZE_PX = (76, 22)
_BACK = QColor(14, 15, 17, 200)
_FRONT = QColor("#e8e8e8")


def tag_places(
    view: View, place: tuple[float, float, float, float], mirrored: bool
) -> list[tuple[str, float, float]]:
    """What to write where.

    Args:
        view: tags are for views of several faces only.
        place: x, y, width, height of the picture within the canvas, y down.
        mirrored: the picture is shown the other way round.
    Returns: text, and the middle of its lower edge, in the canvas's px.
    """
    if view.frame is None or len(view.faces) < 2:
        return []
    height, width = view.frame.image.shape[:2]
    tags = []
    for face in view.faces:
        points = face.landmarks68_px
        across = float(points[:, 0].mean() + 0.5) / width
        above = float(2 * points[:, 1].min() - points[:, 1].max()) / height  # over the forehead
        across = 1.0 - across if mirrored else across
        x, y, w, h = place
        text = f"#{face.crop.face_id}  {100 * face.quality:.0f} %"
        tags.append((text, x + across * w, y + max(above, 0.0) * h + _SIZE_PX[1]))
    return tags


class FaceTags(QWidget):
    """Lies over the canvas; lets every click through."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._tags: list[tuple[str, float, float]] = []
        self.hide()

    @property
    def texts(self) -> list[str]:
        """What is written."""
        return [text for text, _, _ in self._tags]

    def show_tags(self, tags: list[tuple[str, float, float]]) -> None:
        """Write these from now on."""
        if not tags and not self._tags:
            return
        self._tags = tags
        self.setVisible(bool(tags))
        self.setGeometry(self.parentWidget().rect())
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width, height = _SIZE_PX
        for text, x, y in self._tags:
            box = QRectF(x - width / 2, y - height, width, height)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(_BACK)
            painter.drawRoundedRect(box, 5, 5)
            painter.setPen(_FRONT)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        painter.end()
