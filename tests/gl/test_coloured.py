"""Colours that stand for numbers: seen as they were given, anew with every frame."""

from collections.abc import Iterator

import moderngl
import numpy as np
import pytest

from engine.frames import default_camera
from engine.render.renderer import MeshRenderer, RenderMode
from engine.types import F32, U8
from tests.gl.shapes import quad, sphere

pytestmark = pytest.mark.gl

CAMERA = default_camera(120, 90)
R = np.eye(3)
T = np.array([0.0, 0.0, -0.5])
QUAD, QUAD_FACES = quad((0.0, 0.0, 0.0), 0.05)
PHOTO: U8 = np.full((90, 120, 3), 77, np.uint8)


@pytest.fixture
def renderer(ctx: moderngl.Context) -> Iterator[MeshRenderer]:
    made = MeshRenderer(ctx, QUAD_FACES)
    yield made
    made.release()


def drawn(renderer: MeshRenderer, colour: tuple[float, float, float]) -> U8:
    colours: F32 = np.tile(np.array(colour, np.float32), (len(QUAD), 1))
    renderer.draw_coloured(CAMERA, QUAD, R, T, colours=colours, background=PHOTO)
    return renderer.read()


def test_a_surface_that_faces_the_camera_has_the_colour_given(renderer: MeshRenderer):
    for colour in ((0.2, 0.5, 0.9), (0.99, 0.9, 0.14)):  # the second: buffers are rewritten
        picture = drawn(renderer, colour)
        # The middle of the picture is looked at along the normal: nothing is darkened.
        assert picture[45, 60] == pytest.approx(np.rint(255 * np.array(colour)), abs=1)
        assert picture[2, 2].tolist() == [77, 77, 77]


def test_other_modes_keep_the_surface_s_own_colour(renderer: MeshRenderer):
    renderer.draw(CAMERA, QUAD, R, T, mode=RenderMode.SHADED, background=PHOTO)
    before = renderer.read()
    drawn(renderer, (1.0, 0.0, 0.0))
    renderer.draw(CAMERA, QUAD, R, T, mode=RenderMode.SHADED, background=PHOTO)
    np.testing.assert_array_equal(renderer.read(), before)


def test_the_shape_is_still_to_be_seen(ctx: moderngl.Context):
    vertices, faces = sphere(0.05)
    renderer = MeshRenderer(ctx, faces)
    white = np.ones_like(vertices)
    renderer.draw_coloured(CAMERA, vertices, R, T, colours=white, background=PHOTO)
    row = renderer.read()[45, :, 0].astype(int)
    renderer.release()
    inside = np.flatnonzero(row != 77)
    assert row[60] >= 253
    assert 190 < row[inside[1]] < 225


def test_colours_of_another_mesh_are_refused(renderer: MeshRenderer):
    with pytest.raises(ValueError, match="colours"):
        renderer.draw_coloured(
            CAMERA, QUAD, R, T, colours=np.ones((2, 3), np.float32), background=PHOTO
        )
