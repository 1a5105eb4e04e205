"""The cropper on real pictures: frames of the sample clip, whose first half shows a real face."""

from collections.abc import Iterator

import numpy as np
import pytest

from engine.io.assets import asset_path
from engine.io.video import VideoSource
from engine.stages.face_cropper import CropConfig, FaceCropper
from engine.types import U8, Frame

pytestmark = pytest.mark.assets

RIGHT_EYE, LEFT_EYE, NOSE_TIP, CHIN = 33, 263, 4, 152


@pytest.fixture(scope="module")
def photo() -> U8:
    """(480, 640, 3): a woman who looks into the camera."""
    source = VideoSource(asset_path("sample.mp4"))
    frame = source.read()
    source.close()
    assert frame is not None
    return frame.image


@pytest.fixture(scope="module")
def clip() -> list[Frame]:
    source = VideoSource(asset_path("sample.mp4"))
    frames = [frame for _ in range(25) if (frame := source.read()) is not None]
    source.close()
    return frames


@pytest.fixture
def pictures() -> Iterator[FaceCropper]:
    cropper = FaceCropper(CropConfig(tracking=False))
    yield cropper
    cropper.close()


@pytest.fixture
def video() -> Iterator[FaceCropper]:
    cropper = FaceCropper(CropConfig(tracking=True))
    yield cropper
    cropper.close()


def still(image: U8) -> Frame:
    return Frame(image=np.ascontiguousarray(image), index=0, t_ns=0)


def test_subjects_left_eye_is_on_image_right(photo: U8, pictures: FaceCropper) -> None:
    crop = pictures.run(still(photo))
    assert crop is not None
    assert crop.landmarks[LEFT_EYE, 0] > crop.landmarks[RIGHT_EYE, 0] + 30


def test_mirrored_photo_is_another_person_with_left_still_on_image_right(
    photo: U8, pictures: FaceCropper
) -> None:
    """Left is the subject's left, also of the person in a mirror image."""
    straight, mirrored = (pictures.run(still(i)) for i in (photo, photo[:, ::-1]))
    assert straight is not None
    assert mirrored is not None
    assert mirrored.landmarks[LEFT_EYE, 0] > mirrored.landmarks[RIGHT_EYE, 0]
    # The mirror of her right eye is where the mirror person's left eye is, to 3 % of 150 px.
    expected = photo.shape[1] - 1 - straight.landmarks[RIGHT_EYE, 0]
    assert mirrored.landmarks[LEFT_EYE, 0] == pytest.approx(expected, abs=5.0)


def test_crop_shows_the_landmarks_where_the_matrix_says(photo: U8, pictures: FaceCropper) -> None:
    crop = pictures.run(still(photo))
    assert crop is not None
    size = crop.image.shape[0]
    eyes = crop.landmarks[[RIGHT_EYE, LEFT_EYE]] @ crop.crop_from_frame[:, :2].T
    eyes = eyes + crop.crop_from_frame[:, 2]
    assert abs(eyes[0, 1] - eyes[1, 1]) < 1e-3
    assert (crop.landmarks @ crop.crop_from_frame[:, :2].T + crop.crop_from_frame[:, 2] > 0).all()
    # Pupils are darker than the cheeks below them: the pixels are really those of the face.
    grey = crop.image.astype(float).mean(axis=2)
    nose = crop.crop_from_frame @ [*crop.landmarks[NOSE_TIP], 1.0]
    pupil = crop.crop_from_frame @ [*crop.landmarks[468], 1.0]
    values = [grey[round(p[1]), round(p[0])] for p in (pupil, nose)]
    assert values[0] + 40 < values[1]
    assert size == CropConfig().size_px


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_pictures_are_found_where_they_are(
    photo: U8, pictures: FaceCropper, turns: int
) -> None:
    upright, turned = pictures.run(still(photo)), pictures.run(still(np.rot90(photo, turns)))
    assert upright is not None
    assert turned is not None
    height, width = photo.shape[:2]
    x, y = upright.landmarks.T
    where = {1: (y, width - 1 - x), 2: (width - 1 - x, height - 1 - y), 3: (height - 1 - y, x)}
    expected = np.stack(where[turns], axis=1)
    # The detector starts from another box: a few pixels of a face 200 px high.
    assert np.abs(turned.landmarks - expected)[[RIGHT_EYE, LEFT_EYE, NOSE_TIP, CHIN]].max() < 8.0


def test_small_face_in_a_big_picture_is_found(photo: U8, pictures: FaceCropper) -> None:
    big = np.full((1500, 2400, 3), 120, np.uint8)
    big[400:880, 1500:2140] = photo
    crop = pictures.run(still(big))
    assert crop is not None
    assert 1500 < crop.landmarks[NOSE_TIP, 0] < 2140


@pytest.mark.parametrize("value", [0, 128, 255])
def test_empty_picture_has_no_face(pictures: FaceCropper, value: int) -> None:
    assert pictures.run(still(np.full((240, 320, 3), value, np.uint8))) is None


def test_one_pixel_has_no_face(pictures: FaceCropper) -> None:
    assert pictures.run(still(np.zeros((1, 1, 3), np.uint8))) is None


def test_two_faces_come_largest_first(photo: U8) -> None:
    import cv2

    cropper = FaceCropper(CropConfig(tracking=False, n_faces=2))
    small = cv2.resize(photo, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    both = np.full((480, 1120, 3), 120, np.uint8)
    both[:360, :480], both[:, 480:] = small, photo
    found = cropper.run_all(still(both))
    cropper.close()
    assert [round(c.landmarks[NOSE_TIP, 0] // 480) for c in found] == [1, 0]


def test_several_small_faces_are_found(photo: U8) -> None:
    import cv2

    cropper = FaceCropper(CropConfig(tracking=False, n_faces=3))
    small = cv2.resize(photo, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    big = np.full((1080, 1920, 3), 120, np.uint8)
    corners = [(100, 100), (1000, 300), (1500, 800)]
    for x, y in corners:
        big[y : y + small.shape[0], x : x + small.shape[1]] = small
    found = cropper.run_all(still(big))
    cropper.close()
    alone = FaceCropper(CropConfig(tracking=False))
    nose = alone.run(still(photo)).landmarks[NOSE_TIP] * 0.4  # type: ignore[union-attr]
    alone.close()
    noses = sorted(tuple(c.landmarks[NOSE_TIP]) for c in found)
    np.testing.assert_allclose(noses, [(x + nose[0], y + nose[1]) for x, y in corners], atol=4.0)


def test_tracking_keeps_the_id_through_a_dropout(clip: list[Frame], video: FaceCropper) -> None:
    found = []
    for frame in clip:
        hidden = frame.index in (10, 11)
        image = frame.image.copy()
        if hidden:
            image[:330, 180:460] = (120, 100, 90)  # a hand before the face
        crop = video.run(Frame(image, frame.index, frame.t_ns))
        assert (crop is None) == hidden
        found.append(crop)
    assert {crop.face_id for crop in found if crop is not None} == {0}


def test_slow_films_keep_the_id(clip: list[Frame], video: FaceCropper) -> None:
    slow = [Frame(f.image, f.index, f.index * 1_000_000_000) for f in clip[:8]]
    assert {crop.face_id for f in slow if (crop := video.run(f)) is not None} == {0}


def test_another_source_starts_afresh(clip: list[Frame], video: FaceCropper) -> None:
    """Time that goes back, or frames of another size, are another source: new ids."""
    first = video.run(clip[5])
    again = video.run(clip[0])  # earlier than the last one
    assert first is not None
    assert again is not None
    assert again.face_id > first.face_id
    smaller = Frame(np.ascontiguousarray(clip[1].image[:, :600]), 1, clip[1].t_ns)
    resized = video.run(smaller)
    assert resized is not None
    assert resized.face_id > again.face_id


def test_face_that_leaves_is_gone(clip: list[Frame], video: FaceCropper) -> None:
    video.run(clip[0])
    empty = Frame(np.full_like(clip[1].image, 90), 1, clip[1].t_ns)
    assert video.run(empty) is None


@pytest.mark.parametrize("values", [{"min_score": 1.5}, {"size_px": 4}, {"n_faces": 0}])
def test_settings_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        CropConfig(**values)


def test_depth_grows_towards_the_viewer_in_the_frames_pixels(
    photo: U8, pictures: FaceCropper
) -> None:
    crop = pictures.run(still(photo))
    assert crop is not None
    eyes = crop.landmarks_z[[RIGHT_EYE, LEFT_EYE]]
    apart = np.hypot(*(crop.landmarks[LEFT_EYE] - crop.landmarks[RIGHT_EYE]))
    # A nose stands out from the eyes' outer corners by 0.3 .. 0.7 of their distance.
    assert 0.3 < (crop.landmarks_z[NOSE_TIP] - eyes.mean()) / apart < 0.7
    assert crop.landmarks_z[NOSE_TIP] == crop.landmarks_z.max()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_pictures_and_bigger_ones_keep_the_depth(
    photo: U8, pictures: FaceCropper, turns: int
) -> None:
    straight = pictures.run(still(photo))
    turned = pictures.run(still(np.rot90(photo, turns)))
    doubled = pictures.run(still(photo.repeat(2, 0).repeat(2, 1)))
    assert straight is not None
    assert turned is not None
    assert doubled is not None
    # MediaPipe sees the same picture upright: the same to a hundredth of a pixel.
    np.testing.assert_allclose(turned.landmarks_z, straight.landmarks_z, atol=0.01)
    # It resamples the larger picture anew: the same to a tenth of the nose's depth.
    np.testing.assert_allclose(doubled.landmarks_z / 2, straight.landmarks_z, atol=4.0)
