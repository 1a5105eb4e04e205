"""Passes over whole pictures: the mesh layer over the photo, the picture into a window."""

import moderngl

from engine.render.program import Program, load_program
from engine.render.targets import Layer, PictureTargets

__all__ = ["Compositor"]

_SHRINKS = 0.7
"""Below this scale a picture is shown through its mipmaps, else thin lines flicker."""


class Compositor:
    """Puts the mesh layer over the picture and shows the result."""

    def __init__(self, ctx: moderngl.Context) -> None:
        self._ctx = ctx
        self._single = load_program(ctx, "screen.vert", "composite.frag")
        self._multi = load_program(ctx, "screen.vert", "composite_multisample.frag")
        self._blit = load_program(ctx, "screen.vert", "blit.frag")
        for program in (self._single, self._multi):
            program.set({"u_layer": 0})
        self._blit.set({"u_picture": 0})
        self._arrays = {p.name: ctx.vertex_array(p.gl, []) for p in self.programs}

    @property
    def programs(self) -> tuple[Program, ...]:
        return (self._single, self._multi, self._blit)

    def put_over(
        self,
        targets: PictureTargets,
        layer: Layer,
        window: tuple[int, int, int, int],
        opacity: float,
    ) -> None:
        """Blend the layer over the picture in window (x, y, width, height; px, y up)."""
        program = self._multi if layer.samples else self._single
        program.set({"u_origin": window[:2], "u_opacity": float(opacity)})
        layer.texture.use(0)
        targets.picture.use()
        targets.picture.scissor = window
        self._ctx.enable_only(moderngl.BLEND)
        self._ctx.blend_func = (moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA)
        self._ctx.blend_equation = moderngl.FUNC_ADD
        self._arrays[program.name].render(moderngl.TRIANGLES, vertices=3)
        targets.picture.scissor = None

    def show(
        self,
        picture: moderngl.Texture,
        framebuffer: moderngl.Framebuffer,
        viewport: tuple[int, int, int, int],
        *,
        mirrored: bool = False,
        scissor: tuple[int, int, int, int] | None = None,
    ) -> None:
        """Scale picture into viewport (x, y, width, height; px, y up) of framebuffer.

        Args:
            scissor: as viewport; nothing outside of it is changed.
        """
        self._blit.set({"u_across": (-1.0, 1.0) if mirrored else (1.0, 0.0)})
        shrinks = viewport[2] < _SHRINKS * picture.width
        if shrinks:
            picture.build_mipmaps()
        smallest = moderngl.LINEAR_MIPMAP_LINEAR if shrinks else moderngl.LINEAR
        picture.filter = (smallest, moderngl.LINEAR)
        framebuffer.use()
        framebuffer.scissor = scissor
        framebuffer.viewport = viewport
        picture.use(0)
        self._ctx.enable_only(moderngl.NOTHING)
        self._arrays[self._blit.name].render(moderngl.TRIANGLES, vertices=3)
        framebuffer.scissor = None

    def release(self) -> None:
        for part in (*self._arrays.values(), *self.programs):
            part.release()
