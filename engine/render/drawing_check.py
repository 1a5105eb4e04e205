"""For `n2f doctor`: whether this machine's OpenGL does what the program asks of it."""

import moderngl
import numpy as np

from engine.render.context import activate, describe, headless_context
from engine.render.targets import download

__all__ = ["try_drawing"]

_COLOUR = (255, 128, 0, 255)
_SIDE_PX = 16


def try_drawing() -> dict[str, str]:
    """What draws (see `describe`), and what it cannot do under "trouble", empty if it can do all.

    Two contexts at once, as two views side by side need; a picture with four samples a pixel,
    resolved and read back, which some drivers answer with black. Raises: ProviderError: if there is
    no context at all.
    """
    first, second = headless_context(), headless_context()
    trouble = []
    try:
        for name, context in (("first", first), ("second", second)):
            activate(context)
            if not _reads_back(context):
                trouble.append(f"the {name} of two contexts does not read back what it draws")
        return describe(first) | {"trouble": "; ".join(trouble)}
    finally:
        for context in (second, first):
            activate(context)
            context.release()


def _reads_back(ctx: moderngl.Context) -> bool:
    size = (_SIDE_PX, _SIDE_PX)
    drawn = ctx.framebuffer([ctx.renderbuffer(size, 4, samples=4)])
    resolved = ctx.framebuffer([ctx.texture(size, 4)])
    drawn.clear(*(value / 255 for value in _COLOUR))
    ctx.copy_framebuffer(resolved, drawn)
    close = np.abs(download(resolved, 4).astype(int) - _COLOUR) <= 1
    return bool(close.all()) and ctx.error == "GL_NO_ERROR"
