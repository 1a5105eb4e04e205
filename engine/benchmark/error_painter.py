"""Paints meshes coloured by error, and over photos: for error maps and pictures of cases."""

from typing import Final

import cv2
import numpy as np

from engine.frames import camera_from_focal
from engine.render.closing import Closing
from engine.render.context import headless_context
from engine.render.mesh_buffers import CLAY, Surface
from engine.render.renderer import MeshRenderer, RenderMode
from engine.types import F32, F64, I32, U8

__all__ = ["WORST_MM", "ErrorPainter", "captioned", "colour_bar"]

WORST_MM: Final = 5.0
"""From here on errors have the last colour."""
_TEXT: Final = cv2.FONT_HERSHEY_SIMPLEX
_FOCAL: Final = 6.0  # times the picture's side: seen from afar, as in a drawing


class ErrorPainter(Closing):
    """Needs OpenGL without a display. Made, used and closed by one thread."""

    def __init__(self) -> None:
        """Raises: ProviderError: if there is none."""
        self._ctx = headless_context()

    def paint(self, vertices: F64, faces: I32, errors_mm: F32 | None, turn: F64, side: int) -> U8:
        """(side, side, 3) RGB: the mesh from ahead, as large as fits.

        Args:
            vertices: (V, 3) metres, any frame that `turn` (3, 3) turns into the view frame's axes.
            errors_mm: (V,) NaN: clay; None: all clay.
        """
        turned = vertices @ turn.T
        low, high = turned.min(axis=0), turned.max(axis=0)
        extent = float((high - low)[:2].max())
        placed = turned - (low + high) / 2
        placed[:, 2] -= 1.05 * _FOCAL * extent
        colours = np.tile(np.array(CLAY, np.float32), (len(vertices), 1))
        if errors_mm is not None:
            known = np.isfinite(errors_mm)
            colours[known] = ramp(errors_mm[known])
        renderer = MeshRenderer(self._ctx, faces, surface=Surface(albedo=colours))
        try:
            white = np.full((side, side, 3), 255, np.uint8)
            renderer.draw(
                camera_from_focal(_FOCAL * side, side, side), placed.astype(np.float32),
                np.eye(3), np.zeros(3), mode=RenderMode.SHADED, background=white,
            )  # fmt: skip
            picture: U8 = renderer.read()
        finally:
            renderer.release()
        return picture

    def close(self) -> None:
        """Free the GPU."""
        self._ctx.release()


def ramp(errors_mm: F32) -> F32:
    """(N, 3) sRGB 0..1: from dark blue over green to yellow, at WORST_MM and beyond."""
    steps = np.rint(255 * np.clip(errors_mm / WORST_MM, 0, 1)).astype(np.uint8)
    bgr = cv2.applyColorMap(steps[:, None], cv2.COLORMAP_VIRIDIS)[:, 0]
    rgb: F32 = bgr[:, ::-1].astype(np.float32) / 255
    return rgb


def colour_bar(width: int) -> U8:
    """(40, width, 3) RGB: the ramp with its numbers."""
    bar = np.full((40, width, 3), 255, np.uint8)
    colours = ramp(np.linspace(0, WORST_MM, width - 40, dtype=np.float32))
    bar[4:18, 20:-20] = np.rint(255 * colours)
    for k in range(int(WORST_MM) + 1):
        text = f"{k} mm" if k < WORST_MM else f"{k}+ mm"
        x = 20 + round(k / WORST_MM * (width - 40)) - 14
        cv2.putText(bar, text, (min(x, width - 52), 34), _TEXT, 0.4, (40, 40, 40), 1, cv2.LINE_AA)
    return bar


def captioned(picture: U8, text: str) -> U8:
    """The picture with a line of text over it."""
    line = np.full((24, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(line, text, (4, 16), _TEXT, 0.42, (20, 20, 20), 1, cv2.LINE_AA)
    return np.concatenate([line, picture])
