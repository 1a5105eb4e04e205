"""Pictures of shots: what is where, and what is see-through."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.frames import default_camera
from engine.io.image import save_png
from engine.recording.pictures import ShotPainter
from engine.recording.shot import Content, Look, Shot, shot_of
from engine.render.renderer import RenderMode
from engine.render.trust_mark import AMBER
from engine.types import F64, Camera, Frame, Reconstruction
from tests.live_fakes import triangle_head, triangle_model

pytestmark = pytest.mark.gl

MODEL = triangle_model()
LOOK = Look(background=(10, 20, 30))


def shot(quality: float = 1.0) -> Shot:
    """A ramp from left to right with a triangle over its middle."""
    ramp = np.linspace(20, 230, 64).astype(np.uint8)
    frame = Frame(np.repeat(np.tile(ramp, (48, 1))[..., None], 3, axis=2), 0, 0)
    return shot_of("clip", frame, (triangle_head(frame, quality=quality),))


@pytest.fixture
def painter() -> ShotPainter:
    with ShotPainter(MODEL) as made:
        yield made


def test_video_is_the_frame_itself(painter: ShotPainter):
    np.testing.assert_array_equal(painter.picture(shot(), Content.VIDEO, LOOK), shot().image)


def test_overlay_changes_the_middle_and_leaves_the_corners(painter: ShotPainter):
    drawn = painter.picture(shot(), Content.OVERLAY, LOOK)
    np.testing.assert_array_equal(drawn[0], shot().image[0])
    assert np.abs(drawn[24, 32].astype(int) - shot().image[24, 32]).max() > 10


@pytest.mark.parametrize("mode", [RenderMode.SHADED, RenderMode.TEXTURE, RenderMode.LANDMARKS])
def test_avatar_stands_on_its_colour_alone(painter: ShotPainter, mode: RenderMode):
    drawn = painter.picture(shot(), Content.AVATAR, Look(mode=mode, background=(10, 20, 30)))
    np.testing.assert_array_equal(drawn[0, 0], (10, 20, 30))
    assert np.abs(drawn[24, 32].astype(int) - (10, 20, 30)).max() > 20


def test_side_by_side_is_video_and_avatar(painter: ShotPainter):
    both = painter.picture(shot(), Content.SIDE_BY_SIDE, LOOK)
    np.testing.assert_array_equal(both[:, :64], shot().image)
    np.testing.assert_array_equal(both[:, 64:], painter.picture(shot(), Content.AVATAR, LOOK))


@pytest.mark.parametrize("content", list(Content))
def test_mirrored_is_the_other_way_round(painter: ShotPainter, content: Content):
    plain = painter.picture(shot(), content, LOOK)
    turned = painter.picture(shot(), content, Look(mirrored=True, background=LOOK.background))
    halves = np.split(plain, 2, axis=1) if content is Content.SIDE_BY_SIDE else [plain]
    np.testing.assert_array_equal(turned, np.hstack([half[:, ::-1] for half in halves]))


def test_a_cutout_is_transparent_around_the_head(painter: ShotPainter, tmp_path: Path):
    rgba = painter.cutout(shot(), LOOK)
    assert rgba[0, 0].tolist() == [0, 0, 0, 0]
    # A head fades out towards its lower edge; here that is all of the triangle.
    middle = rgba[14:36, 32, 3].astype(int)
    assert (np.diff(middle) < 0).all()
    # Alpha is not multiplied in: colour stays as bright where it is thin.
    assert rgba[rgba[..., 3] > 10][:, :3].min() > 100
    save_png(tmp_path / "a.png", rgba)
    read = Image.open(tmp_path / "a.png")
    assert read.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(read), rgba)


@pytest.mark.parametrize("content", list(Content))
def test_a_doubtful_head_is_framed_in_amber_and_the_source_alone_is_not(
    painter: ShotPainter, content: Content
):
    doubtful, good = (painter.picture(shot(q), content, LOOK) for q in (0.49, 0.51))
    inside = (slice(2, -2), slice(2, -2))
    np.testing.assert_array_equal(doubtful[inside], good[inside])
    framed = content is not Content.VIDEO
    for edge in (doubtful[:2], doubtful[-2:], doubtful[:, :2], doubtful[:, -2:]):
        assert (edge == AMBER).all() == framed
    assert not (good[:2] == AMBER).all(axis=2).any()


def test_a_doubtful_cutout_has_an_opaque_frame(painter: ShotPainter):
    rgba = painter.cutout(shot(0.49), LOOK)
    assert (rgba[:2] == (*AMBER, 255)).all()
    np.testing.assert_array_equal(rgba[2:-2, 2:-2], painter.cutout(shot(), LOOK)[2:-2, 2:-2])


def test_several_heads_lie_over_each_other(painter: ShotPainter):
    one = shot()
    aside = one.faces[0].params.with_values(t=np.array([0.1, 0.0, -1.0]))
    both = replace(one, faces=(one.faces[0], replace(one.faces[0], params=aside)))
    alone, pair = painter.cutout(one, LOOK)[..., 3], painter.cutout(both, LOOK)[..., 3]
    assert (pair >= alone).all()
    assert pair.astype(int).sum() > 1.1 * alone.astype(int).sum()


def test_an_avatar_may_have_a_camera_of_its_own(painter: ShotPainter):
    def nearer(face: Reconstruction, width: int, height: int) -> tuple[Camera, F64, F64]:
        return default_camera(width, height), np.eye(3), np.array([0.0, 0.0, -0.5])

    alone = painter.cutout(shot(), LOOK)[..., 3].astype(int).sum()
    near = painter.cutout(shot(), replace(LOOK, stand=nearer))[..., 3].astype(int).sum()
    assert near > 1.5 * alone
    # The source's picture keeps the source's camera.
    np.testing.assert_array_equal(
        painter.picture(shot(), Content.OVERLAY, replace(LOOK, stand=nearer)),
        painter.picture(shot(), Content.OVERLAY, LOOK),
    )


def test_a_shot_without_its_picture_cannot_be_drawn(painter: ShotPainter):
    with pytest.raises(ValueError, match="without its picture"):
        painter.picture(shot().without_pixels(), Content.VIDEO, LOOK)
