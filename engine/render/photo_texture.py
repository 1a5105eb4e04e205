"""Texture from a photo: which parts of the mesh the photo saw, and its pixels on them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import moderngl
import numpy as np

from engine.frames import view_from_model
from engine.render.context import check_picture_size
from engine.render.mesh_buffers import MeshBuffers
from engine.render.program import Program, load_program
from engine.render.targets import upload
from engine.render.view import View, view_of
from engine.types import F32, F64, U8, Camera

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


class PhotoTexture:
    """Holds a photo as a texture, with the depth of the nearest surface at each of its pixels."""

    def __init__(self, ctx: moderngl.Context) -> None:
        self._ctx = ctx
        self._program: Program = load_program(ctx, "depth.vert", "depth.frag")
        self._photo: moderngl.Texture | None = None
        self._depth: moderngl.Texture | None = None
        self._framebuffer: moderngl.Framebuffer | None = None
        self._size = (0, 0)

    @property
    def program(self) -> Program:
        return self._program

    def prepare(self, source: PhotoSource, mesh: MeshBuffers) -> Mapping[str, Any]:
        """Upload the photo and draw its depth map; mesh keeps the photo's vertices as source.

        Returns: uniforms of shaders/texture.vert and .frag about the photo; the photo is bound to
            unit 0, the depth map to unit 1.
        Raises: ValueError: if the image does not fit the camera, or the head is not in it.
        """
        image, camera, vertices, R, t = source
        if image.shape != (camera.height, camera.width, 3):
            raise ValueError(
                f"texture image: shape {image.shape}, camera {camera.width}x{camera.height}"
            )
        view = view_of(camera, vertices, R, t)
        if view is None:
            raise ValueError("texture image: the head is not inside the picture")
        self._fit(camera.width, camera.height)
        upload(self._photo, image)
        mesh.write_source(vertices)
        self._draw_depth(view, mesh)
        self._photo.use(0)
        self._depth.use(1)
        return {
            "u_photo": 0,
            "u_source_depth": 1,
            "u_source_view_from_model": view_from_model(R, t),
            "u_texture_from_source_view": _TEXTURE_FROM_CLIP @ view.clip_from_view,
            "u_depth_bias": (0.0, 0.0, _DEPTH_BIAS),
        }

    def _fit(self, width: int, height: int) -> None:
        if self._size == (width, height):
            return
        check_picture_size(self._ctx, width, height)
        self._free()
        self._size = (width, height)
        self._photo = self._ctx.texture((width, height), 3, alignment=1)
        self._photo.repeat_x = self._photo.repeat_y = False
        scale = min(1.0, _DEPTH_SIDE / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        self._depth = self._ctx.depth_texture(size)
        self._depth.compare_func = "<="
        self._depth.repeat_x = self._depth.repeat_y = False
        self._framebuffer = self._ctx.framebuffer(depth_attachment=self._depth)

    def _draw_depth(self, view: View, mesh: MeshBuffers) -> None:
        self._framebuffer.use()
        self._framebuffer.clear()
        # Both sides: a sheet that turns its back to the camera hides what is behind it as well.
        self._ctx.enable_only(moderngl.DEPTH_TEST)
        self._program.set({"u_clip_from_model": view.clip_from_view @ view.view_from_model})
        mesh.render_source_depth(self._program)

    def _free(self) -> None:
        for part in (self._framebuffer, self._photo, self._depth):
            if part is not None:
                part.release()
        self._framebuffer = self._photo = self._depth = None

    def release(self) -> None:
        self._free()
        self._program.release()
