"""The picture of the window: the frame of a view with its heads over it, or the head alone."""

from app.avatar import TRANSPARENT, Avatar
from app.canvas import Canvas, MakeRenderer, heads_over
from app.orbit import Orbit
from app.qt import QColor, QMouseEvent, QPointF, Qt, QWheelEvent, QWidget
from app.view import View
from engine.recording.shot import Look, Stand
from engine.render.overlay import OverlayStyle
from engine.render.renderer import MeshRenderer
from engine.render.trust_mark import marked
from engine.types import U8

__all__ = ["OverlayWidget", "trust_fade"]

_TRUSTED, _DOUBTED = 0.6, 0.15
"""Quality from which a head is drawn in full, and at which hardly anything of it is left."""
_LEAST_FADE = 0.12
_GREY = (44, 47, 54)
"""Behind the head in films, where the window shows nothing there."""


def trust_fade(quality: float) -> float:
    """0.12..1 that a head's opacity is multiplied by: what is doubtful should look so."""
    share = (quality - _DOUBTED) / (_TRUSTED - _DOUBTED)
    return _LEAST_FADE + (1.0 - _LEAST_FADE) * min(1.0, max(0.0, share))


class OverlayWidget(Canvas):
    """Shows the frame of a view with its heads drawn over it."""

    def __init__(
        self, make_renderer: MakeRenderer | None = None, parent: QWidget | None = None
    ) -> None:
        """make_renderer: called whenever there is a new GL context; None: not yet known, see
        `set_renderer`."""
        super().__init__(make_renderer, parent=parent)
        self._avatar = Avatar()
        self._in_avatar = False
        self._dragged_from: QPointF | None = None
        self._view: View | None = None
        self.fades_by_trust = True
        self.backdrop = TRANSPARENT
        """Behind the avatar: a colour as "#rrggbb", or "transparent"."""

    def show_view(self, view: View) -> None:
        """Draw this view from now on."""
        self._view, self._captured_ns = view, view.captured_ns
        self._repaint()

    @property
    def in_avatar(self) -> bool:
        """The head alone, without the photo."""
        return self._in_avatar

    def set_avatar(self, on: bool) -> None:
        """Show the head alone, to walk around with the mouse, in place of the photo."""
        self._in_avatar = on
        self.setCursor(Qt.CursorShape.OpenHandCursor if on else Qt.CursorShape.ArrowCursor)
        self._repaint()

    def set_backdrop(self, backdrop: str) -> None:
        """Behind the avatar: "#rrggbb" or "transparent"."""
        self.backdrop = backdrop
        self._repaint()

    def set_fades_by_trust(self, on: bool) -> None:
        """Whether heads of low quality fade."""
        self.fades_by_trust = on
        self._repaint()

    @property
    def avatar_stand(self) -> Stand | None:
        """Where the avatar's camera stands; None while the photo is shown."""
        return self._avatar.stand if self._in_avatar else None

    @property
    def look(self) -> Look:
        """As heads are drawn here; asked on other threads, which only read."""
        colour = QColor(self.backdrop)
        rgb = (colour.red(), colour.green(), colour.blue()) if colour.isValid() else _GREY
        fade = trust_fade if self.fades_by_trust else lambda quality: 1.0
        return Look(self.mode, self.opacity, self.mirrored, rgb, self.avatar_stand, fade)

    def avatar_picture(self, size: tuple[int, int]) -> U8 | None:
        """(H, W, 4) RGBA of the avatar as it stands, clear around it; None without a head.

        A doubtful one is framed in amber.

        Args:
            size: width, height px.
        """
        view = self._view
        if view is None or not view.faces:
            return None
        self._surface.makeCurrent()
        try:
            if not (renderers := self._ready()):
                return None
            self._avatar.draw(renderers[0], view, self.mode, size, TRANSPARENT)
            return marked(renderers[0].read(alpha=True), view.faces[:1])
        finally:
            self._surface.doneCurrent()
            self._repaint()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._in_avatar and event.button() == Qt.MouseButton.LeftButton:
            self._dragged_from = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged_from is None:
            return
        moved = event.position() - self._dragged_from
        self._dragged_from = event.position()
        across = -moved.x() if self.mirrored else moved.x()
        self._set_orbit(self._avatar.orbit.dragged(across, moved.y()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._dragged_from = None
        self.set_avatar(self._in_avatar)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset_avatar()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom_avatar(event.angleDelta().y() / 120)

    def turn_avatar(self, across_px: float, down_px: float) -> None:
        """As if the mouse had dragged so far: for people who use keys."""
        self._set_orbit(self._avatar.orbit.dragged(across_px, down_px))

    def zoom_avatar(self, steps: float) -> None:
        """As if the wheel had turned by so many notches; nothing while the photo is shown."""
        if self._in_avatar:
            self._set_orbit(self._avatar.orbit.zoomed(steps))

    def reset_avatar(self) -> None:
        """Where the avatar's camera stood at first; nothing while the photo is shown."""
        if self._in_avatar:
            self._set_orbit(Orbit())

    def _set_orbit(self, orbit: Orbit) -> None:
        self._avatar.orbit = orbit
        self._repaint()

    def _has_picture(self) -> bool:
        return self._view is not None and self._view.frame is not None

    def _draw(
        self, which: int, renderer: MeshRenderer, size: tuple[int, int], *, in_memory: bool
    ) -> U8 | None:
        view = self._view
        if view is None or view.frame is None:
            return None
        if self._in_avatar:
            args = (renderer, view, self.mode, size, self.backdrop)
            self._avatar.draw(*args, for_screen=True)
            return renderer.read() if in_memory else None
        fades = [trust_fade(face.quality) for face in view.faces] if self.fades_by_trust else None
        largest = size if self._in_software else None
        style = OverlayStyle(self.mode, self.opacity, fades, largest)
        return heads_over(renderer, view.frame.image, view.faces, style, in_memory=in_memory)
