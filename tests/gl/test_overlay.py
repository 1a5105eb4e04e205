"""Pictures: what must not change, what mixes, what hides what."""

from collections.abc import Iterator

import moderngl
import numpy as np
import pytest

from engine.errors import ProviderError
from engine.frames import camera_from_focal, default_camera
from engine.render.context import check_picture_size, max_picture_side
from engine.render.renderer import MeshRenderer, PhotoSource, RenderMode, Surface
from engine.types import F32, I32, U8
from tests.gl.shapes import quad, rotation, sphere

pytestmark = pytest.mark.gl

CAMERA = default_camera(160, 121)  # an odd height and a width whose rows are no multiple of 4 bytes
R = np.eye(3)
T = np.array([0.0, 0.0, -0.5])
MESH_MODES = [mode for mode in RenderMode if mode is not RenderMode.LANDMARKS]


@pytest.fixture
def photo() -> U8:
    noise = np.random.default_rng(0).integers(0, 256, (121, 160, 3))
    return noise.astype(np.uint8)


@pytest.fixture
def ball() -> tuple[F32, I32]:
    return sphere(0.08)


@pytest.fixture
def renderer(ctx: moderngl.Context, ball: tuple[F32, I32]) -> Iterator[MeshRenderer]:
    made = MeshRenderer(ctx, ball[1])
    yield made
    made.release()


@pytest.mark.parametrize("mode", MESH_MODES)
@pytest.mark.parametrize("samples", [0, 4])
def test_photo_bytes_are_unchanged_outside_the_mesh(
    ctx: moderngl.Context, ball: tuple[F32, I32], photo: U8, mode: RenderMode, samples: int
) -> None:
    vertices, faces = ball
    renderer = MeshRenderer(ctx, faces, samples=samples)
    mask = renderer.render_maps(CAMERA, vertices, R, T).mask
    renderer.draw(CAMERA, vertices, R, T, mode=mode, background=photo)
    picture = renderer.read()
    renderer.release()
    # A pixel that the outline crosses may be mesh for one of its samples: leave a ring of 1 px.
    near = np.zeros_like(mask)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            near |= np.roll(mask, (dy, dx), (0, 1))
    assert 2000 < mask.sum() < near.sum()
    np.testing.assert_array_equal(picture[~near], photo[~near])


def test_without_landmarks_the_landmark_picture_is_the_photo(
    renderer: MeshRenderer, ball: tuple[F32, I32], photo: U8
) -> None:
    renderer.draw(CAMERA, ball[0], R, T, mode=RenderMode.LANDMARKS, background=photo)
    np.testing.assert_array_equal(renderer.read(), photo)


@pytest.mark.parametrize("mode", [RenderMode.SHADED, RenderMode.HEAD_NORMALS])
def test_half_opacity_gives_the_mean(
    renderer: MeshRenderer, ball: tuple[F32, I32], photo: U8, mode: RenderMode
) -> None:
    pictures = []
    for opacity in (0.5, 1.0):
        renderer.draw(CAMERA, ball[0], R, T, mode=mode, background=photo, opacity=opacity)
        pictures.append(renderer.read().astype(np.float64))
    mean = 0.5 * (pictures[1] + photo)
    # The layer is rounded to bytes before it is mixed and the mix is rounded again.
    assert np.abs(pictures[0] - mean).max() <= 1.5


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_of_two_quads_hides_the_other_in_any_order(
    ctx: moderngl.Context, order: tuple[int, int]
) -> None:
    near, faces = quad((0.0, 0.0, 0.03), 0.02)
    far, _ = quad((0.0, 0.0, -0.03), 0.05)
    red, blue = (np.tile(np.array(c, np.float32), (4, 1)) for c in ((1, 0, 0), (0, 0, 1)))
    vertices = np.vstack([(near, far)[i] for i in order])
    surface = Surface(albedo=np.vstack([(red, blue)[i] for i in order]))
    renderer = MeshRenderer(ctx, np.vstack([faces, faces + 4]), surface=surface)
    renderer.draw(CAMERA, vertices, R, T, mode=RenderMode.SHADED, background=None)
    picture = renderer.read().astype(int)
    renderer.release()
    middle, beside = picture[60, 80], picture[60, 80 + 13]  # 8 px and 17 px are the half sizes
    assert middle[0] > middle[2] + 100
    assert beside[2] > beside[0] + 100


def test_view_normals_are_shown_as_colours(
    ctx: moderngl.Context,
) -> None:
    vertices, faces = quad((0.0, 0.0, 0.0), 0.05)
    renderer = MeshRenderer(ctx, faces)
    turn = rotation(40.0)
    shown = {}
    for mode in (RenderMode.HEAD_NORMALS, RenderMode.VIEW_NORMALS):
        renderer.draw(CAMERA, vertices, turn, T, mode=mode, background=None)
        shown[mode] = renderer.read()[60, 80]
    renderer.release()
    view = turn @ [0.0, 0.0, 1.0]
    # (n + 1) / 2 in 255 steps, rounded.
    np.testing.assert_allclose(shown[RenderMode.HEAD_NORMALS], [127.5, 127.5, 255], atol=1)
    np.testing.assert_allclose(shown[RenderMode.VIEW_NORMALS], 127.5 * (view + 1), atol=1)


def test_opacity_by_vertex_fades_the_mesh(ctx: moderngl.Context) -> None:
    vertices, faces = quad((0.0, 0.0, 0.0), 0.04)
    opacity = np.array([0.0, 0.0, 1.0, 1.0], np.float32)  # at the lower, then the upper corners
    renderer = MeshRenderer(ctx, faces, surface=Surface(opacity_v=opacity))
    renderer.draw(CAMERA, vertices, R, T, mode=RenderMode.SHADED, background=None)
    alpha = renderer.read(alpha=True)[..., 3].astype(float)
    renderer.release()
    rows = np.arange(121)
    height = (60.0 - rows) / 192.0 * 0.5  # metres above the axis: focal length 192 px, depth 0.5 m
    expected = np.where(np.abs(height) < 0.04, 255.0 * (height + 0.04) / 0.08, 0.0)
    inside = np.abs(np.abs(height) - 0.04) > 0.004  # rows that the edges do not cross
    # Rounding; and where the diagonal crosses a pixel its samples are taken up to half a pixel off,
    # which is 4.2 of the 8.3 that alpha rises in a row.
    error = np.abs(alpha[:, 80] - expected)[inside]
    assert np.median(error) < 1.0
    assert error.max() < 4.2


def test_without_a_photo_the_rest_is_transparent_and_edges_keep_their_colour(
    ctx: moderngl.Context,
) -> None:
    vertices, faces = quad((0.0, 0.0, 0.0), 0.04)
    opacity = np.full(4, 0.25, np.float32)
    white = Surface(albedo=np.ones((4, 3), np.float32), opacity_v=opacity)
    renderer = MeshRenderer(ctx, faces, surface=white)
    renderer.draw(CAMERA, vertices, R, T, mode=RenderMode.VIEW_NORMALS, background=None)
    picture = renderer.read(alpha=True)
    renderer.release()
    assert (picture[0, 0] == 0).all()
    assert picture[60, 80, 3] == 64
    # Multiplied by a quarter, rounded to bytes and divided again: within 2 of the full colour.
    np.testing.assert_allclose(picture[60, 80, :3].astype(int), [128, 128, 255], atol=2)


def test_wireframe_hides_hidden_lines(ctx: moderngl.Context) -> None:
    near, faces = quad((0.0, 0.0, 0.03), 0.05)
    far, far_faces = sphere(0.03, 12, 24)
    vertices = np.vstack([near, far + np.array([0, 0, -0.05], np.float32)])
    both = MeshRenderer(ctx, np.vstack([faces, far_faces + 4]))
    alone = MeshRenderer(ctx, faces)
    pictures = []
    for renderer, mesh in ((both, vertices), (alone, near)):
        renderer.draw(CAMERA, mesh, R, T, mode=RenderMode.WIREFRAME, background=None)
        pictures.append(renderer.read(alpha=True))
        renderer.release()
    # Other clip planes round depth, not colour.
    np.testing.assert_array_equal(pictures[0], pictures[1])
    # The diagonal is a line, at most 0.36 px from the centre; the middle of a triangle is not.
    assert pictures[1][60, 80, 3] > 150
    assert pictures[1][66, 92, 3] < 40


def test_texture_from_the_same_pose_is_the_photo(ctx: moderngl.Context, photo: U8) -> None:
    vertices, faces = quad((0.0, 0.0, 0.0), 0.05)
    renderer = MeshRenderer(ctx, faces)
    renderer.draw(CAMERA, vertices, R, T, mode=RenderMode.TEXTURE, background=photo)
    picture = renderer.read().astype(int)
    renderer.release()
    # Looked up between the four nearest pixels at a place that is exact to float32.
    assert np.abs(picture - photo)[45:76, 65:96].max() <= 2


def test_texture_moves_with_the_mesh_and_is_grey_where_the_photo_saw_nothing(
    ctx: moderngl.Context,
) -> None:
    front, faces = quad((0.03, 0.0, 0.04), 0.02)
    back, _ = quad((0.03, 0.0, 0.0), 0.02)  # behind it, hidden from the photo's camera
    vertices = np.vstack([front, back])
    green = np.zeros((121, 160, 3), np.uint8) + np.array([10, 200, 30], np.uint8)
    source = PhotoSource(green, CAMERA, vertices, R, T)
    moved = vertices.copy()
    moved[:4, 0] -= 0.06
    renderer = MeshRenderer(ctx, np.vstack([faces, faces + 4]))
    renderer.draw(
        CAMERA, moved, R, T, mode=RenderMode.TEXTURE, background=None, texture_from=source
    )
    picture = renderer.read().astype(int)
    renderer.release()
    left = round(79.5 - 0.03 * 192 / 0.46)
    right = round(79.5 + 0.03 * 192 / 0.5)
    np.testing.assert_array_equal(picture[60, left], [10, 200, 30])
    assert np.ptp(picture[60, right]) < 40  # grey
    assert picture[60, right].min() > 60


def test_the_picture_size_may_change_from_frame_to_frame(
    renderer: MeshRenderer, ball: tuple[F32, I32]
) -> None:
    for width, height in ((160, 121), (33, 77), (300, 200), (160, 121)):
        camera = default_camera(width, height)
        background = np.full((height, width, 3), 9, np.uint8)
        for t_z in (-0.9, -0.3):  # the layer has to grow as well
            renderer.draw(
                camera,
                ball[0],
                R,
                T * [0, 0, -2 * t_z],
                mode=RenderMode.SHADED,
                background=background,
            )
        picture = renderer.read()
        assert picture.shape == (height, width, 3)
        assert picture[height // 2, width // 2].min() > 60


@pytest.mark.parametrize("mode", MESH_MODES)
def test_a_mesh_that_is_out_of_sight_leaves_the_photo(
    renderer: MeshRenderer, ball: tuple[F32, I32], photo: U8, mode: RenderMode
) -> None:
    for t in ([0.0, 0.0, 0.6], [3.0, 0.0, -0.5]):  # behind the camera; beside the picture
        renderer.draw(CAMERA, ball[0], R, np.array(t), mode=mode, background=photo)
        np.testing.assert_array_equal(renderer.read(), photo)


def test_blit_scales_the_picture_and_can_mirror_it(
    ctx: moderngl.Context, renderer: MeshRenderer, ball: tuple[F32, I32]
) -> None:
    half = np.zeros((121, 160, 3), np.uint8)
    half[:60, :80] = 200  # upper left
    renderer.draw(CAMERA, ball[0], R, T, mode=RenderMode.LANDMARKS, background=half)
    colour = ctx.texture((64, 64), 3, alignment=1)
    window = ctx.framebuffer([colour])
    shown = []
    for mirrored in (False, True):
        window.clear()
        renderer.blit_to(window, (0, 8, 64, 48), mirrored=mirrored)
        shown.append(np.frombuffer(window.read(), np.uint8).reshape(64, 64, 3)[::-1, :, 0])
    window.use()
    assert (shown[0][10:30, 2:30] == 200).all()
    assert (shown[0][34:54] == 0).all()
    assert (shown[0][:8] == 0).all()  # above the rectangle
    np.testing.assert_array_equal(shown[1], shown[0][:, ::-1])


def test_every_uniform_is_set_once_all_modes_were_drawn(
    ctx: moderngl.Context, ball: tuple[F32, I32], photo: U8
) -> None:
    vertices, faces = ball
    for samples in (0, 4):
        renderer = MeshRenderer(ctx, faces, samples=samples)
        for mode in RenderMode:
            dots = np.array([[5.0, 5.0]], np.float32)
            renderer.draw(CAMERA, vertices, R, T, mode=mode, background=photo, landmarks_px=dots)
        colours = np.full((len(vertices), 3), 0.5, np.float32)
        renderer.draw_coloured(CAMERA, vertices, R, T, colours=colours, background=photo)
        renderer.render_maps(CAMERA, vertices, R, T)
        missing = renderer.unset_uniforms()
        renderer.release()
        # What the other number of samples uses, and showing in a window, are not drawn here.
        other = "composite_multisample.frag" if samples == 0 else "composite.frag"
        assert set(missing) <= {f"screen.vert + {other}", "screen.vert + blit.frag"}


def test_a_picture_above_the_devices_limit_is_refused_with_a_size_that_fits(
    ctx: moderngl.Context, renderer: MeshRenderer, ball: tuple[F32, I32]
) -> None:
    limit = max_picture_side(ctx)
    camera = camera_from_focal(1000.0, 2 * limit, 10)
    with pytest.raises(ProviderError, match=f"at most {limit} px .* scale it down to {limit}x5 px"):
        renderer.draw(camera, ball[0], R, T, mode=RenderMode.SHADED, background=None)
    with pytest.raises(ProviderError, match="12000x9000 px is too large"):
        check_picture_size(ctx, 12000, 9000)
    check_picture_size(ctx, 6000, 4000)


def test_wrong_input_is_refused(
    ctx: moderngl.Context, renderer: MeshRenderer, ball: tuple[F32, I32], photo: U8
) -> None:
    vertices = ball[0].copy()
    with pytest.raises(ValueError, match="nothing was drawn yet"):
        renderer.read()
    with pytest.raises(ValueError, match="background: shape"):
        renderer.draw(CAMERA, vertices, R, T, mode=RenderMode.SHADED, background=photo[:-1])
    with pytest.raises(ValueError, match="background or texture_from"):
        renderer.draw(CAMERA, vertices, R, T, mode=RenderMode.TEXTURE, background=None)
    with pytest.raises(ValueError, match="vertices: shape"):
        renderer.draw(CAMERA, vertices[:-1], R, T, mode=RenderMode.SHADED, background=photo)
    vertices[7, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        renderer.draw(CAMERA, vertices, R, T, mode=RenderMode.SHADED, background=photo)
    with pytest.raises(ValueError, match="at least one triangle"):
        MeshRenderer(ctx, np.zeros((0, 3), np.int32))
    with pytest.raises(ValueError, match="expected 0 or 4"):
        MeshRenderer(ctx, ball[1], samples=3)


@pytest.mark.parametrize("mode", list(RenderMode))
@pytest.mark.parametrize("samples", [0, 4])
@pytest.mark.parametrize("opacity", [1.0, 0.6])
def test_in_memory_it_looks_as_it_does_on_the_gpu(
    ctx: moderngl.Context,
    ball: tuple[F32, I32],
    photo: U8,
    mode: RenderMode,
    samples: int,
    opacity: float,
) -> None:
    vertices, faces = ball
    renderer = MeshRenderer(ctx, faces, samples=samples)
    dots = np.array([[3.0, 4.0], [80.0, 60.0], [155.5, 118.0]], np.float32)
    for shift in (0.0, 0.12):  # in the middle, and over the picture's edge
        place = (vertices, R, T + np.array([shift, shift / 2, 0.0]))
        how = {"mode": mode, "opacity": opacity, "landmarks_px": dots}
        renderer.draw(CAMERA, *place, background=photo, **how)
        expected = renderer.read()
        picture = photo.copy()
        renderer.draw_onto(picture, CAMERA, *place, **how)
        # Each of three steps rounds to a byte; nothing else differs.
        assert np.abs(picture.astype(int) - expected).max() <= 2
        assert (expected != photo).any()
        assert not np.array_equal(picture, photo)
    renderer.release()


def test_in_memory_colours_that_stand_for_numbers_are_the_same(
    ctx: moderngl.Context, ball: tuple[F32, I32], photo: U8
) -> None:
    vertices, faces = ball
    renderer = MeshRenderer(ctx, faces)
    colours = np.random.default_rng(1).uniform(0, 1, (len(vertices), 3)).astype(np.float32)
    renderer.draw_coloured(CAMERA, vertices, R, T, colours=colours, background=photo)
    picture = photo.copy()
    renderer.draw_onto(picture, CAMERA, vertices, R, T, mode=RenderMode.SHADED, colours=colours)
    assert np.abs(picture.astype(int) - renderer.read()).max() <= 2
    renderer.release()


def test_light_at_the_vertices_of_a_dense_mesh_looks_as_light_at_each_pixel(
    ctx: moderngl.Context, photo: U8
) -> None:
    vertices, faces = sphere(0.08)
    seen = []
    for at_vertices in (False, True):
        renderer = MeshRenderer(ctx, faces, samples=0, lit_at_vertices=at_vertices)
        renderer.draw(CAMERA, vertices, R, T, mode=RenderMode.SHADED, background=photo)
        seen.append(renderer.read().astype(int))
        mask = renderer.render_maps(CAMERA, vertices, R, T).mask
        renderer.release()
    difference = np.abs(seen[0] - seen[1])
    assert difference[mask].mean() < 2.0  # of 255: within a triangle light is all but linear
    assert np.array_equal(seen[0][~mask], seen[1][~mask])
    assert seen[1][mask].std() > 20  # it is lit
