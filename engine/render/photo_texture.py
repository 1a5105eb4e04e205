"""Texture from a photo: which parts of the mesh the photo saw, and its pixels on them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import moderngl
import numpy as np

from engine.frames import view_from_model
from engine.render.context import check_picture_size, unbind
from engine.render.mesh_buffers import MeshBuffers
from engine.render.program import Program, load_program
from engine.render.targets import upload
from engine.render.view import View, view_of
from engine.types import F32, F64, U8, Camera, check_array

__all__ = ["PhotoSource", "PhotoTexture"]

_DEPTH_SIDE = 1024
"""px of the longer side of the depth map of what the photo saw."""
_DEPTH_BIAS = 0.004
"""Metres; more than a triangle's depth over one pixel of the depth map at a grazing angle."""
_TEXTURE_FROM_CLIP = np.array(
    [[0.5, 0.0, 0.0, 0.5], [0.0, 0.5, 0.0, 0.5], [0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.0, 1.0]]
)


class PhotoSource(NamedTuple):
    """A photo and the head as it was in it."""

    image: U8  # (H, W, 3) of camera's size
    camera: Camera
    vertices: F32  # (V, 3) metres, model frame
    R: F64  # (3, 3) view from model
    t: F64  # (3,) metres


class _PhotoTargets:
    """The photo, and the depth of the nearest surface over it."""

    def __init__(self, ctx: moderngl.Context, width: int, height: int) -> None:
        self._ctx = ctx
        self.size = (width, height)
        self.photo = ctx.texture(self.size, 3, alignment=1)
        scale = min(1.0, _DEPTH_SIDE / max(self.size))
        self.depth = ctx.depth_texture([max(1, round(side * scale)) for side in self.size])
        self.depth.compare_func = "<="
        for texture in (self.photo, self.depth):
            texture.repeat_x = texture.repeat_y = False
        self.framebuffer = ctx.framebuffer(depth_attachment=self.depth)

    def release(self) -> None:
        unbind(self._ctx)
        for part in (self.framebuffer, self.depth, self.photo):
            part.release()


class PhotoTexture:
    """Makes a photo and what it saw of the mesh available to shaders/texture.frag."""

    def __init__(self, ctx: moderngl.Context) -> None:
        self._ctx = ctx
        self.program: Program = load_program(ctx, "depth.vert", "depth.frag")
        self._targets: _PhotoTargets | None = None

    def prepare(self, source: PhotoSource, mesh: MeshBuffers) -> Mapping[str, Any]:
        """Upload the photo and draw its depth map; mesh keeps the photo's vertices as source.

        Returns: uniforms of shaders/texture.vert and .frag about the photo; the photo is bound to
            unit 0, the depth map to unit 1.
        Raises: ValueError: if the image does not fit the camera, or the head is not in it.
        """
        image, camera, vertices, R, t = source
        check_array("texture image", image, (camera.height, camera.width, 3), np.uint8)
        view = view_of(camera, vertices, R, t)
        if view is None:
            raise ValueError("texture image: the head is outside of it")
        targets = self._fit_targets(camera)
        upload(targets.photo, image)
        mesh.write_source(vertices)
        self._draw_depth(targets, view, mesh)
        targets.photo.use(0)
        targets.depth.use(1)
        return {
            "u_photo": 0,
            "u_source_depth": 1,
            "u_source_view_from_model": view_from_model(R, t),
            "u_texture_from_source_view": _TEXTURE_FROM_CLIP @ view.clip_from_view,
            "u_depth_bias": (0.0, 0.0, _DEPTH_BIAS),
        }

    def _fit_targets(self, camera: Camera) -> _PhotoTargets:
        size = (camera.width, camera.height)
        if self._targets is None or self._targets.size != size:
            check_picture_size(self._ctx, *size)
            if self._targets is not None:
                self._targets.release()
                self._targets = None
            self._targets = _PhotoTargets(self._ctx, *size)
        return self._targets

    def _draw_depth(self, targets: _PhotoTargets, view: View, mesh: MeshBuffers) -> None:
        targets.framebuffer.use()
        targets.framebuffer.clear()
        # Both sides: a sheet that turns its back to the camera hides what is behind it as well.
        self._ctx.enable_only(moderngl.DEPTH_TEST)
        self._ctx.depth_func = "<"
        self.program.set({"u_clip_from_model": view.clip_from_view @ view.view_from_model})
        mesh.render_source_depth(self.program)

    def release(self) -> None:
        if self._targets is not None:
            self._targets.release()
        self.program.release()
