"""A contact sheet of heads, to judge a head model by eye."""

from pathlib import Path

import numpy as np

from engine.flame.lbs import rodrigues
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.frames import camera_from_focal
from engine.io.image import save_png
from engine.render.context import headless_context
from engine.render.overlay import head_renderer
from engine.render.renderer import RenderMode
from engine.types import FlameParams

__all__ = ["draw_sheet"]

_SIZE_PX = (240, 280)
_DISTANCE_M = 1.0
_BACKDROP = np.array([74, 78, 86], np.uint8)


def draw_sheet(model: HeadModel, heads: list[FlameParams], path: Path, columns: int = 6) -> None:
    """Write a PNG of heads, turned a little to one side and the other."""
    width, height = _SIZE_PX
    camera = camera_from_focal(height * _DISTANCE_M / 0.36, width, height)
    background = np.broadcast_to(_BACKDROP, (height, width, 3)).copy()
    posed = PosedHead(model)
    ctx = headless_context()
    renderer = head_renderer(ctx, model)
    tiles = []
    for i, head in enumerate(heads):
        R = rodrigues(np.array([0.05, np.radians((-25, 0, 25)[i % 3]), 0.0]), xp=np)
        t = np.array([0.0, 0.0, -_DISTANCE_M])
        vertices = posed.vertices(head)
        renderer.draw(
            camera, vertices, R, t, mode=RenderMode.SHADED, background=background, opacity=1.0
        )
        tiles.append(renderer.read())
    renderer.release()
    ctx.release()
    rows = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)]
    save_png(path, np.concatenate(rows))
