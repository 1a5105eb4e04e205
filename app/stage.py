"""Where the picture is: with the heads of one method, or of two against each other."""

from app.canvas import MakeRenderer, letterbox
from app.face_tags import FaceTags, tag_places
from app.method_menu import method_title
from app.overlay_widget import OverlayWidget, trust_fade
from app.qt import QLabel, QPoint, QResizeEvent, QSize, Qt, QWidget
from app.stage_legend import StageLegend
from app.view import View
from app.window_picture import lettered
from app.wipe_widget import WipeSide, WipeWidget
from engine.methods import METHODS
from engine.render.prediction import PredictionMode
from engine.render.renderer import RenderMode
from engine.types import U8, Reconstruction

__all__ = ["Stage", "side_text"]

_MARGIN_PX = 12


def side_text(method: str, faces: tuple[Reconstruction, ...]) -> str:
    """What is written over one side: its method, its time for this frame, its trust.

    The time is from the frame to the first head, without what the method has no need of.
    """
    title = method_title(method)
    if not faces:
        return f"{title}  ·  no face"
    known = METHODS.get(method)
    unused = ("normals",) if known is not None and not known.needs_normals else ()
    ms = sum(ms for stage, ms in faces[0].stage_ms.items() if stage not in unused)
    return f"{title}  ·  {ms:.1f} ms  ·  trust {100 * faces[0].quality:.0f} %"


class Stage(QWidget):
    """Holds the canvas, and in its place a wipe while views are of two methods."""

    def __init__(self, canvas: OverlayWidget) -> None:
        super().__init__()
        self.canvas = canvas
        self.wipe = WipeWidget(None, self)
        self.wipe.hide()
        canvas.setParent(self)
        self.wipe.setAccessibleName("Two methods against each other")
        self.wipe.shown_meter = canvas.shown_meter
        self.sides = tuple(_SideLabel(self) for _ in range(2))
        self.tags = FaceTags(self)
        self.legend = StageLegend(self)
        self._view: View | None = None
        self.in_comparison = False
        """Whether two methods are shown."""

    def set_renderer(self, make_renderer: MakeRenderer) -> None:
        """The head model is loaded: draw by this from now on."""
        self.canvas.set_renderer(make_renderer)
        self.wipe.set_renderer(make_renderer)

    def show_view(self, view: View) -> None:
        """Draw this view from now on."""
        self._view = view
        compares = bool(view.rival) and view.frame is not None and not self.canvas.in_avatar
        if compares != self.in_comparison:
            self.in_comparison = compares
            self.wipe.setVisible(compares)
            self.canvas.setVisible(not compares)
            self.show_words(view)
        self.canvas.show_view(view)  # which draws it when it is seen
        if compares and view.frame is not None:
            left, right = (self._side(faces) for faces in (view.faces, view.rivals))
            self.wipe.show_pair(view.frame.image, left, right, view.captured_ns)
        self._show_tags(view)
        self._show_legend()

    def show_words(self, view: View) -> None:
        """Write over both sides, so seldom that it can be read."""
        if self.in_comparison:
            self.sides[0].setText(side_text(view.method, view.faces))
            self.sides[1].setText(side_text(view.rival, view.rivals))
        for label in self.sides:
            label.setVisible(self.in_comparison)
        self._place()

    def set_mode(self, mode: RenderMode | PredictionMode) -> None:
        """How heads are drawn."""
        self.canvas.set_mode(mode)
        self.wipe.set_mode(mode)
        self._show_legend()

    def set_opacity(self, opacity: float) -> None:
        """opacity: 0..1 of the heads."""
        self.canvas.set_opacity(opacity)
        self.wipe.set_opacity(opacity)

    def set_mirrored(self, mirrored: bool) -> None:
        """Show everything the other way round; the sides stay where they are."""
        self.canvas.set_mirrored(mirrored)
        self.wipe.set_mirrored(mirrored)

    def set_avatar(self, on: bool) -> None:
        """The head alone; it is that of the first method."""
        self.canvas.set_avatar(on)
        if self._view is not None:
            self.show_view(self._view)
        self._show_legend()

    def comparison_picture(self) -> U8 | None:
        """(H, W, 3) RGB: as `WipeWidget.picture`, with what is written over both sides."""
        picture = self.wipe.picture()
        if picture is None or self._view is None:
            return None
        self.show_words(self._view)
        left, right = self.sides
        written = left.width() + right.width() + 3 * _MARGIN_PX
        width = picture.shape[1]
        shown = letterbox((self.width(), self.height()), picture.shape[1::-1])[2]
        # As large as on the screen, in px of either, but never over each other.
        scale = min(max(1.0, width / shown), width / written)
        across = round(width / scale) - right.width() - _MARGIN_PX
        places = (QPoint(_MARGIN_PX, _MARGIN_PX), QPoint(across, _MARGIN_PX))
        return lettered(picture, list(zip(self.sides, places, strict=True)), scale)

    def sizeHint(self) -> QSize:
        return self.canvas.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for canvas in (self.canvas, self.wipe):
            if canvas.parentWidget() is self:
                canvas.setGeometry(self.rect())
        self._place()
        self.legend.place()

    def _side(self, faces: tuple[Reconstruction, ...]) -> WipeSide:
        fades = None
        if self.canvas.fades_by_trust:
            fades = tuple(trust_fade(face.quality) for face in faces)
        return WipeSide(faces, fades=fades)

    def _show_tags(self, view: View) -> None:
        """Which head is which, over one method's heads on the photo."""
        if view.frame is None or self.canvas.in_avatar or self.in_comparison:
            self.tags.show_tags([])
            return
        height, width = view.frame.image.shape[:2]
        place = letterbox((self.width(), self.height()), (width, height))
        self.tags.show_tags(tag_places(view, place, self.canvas.mirrored))

    def _show_legend(self) -> None:
        faces = self._view.faces if self._view is not None else ()
        self.legend.show_for(self.canvas.mode, faces, in_avatar=self.canvas.in_avatar)

    def _place(self) -> None:
        for label in self.sides:
            label.adjustSize()
            label.raise_()
        left, right = self.sides
        down = self.height() - left.height() - _MARGIN_PX
        left.move(_MARGIN_PX, _MARGIN_PX)
        right.move(self.width() - right.width() - _MARGIN_PX, _MARGIN_PX)
        if left.width() + right.width() + 3 * _MARGIN_PX > self.width():
            right.move(right.x(), min(down, 2 * _MARGIN_PX + left.height()))


class _SideLabel(QLabel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("hud")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
