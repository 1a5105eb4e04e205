"""What is drawn into: framebuffers and textures of one picture size.

OpenGL keeps the bottom row first, pictures have the top row first: rows are turned in this module
and nowhere else.
"""

from typing import Any

import moderngl
import numpy as np

from engine.render.context import unbind
from engine.types import F32, U8

__all__ = ["Layer", "MapTargets", "PictureTargets", "download", "upload"]

_MAX_MULTISAMPLED_PIXELS = 9_000_000
"""Larger pictures are drawn with one sample a pixel: four of 9 million take 290 MB."""
_GL_RGBA8 = 0x8058
_LAYER_STEP = 64
"""px by which the mesh layer grows, so that a moving head seldom makes it grow."""
_MAP_COMPONENTS = (4, 4, 2)
"""Channels of the outputs of shaders/maps.frag."""


def upload(texture: moderngl.Texture, image: U8) -> None:
    """Write a picture, (H, W, 3) top row first, into a texture of its size."""
    texture.write(np.ascontiguousarray(image[::-1]), alignment=1)


def download(framebuffer: moderngl.Framebuffer, components: int) -> U8:
    """Read a picture as (H, W, components), top row first."""
    pixels = np.empty((framebuffer.height, framebuffer.width, components), np.uint8)
    framebuffer.read_into(pixels, components=components, alignment=1)
    return np.ascontiguousarray(pixels[::-1])


class Layer:
    """The mesh alone, multiplied by its alpha, in the window of the picture that it covers."""

    def __init__(self, ctx: moderngl.Context, width: int, height: int, samples: int) -> None:
        self._ctx = ctx
        self.width, self.height, self.samples = width, height, samples
        self.texture = ctx.texture((width, height), 4, samples=samples)
        self._depth = ctx.depth_renderbuffer((width, height), samples=samples)
        self._framebuffer = ctx.framebuffer([self.texture], self._depth)
        self._resolved: tuple[moderngl.Texture, moderngl.Framebuffer] | None = None

    def begin(self, window: tuple[int, int, int, int], size: tuple[int, int]) -> None:
        """Empty the layer and draw into it: window (x, y, ...) of a picture of size."""
        self._framebuffer.clear()
        self._framebuffer.viewport = (-window[0], -window[1], *size)
        self._framebuffer.use()

    @property
    def framebuffer(self) -> moderngl.Framebuffer:
        """What `begin` made ready to be drawn into."""
        return self._framebuffer

    def read(self, width: int, height: int) -> U8:
        """The window of `begin`, (height, width, 4) RGBA multiplied by alpha, top row first."""
        source = self._framebuffer
        if self.samples:
            if self._resolved is None:
                texture = self._ctx.texture((self.width, self.height), 4)
                self._resolved = (texture, self._ctx.framebuffer([texture]))
            source = self._resolved[1]
            self._ctx.copy_framebuffer(source, self._framebuffer)
        pixels = np.empty((height, width, 4), np.uint8)
        source.read_into(pixels, viewport=(0, 0, width, height), components=4, alignment=1)
        return pixels[::-1]

    def release(self) -> None:
        unbind(self._ctx)
        resolved = reversed(self._resolved or ())
        for part in (*resolved, self._framebuffer, self._depth, self.texture):
            part.release()


class GrowingLayer:
    """A mesh layer as large as the largest window so far."""

    def __init__(self, ctx: moderngl.Context, samples: int) -> None:
        self._ctx, self._samples = ctx, samples
        self._layer: Layer | None = None

    def of(self, window: tuple[int, int, int, int]) -> Layer:
        """A layer at least as large as window; it only ever grows."""
        needed = [-(-side // _LAYER_STEP) * _LAYER_STEP for side in window[2:]]
        layer = self._layer
        if layer is not None and layer.width >= needed[0] and layer.height >= needed[1]:
            return layer
        if layer is not None:
            needed = [max(needed[0], layer.width), max(needed[1], layer.height)]
            layer.release()
        self._layer = Layer(self._ctx, needed[0], needed[1], self._samples)
        return self._layer

    def release(self) -> None:
        if self._layer is not None:
            self._layer.release()
        self._layer = None


class PictureTargets:
    """The picture, and the mesh layer that goes over it."""

    def __init__(self, ctx: moderngl.Context, width: int, height: int, samples: int) -> None:
        self._ctx = ctx
        self.size = (width, height)
        # Written as RGB, kept as RGBA: the photo goes where it will be drawn over, in one copy.
        self.texture = ctx.texture(self.size, 3, alignment=1, internal_format=_GL_RGBA8)
        self.picture = ctx.framebuffer([self.texture])
        fits = width * height <= _MAX_MULTISAMPLED_PIXELS
        self.layer = GrowingLayer(ctx, samples if fits and samples > 1 else 0)

    def begin(self, background: U8 | None) -> None:
        """Fill the picture with a photo, (H, W, 3) of its size, or with transparent black."""
        if background is not None:
            upload(self.texture, background)
        else:
            self.picture.clear()

    def release(self) -> None:
        unbind(self._ctx)
        for part in (self.picture, self.texture, self.layer):
            part.release()


class MapTargets:
    """Floating-point attachments for the data path, one sample a pixel."""

    def __init__(self, ctx: moderngl.Context, width: int, height: int) -> None:
        self._ctx = ctx
        self.size = (width, height)
        textures = [ctx.texture(self.size, n, dtype="f4") for n in _MAP_COMPONENTS]
        depth = ctx.depth_renderbuffer(self.size)
        self.framebuffer = ctx.framebuffer(textures, depth)
        self._parts: list[Any] = [*textures, depth, self.framebuffer]

    def read(self) -> tuple[F32, F32, F32]:
        """The three attachments, (H, W, 4), (H, W, 4), (H, W, 2), top row first."""
        a, b, c = (self._attachment(at, n) for at, n in enumerate(_MAP_COMPONENTS))
        return a, b, c

    def _attachment(self, at: int, components: int) -> F32:
        width, height = self.size
        pixels = np.empty((height, width, components), np.float32)
        self.framebuffer.read_into(
            pixels, components=components, attachment=at, alignment=1, dtype="f4"
        )
        return np.ascontiguousarray(pixels[::-1])

    def release(self) -> None:
        unbind(self._ctx)
        for part in reversed(self._parts):
            part.release()
