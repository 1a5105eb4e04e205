"""moderngl on the GL context that Qt made current."""

from typing import Self

import moderngl

from app.qt import QOpenGLContext

__all__ = ["attach"]


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
    """Qt's current context; called in initializeGL of every widget, which keeps the result."""
    # Not create_context(): for a second Qt widget it falls back to GLX and fails on EGL.
    moderngl.init_context(loader=_QtLoader(QOpenGLContext.currentContext()))
    return moderngl.get_context()
