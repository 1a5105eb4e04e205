"""Pictures as they looked when they were good.

`python -m tests.gl.test_golden` draws them anew: look at them before committing.
"""

from pathlib import Path

import cv2
import moderngl
import numpy as np
import pytest

from engine.frames import default_camera
from engine.render.context import headless_context
from engine.render.renderer import MeshRenderer, RenderMode, Surface
from engine.types import F32, I32, U8
from tests.gl.shapes import rotation, sphere

pytestmark = pytest.mark.gl

FOLDER = Path(__file__).parents[1] / "golden"
MODES = (RenderMode.SHADED, RenderMode.WIREFRAME, RenderMode.VIEW_NORMALS)
CAMERA = default_camera(96, 96)


def _bumps() -> tuple[F32, I32, Surface]:
    """A ball with bumps: two colours, a wet half, and a foot that fades out."""
    vertices, faces = sphere(0.1, 36, 72)
    x, y, z = (vertices / 0.1).T
    radius = 1.0 + 0.12 * np.sin(5.0 * x) * np.sin(6.0 * y + 1.0) * np.sin(4.0 * z)
    albedo = np.where(x[:, None] > 0.2, [0.85, 0.5, 0.4], [0.8, 0.77, 0.74]).astype(np.float32)
    fade = np.clip((y + 0.95) / 0.4, 0.0, 1.0).astype(np.float32)
    gloss = (x < -0.2).astype(np.float32)
    return vertices * radius[:, None].astype(np.float32), faces, Surface(albedo, fade, gloss)


def _draw(ctx: moderngl.Context, mode: RenderMode) -> U8:
    vertices, faces, surface = _bumps()
    renderer = MeshRenderer(ctx, faces, surface=surface)
    t = np.array([0.0, 0.0, -0.42])
    renderer.draw(CAMERA, vertices, rotation(25.0, 10.0), t, mode=mode, background=None)
    picture = renderer.read(alpha=True)
    renderer.release()
    return picture


@pytest.mark.parametrize("mode", MODES)
def test_the_picture_is_the_golden_one(ctx: moderngl.Context, mode: RenderMode) -> None:
    golden = cv2.imread(str(FOLDER / f"bumps_{mode}.png"), cv2.IMREAD_UNCHANGED)
    golden = cv2.cvtColor(golden, cv2.COLOR_BGRA2RGBA)
    picture = _draw(ctx, mode)
    # Drivers place samples and round differently: edges of one pixel, and steps of one elsewhere.
    assert np.abs(picture.astype(int) - golden).mean() < 1.5
    ours, theirs = picture[..., 3] > 16, golden[..., 3] > 16
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.99


def _main() -> None:
    context = headless_context()
    for mode in MODES:
        picture = cv2.cvtColor(_draw(context, mode), cv2.COLOR_RGBA2BGRA)
        cv2.imwrite(str(FOLDER / f"bumps_{mode}.png"), picture)


if __name__ == "__main__":
    _main()
