"""Landmark dots: round, outlined, a fixed size on the screen."""

import moderngl
import numpy as np

from engine.frames import clip_from_view
from engine.render.program import Program, load_program
from engine.types import F32, Camera, check_array

__all__ = ["LandmarkDots"]

_COLOURS = {"u_dot_colour": (0.30, 1.0, 0.55), "u_outline_colour": (0.02, 0.08, 0.05)}
_RADIUS_SHARE = 1.0 / 220.0
"""Of the picture's shorter side, within the bounds below."""
_RADIUS_PX = (2.0, 9.0)
_OUTLINE_PX = 1.0


class LandmarkDots:
    """Draws dots over a picture."""

    def __init__(self, ctx: moderngl.Context) -> None:
        self._ctx = ctx
        self.program: Program = load_program(ctx, "dots.vert", "dots.frag")
        self.program.set({**_COLOURS, "u_outline_px": _OUTLINE_PX})
        self._buffer = ctx.buffer(reserve=8 * 512, dynamic=True)
        self._array = ctx.vertex_array(self.program.gl, [(self._buffer, "2f/i", "in_centre_px")])

    @staticmethod
    def window(camera: Camera, points_px: F32) -> tuple[int, int, int, int] | None:
        """x, y, width, height px, y up: all dots are inside; None where there is none."""
        if not len(points_px):
            return None
        reach = _radius_px(camera) + 2.0
        size = np.array([camera.width, camera.height])
        low = np.clip(np.floor(points_px.min(axis=0) - reach).astype(int), 0, size)
        high = np.clip(np.ceil(points_px.max(axis=0) + reach + 1).astype(int), 0, size)
        if (high <= low).any():
            return None
        (left, top), (right, bottom) = low, high
        return int(left), int(camera.height - bottom), int(right - left), int(bottom - top)

    def draw(
        self, target: moderngl.Framebuffer, camera: Camera, points_px: F32, opacity: float
    ) -> None:
        """Draw points (N, 2), px of camera, y down, over what target holds.

        Raises: ValueError: if points_px is no (N, 2) float32 array.
        """
        check_array("landmarks_px", points_px, (None, 2), np.float32)
        if not len(points_px):
            return
        # A camera for which a point at (x, y, -1) in the view frame lands on pixel (x, y).
        pixels = Camera(np.diag([1.0, -1.0, 1.0]), camera.width, camera.height)
        self.program.set(
            {
                "u_clip_from_pixel": clip_from_view(pixels, 0.5, 2.0),
                "u_radius_px": _radius_px(camera),
                "u_opacity": float(opacity),
            }
        )
        self._buffer.orphan(max(points_px.nbytes, self._buffer.size))
        self._buffer.write(np.ascontiguousarray(points_px))
        target.use()
        self._ctx.enable_only(moderngl.BLEND)
        self._ctx.blend_func = (moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA)
        self._ctx.blend_equation = moderngl.FUNC_ADD
        self._array.render(moderngl.TRIANGLE_STRIP, vertices=4, instances=len(points_px))

    def release(self) -> None:
        for part in (self._array, self._buffer, self.program):
            part.release()


def _radius_px(camera: Camera) -> float:
    """Of a dot with its outline."""
    return float(np.clip(min(camera.width, camera.height) * _RADIUS_SHARE, *_RADIUS_PX))
