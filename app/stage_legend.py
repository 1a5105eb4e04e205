"""What the colours of the present view stand for, in the lower right corner of the picture."""

from collections.abc import Sequence

from app.qt import QColor, QPainter, QPaintEvent, QRectF, QSize, Qt, QWidget
from app.scale_legend import LEGEND_TEXT, ScaleLegend, paint_plate
from engine.render.prediction import MASK_RGB, PARSING_RGB, WORST_ANGLE_DEG, PredictionMode
from engine.render.renderer import RenderMode
from engine.types import Reconstruction

__all__ = ["ClassLegend", "StageLegend"]

_MARGIN_PX = 14
_PADDING_PX, _ROW_PX, _SWATCH_PX = 10, 19, 12
_TITLES = {"mouth_inside": "inside of the mouth", "other": "glasses, hats, hands, clothes"}


class ClassLegend(QWidget):
    """Names with their colours, one below the other; let its parent move it."""

    def __init__(
        self, classes: Sequence[tuple[str, tuple[int, int, int]]], parent: QWidget
    ) -> None:
        """classes: name and RGB of each."""
        super().__init__(parent)
        self.classes = tuple(classes)
        metrics = self.fontMetrics()
        widest = max(metrics.horizontalAdvance(name) for name, _ in self.classes)
        width = 3 * _PADDING_PX + _SWATCH_PX + widest
        self.setFixedSize(QSize(width, 2 * _PADDING_PX + _ROW_PX * len(self.classes)))
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_plate(painter, self)
        for row, (name, rgb) in enumerate(self.classes):
            top = _PADDING_PX + row * _ROW_PX
            down = (_ROW_PX - _SWATCH_PX) / 2
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(*rgb))
            painter.drawRect(QRectF(_PADDING_PX, top + down, _SWATCH_PX, _SWATCH_PX))
            painter.setPen(QColor(LEGEND_TEXT))
            left = 2 * _PADDING_PX + _SWATCH_PX
            box = QRectF(left, top, self.width() - left, _ROW_PX)
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        painter.end()


class StageLegend:
    """The legend of one stage; there is none for views whose colours stand for nothing."""

    def __init__(self, parent: QWidget) -> None:
        self._parent = parent
        shown = [(_TITLES.get(name, name), rgb) for name, rgb in PARSING_RGB.items()]
        self._errors = ScaleLegend(WORST_ANGLE_DEG, parent, unit="°")
        self._classes = ClassLegend(shown[1:], parent)  # of the background nothing is drawn
        self._mask = ClassLegend([("face", MASK_RGB)], parent)
        for legend in (self._errors, self._classes, self._mask):
            legend.hide()
        self.shown: ScaleLegend | ClassLegend | None = None
        """Which one is seen."""

    def show_for(
        self, mode: RenderMode | PredictionMode, faces: Sequence[Reconstruction], *, in_avatar: bool
    ) -> None:
        """Show what belongs to a view; the avatar has no maps."""
        legend = None if in_avatar else self._legend(mode, faces)
        if legend is self.shown:
            return
        if self.shown is not None:
            self.shown.hide()
        self.shown = legend
        if legend is not None:
            legend.show()
            self.place()

    def place(self) -> None:
        """Take the place that the parent's size gives."""
        if (legend := self.shown) is not None:
            across = self._parent.width() - legend.width() - _MARGIN_PX
            legend.move(across, self._parent.height() - legend.height() - _MARGIN_PX)
            legend.raise_()

    def _legend(
        self, mode: RenderMode | PredictionMode, faces: Sequence[Reconstruction]
    ) -> ScaleLegend | ClassLegend | None:
        if mode is PredictionMode.ERROR:
            return self._errors
        if mode is not PredictionMode.MASK:
            return None
        maps = [face.normals for face in faces if face.normals is not None]
        return self._mask if maps and maps[0].parsing is None else self._classes
