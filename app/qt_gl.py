"""moderngl on a GL context of Qt's."""

from functools import cache
from typing import Self

import moderngl

from app.qt import QOffscreenSurface, QOpenGLContext
from engine.errors import ProviderError
from engine.render.context import draws_in_software

__all__ = ["HiddenGl", "attach", "card_draws"]


class _QtLoader:
    """Finds GL functions through Qt, which knows its own context on GLX, EGL, WGL and CGL."""

    def __init__(self, context: QOpenGLContext) -> None:
        self._context = context

    def load_opengl_function(self, name: str) -> int:
        address = self._context.getProcAddress(name.encode())
        return int(address) if address is not None else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        """Qt makes contexts current, not moderngl."""

    def release(self) -> None:
        """The context is Qt's."""


def attach() -> moderngl.Context:
    """Qt's current context; called once for every one, whose caller keeps the result."""
    # Not create_context(): for a second Qt widget it falls back to GLX and fails on EGL.
    moderngl.init_context(loader=_QtLoader(QOpenGLContext.currentContext()))
    return moderngl.get_context()


class HiddenGl:
    """A context without a window, of the format that Qt makes all of; current within a `with`."""

    def __init__(self) -> None:
        """Raises: ProviderError: if there is no OpenGL 3.3."""
        self._surface = QOffscreenSurface()
        self._surface.create()
        self._context = QOpenGLContext()
        if not self._context.create() or not self._context.makeCurrent(self._surface):
            raise ProviderError(
                "no OpenGL 3.3 context on this display; install a driver, on Debian or Ubuntu: "
                "apt-get install libgl1-mesa-dri"
            )
        self._context.doneCurrent()

    def make_current(self) -> None:
        self._context.makeCurrent(self._surface)

    def done_current(self) -> None:
        self._context.doneCurrent()

    def __enter__(self) -> Self:
        self.make_current()
        return self

    def __exit__(self, *raised: object) -> None:
        self.done_current()


@cache
def card_draws() -> bool:
    """Whether a graphics card draws here, not the processor; True too where that cannot be told."""
    try:
        with HiddenGl():
            return not draws_in_software(attach())
    except ProviderError:
        return True
