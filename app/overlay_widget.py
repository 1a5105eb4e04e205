"""The picture: a QOpenGLWidget that hosts engine.render. All GL is made, used and freed here."""

from collections.abc import Callable

import moderngl

from app.avatar import TRANSPARENT, Avatar
from app.hud import ShownMeter
from app.orbit import Orbit
from app.qt import (
    QMouseEvent,
    QOpenGLWidget,
    QPointF,
    QSize,
    Qt,
    QWheelEvent,
    QWidget,
)
from app.qt_gl import attach
from app.qt_screen import QtScreen, size_px
from app.theme import CANVAS_RGB
from app.view import View
from engine.recording.shot import Stand
from engine.render.context import describe, draws_in_software
from engine.render.overlay import DEFAULT_OPACITY, draw_overlay
from engine.render.prediction import PredictionMode
from engine.render.renderer import MeshRenderer, RenderMode
from engine.types import U8, Reconstruction

__all__ = ["OverlayWidget", "letterbox", "trust_fade"]

_TRUSTED, _DOUBTED = 0.6, 0.15
"""Quality from which a head is drawn in full, and at which hardly anything of it is left."""
_LEAST_FADE = 0.12


def trust_fade(quality: float) -> float:
    """0.12..1 that a head's opacity is multiplied by: what is doubtful should look so."""
    share = (quality - _DOUBTED) / (_TRUSTED - _DOUBTED)
    return _LEAST_FADE + (1.0 - _LEAST_FADE) * min(1.0, max(0.0, share))


def letterbox(canvas: tuple[int, int], picture: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest rectangle of the picture's shape in the middle of the canvas.

    Args: canvas, picture: width, height px.
    Returns: x, y, width, height px, each side at least 1.
    """
    scale = min(canvas[0] / picture[0], canvas[1] / picture[1])
    width, height = max(1, round(picture[0] * scale)), max(1, round(picture[1] * scale))
    return (canvas[0] - width) // 2, (canvas[1] - height) // 2, width, height


class OverlayWidget(QOpenGLWidget):
    """Shows the frame of a view with its heads drawn over it."""

    def __init__(
        self,
        make_renderer: Callable[[moderngl.Context], MeshRenderer] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """make_renderer: called whenever Qt gives the widget a new GL context; None: not yet
        known, see `set_renderer`."""
        super().__init__(parent)
        self._make_renderer = make_renderer
        self.shown_meter = ShownMeter()
        self._avatar = Avatar()
        self._in_avatar = False
        self._dragged_from: QPointF | None = None
        self.fades_by_trust = True
        self.backdrop = TRANSPARENT
        """Behind the avatar: a colour as "#rrggbb", or "transparent"."""
        self.frameSwapped.connect(self._count_shown)
        self._ctx: moderngl.Context | None = None
        self._renderer: MeshRenderer | None = None
        self._screen = QtScreen()
        self._in_software = False  # then nothing is drawn larger than it is shown
        self._view: View | None = None
        self._stale = True  # the renderer's picture is not of the present view and settings
        self.mode: RenderMode | PredictionMode = RenderMode.SHADED
        self.opacity = DEFAULT_OPACITY
        self.mirrored = False
        self.n_painted = 0
        """Pictures that reached the screen."""

    def set_renderer(self, make_renderer: Callable[[moderngl.Context], MeshRenderer]) -> None:
        """The head model is loaded: draw by this from now on."""
        self._make_renderer = make_renderer
        self._repaint()

    @property
    def drawn_by(self) -> str:
        """The OpenGL driver; empty before the first picture."""
        return describe(self._ctx)["renderer"] if self._ctx is not None else ""

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

    def avatar_picture(self, size: tuple[int, int]) -> U8 | None:
        """(H, W, 4) RGBA of the avatar as it stands, clear around it; None without a head.

        Args:
            size: width, height px.
        """
        if self._renderer is None or not self._faces:
            return None
        self.makeCurrent()
        try:
            self._avatar.draw(self._renderer, self._view, self.mode, size, TRANSPARENT)
            self._stale = True
            return self._renderer.read(alpha=True)
        finally:
            self.doneCurrent()
            self.update()

    @property
    def avatar_stand(self) -> Stand | None:
        """Where the avatar's camera stands; None while the photo is shown."""
        return self._avatar.stand if self._in_avatar else None

    @property
    def _faces(self) -> tuple[Reconstruction, ...]:
        return self._view.faces if self._view is not None else ()

    def show_view(self, view: View) -> None:
        """Draw this view from now on."""
        self._view = view
        self._repaint()

    def set_mode(self, mode: RenderMode | PredictionMode) -> None:
        self.mode = mode
        self._repaint()

    def set_opacity(self, opacity: float) -> None:
        """opacity: 0..1 of the head."""
        self.opacity = opacity
        self._repaint()

    def set_mirrored(self, mirrored: bool) -> None:
        """Show everything the other way round, as a mirror does."""
        self.mirrored = mirrored
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(960, 640)

    def initializeGL(self) -> None:
        # Runs again after the widget moved to another window: everything is made anew.
        self.context().aboutToBeDestroyed.connect(self._free)
        self._ctx = attach()
        self._screen.forget()
        self._in_software = draws_in_software(self._ctx)
        self._stale = True

    def paintGL(self) -> None:
        if self._ctx is None:
            return
        if self._renderer is None and self._make_renderer is not None:
            self._renderer = self._make_renderer(self._ctx)
        size = size_px(self)
        has_picture = self._draw_picture(size)
        screen = self._screen.of(self._ctx, self.defaultFramebufferObject(), size)
        screen.use()
        self._ctx.scissor = None
        screen.clear(*CANVAS_RGB, 1.0, viewport=(0, 0, *size))
        if has_picture and self._renderer is not None:
            place = letterbox(size, self._renderer.texture.size)
            self._renderer.blit_to(screen, place, mirrored=self.mirrored)
            self.n_painted += 1

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
        if self._in_avatar:
            self._set_orbit(Orbit())

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._in_avatar:
            self._set_orbit(self._avatar.orbit.zoomed(event.angleDelta().y() / 120))

    def turn_avatar(self, across_px: float, down_px: float) -> None:
        """As if the mouse had dragged so far: for people who use keys."""
        self._set_orbit(self._avatar.orbit.dragged(across_px, down_px))

    def _set_orbit(self, orbit: Orbit) -> None:
        self._avatar.orbit = orbit
        self._repaint()

    def resizeGL(self, width: int, height: int) -> None:
        self._screen.forget()
        self._stale = True  # what is drawn may depend on the widget's size

    def _draw_picture(self, size: tuple[int, int]) -> bool:
        """Renew the renderer's picture where it is stale. Returns: whether there is one."""
        view = self._view
        if self._renderer is None or view is None or view.frame is None:
            return False
        if not self._stale:
            return True
        self._stale = False
        if self._in_avatar:
            args = (self._renderer, view, self.mode, size, self.backdrop)
            self._avatar.draw(*args, for_screen=True)
            return True
        fades = [trust_fade(face.quality) for face in view.faces] if self.fades_by_trust else None
        draw_overlay(
            self._renderer,
            view.frame.image,
            view.faces,
            mode=self.mode,
            opacity=self.opacity,
            fades=fades,
            largest=size if self._in_software else None,
        )
        return True

    def _count_shown(self) -> None:
        if self._view is not None and self._view.captured_ns is not None and self.n_painted:
            self.shown_meter.shown(self._view.captured_ns)

    def _repaint(self) -> None:
        self._stale = True
        self.update()

    def _free(self) -> None:
        self.makeCurrent()
        if self._renderer is not None:
            self._renderer.release()
        self._renderer = self._ctx = None
        self.doneCurrent()
