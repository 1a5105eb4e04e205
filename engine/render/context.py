"""OpenGL contexts without a window, what they run on, and how large a picture they can draw.

A context belongs to the thread that made it. Two contexts in one thread are fine: every entry point
of the renderer makes its own current first.
"""

import moderngl

from engine.errors import ProviderError

__all__ = [
    "activate",
    "check_picture_size",
    "describe",
    "draws_in_software",
    "headless_context",
    "max_picture_side",
    "unbind",
]

_REQUIRED_VERSION = 330
_MAX_PIXELS = 40_000_000
"""About 1 GB of render targets and textures."""


def headless_context() -> moderngl.Context:
    """A new OpenGL 3.3 context on EGL; needs no display. Release it with `.release()`.

    Raises: ProviderError: if the machine has no EGL or no OpenGL 3.3 driver.
    """
    try:
        return moderngl.create_context(standalone=True, backend="egl", require=_REQUIRED_VERSION)
    except Exception as error:  # glcontext raises Exception itself
        raise ProviderError(
            f"no OpenGL 3.3 context without a display ({error}). The EGL library or a driver for "
            "it is missing; on Debian or Ubuntu: apt-get install libegl1 libgl1-mesa-dri"
        ) from error


def activate(ctx: moderngl.Context) -> None:
    """Make ctx the current context of this thread (a window system's own context: no change)."""
    # Entering restores nothing on exit with EGL, so contexts are only ever entered.
    ctx.__enter__()


def unbind(ctx: moderngl.Context) -> None:
    """Leave no framebuffer of ours bound, before one is released.

    moderngl binds the last one again after it made another, which fails when it is gone.
    """
    ctx.detect_framebuffer(0).use()


def describe(ctx: moderngl.Context) -> dict[str, str]:
    """What draws: keys vendor, renderer, version."""
    info = ctx.info
    return {
        "vendor": str(info["GL_VENDOR"]),
        "renderer": str(info["GL_RENDERER"]),
        "version": str(info["GL_VERSION"]),
    }


_SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "software", "basic render")


def draws_in_software(ctx: moderngl.Context) -> bool:
    """Whether the processor draws, not a graphics card: each sample of a pixel then takes time
    from the networks."""
    renderer = describe(ctx)["renderer"].lower()
    return any(name in renderer for name in _SOFTWARE)


def max_picture_side(ctx: moderngl.Context) -> int:
    """Longest side in px of a picture that ctx can draw."""
    info = ctx.info
    return int(
        min(
            info["GL_MAX_TEXTURE_SIZE"],
            info["GL_MAX_RENDERBUFFER_SIZE"],
            *info["GL_MAX_VIEWPORT_DIMS"],
        )
    )


def check_picture_size(ctx: moderngl.Context, width: int, height: int) -> None:
    """Raise ProviderError if a picture of width x height px is too large to draw on ctx."""
    limit = max_picture_side(ctx)
    scale = min(limit / max(width, height), (_MAX_PIXELS / (width * height)) ** 0.5)
    if scale < 1.0:
        fitting = f"{int(width * scale)}x{int(height * scale)}"
        raise ProviderError(
            f"a picture of {width}x{height} px is too large to draw here (at most {limit} px a "
            f"side and {_MAX_PIXELS // 1_000_000} million px); scale it down to {fitting} px"
        )
