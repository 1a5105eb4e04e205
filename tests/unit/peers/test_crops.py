"""The peers' crops on made pictures whose pixels tell where they were, with boxes worked out."""

import numpy as np
import pytest

from engine.peers.crops import deca_crop, fan_box, mica_crop, sheap_crop, smirk_crop
from engine.stages.mediapipe_points import BROWS
from engine.types import N_MEDIAPIPE

CHIN, TEMPLE_RIGHT, TEMPLE_LEFT, TOP = 152, 234, 454, 10


def face(left: float, top: float, right: float, bottom: float, brow: float) -> np.ndarray:
    """MediaPipe's points: all in the middle, but those that reach the edges of the box.

    Args:
        top: of the forehead, which FAN's points do not have; brow: the highest of theirs.
    """
    middle = ((left + right) / 2, (brow + bottom) / 2)
    points = np.full((N_MEDIAPIPE, 2), middle, np.float32)
    points[TEMPLE_RIGHT], points[TEMPLE_LEFT] = (left, middle[1]), (right, middle[1])
    points[CHIN], points[TOP] = (middle[0], bottom), (middle[0], top)
    points[BROWS[0]] = (middle[0], brow)
    return points


def ramps(width: int, height: int) -> np.ndarray:
    """A picture whose red is its x and whose green is its y; blue is 200."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.full_like(x, 200)], axis=-1).astype(np.uint8)


def place_in_frame(crop_from_frame: np.ndarray, size: int) -> np.ndarray:
    """(S, S, 2) where each of the crop's pixels lies in the frame."""
    back = np.linalg.inv(np.vstack([crop_from_frame, [0, 0, 1]]))
    v, u = np.mgrid[:size, :size]
    return (np.stack([u, v, np.ones_like(u)], axis=-1) @ back.T)[..., :2]


def test_fans_box_reaches_from_brows_to_chin_and_not_to_the_forehead() -> None:
    low, high = fan_box(face(60, 20, 160, 180, brow=60))
    np.testing.assert_array_equal([*low, *high], [60, 60, 160, 180])


def test_decas_box_has_its_size_and_place_and_its_corners_meet_pixel_centres() -> None:
    landmarks = face(60, 20, 160, 180, brow=60)
    crop = deca_crop(ramps(240, 240), landmarks)
    size = int((100 + 120) / 2 * 1.1 * 1.25)  # 151
    corners = np.array([[110 - size / 2, 120 - size / 2], [110 + size / 2, 120 + size / 2]])
    found = corners @ crop.crop_from_frame[:, :2].T + crop.crop_from_frame[:, 2]
    np.testing.assert_allclose(found, [[0, 0], [223, 223]], atol=1e-9)
    # What lies at a crop's pixel is what its matrix says lies there.
    places = place_in_frame(crop.crop_from_frame, 224)
    np.testing.assert_allclose(crop.image[..., :2], places, atol=0.04)  # cv2 counts 1/32 px
    np.testing.assert_allclose(crop.image[..., 2], 200, atol=1e-3)


def test_smirks_box_is_that_of_all_points_in_its_own_count_of_pixels() -> None:
    landmarks = face(60, 20, 160, 180, brow=60)
    crop = smirk_crop(ramps(240, 240), landmarks)
    size = int((100 + 160) / 2 * 1.4)  # 182
    # MediaPipe's point in the middle of a pixel is half a pixel further in SMIRK's count.
    corner = np.array([110.5 - size / 2, 100.5 - size / 2])
    found = crop.crop_from_frame[:, :2] @ corner + crop.crop_from_frame[:, 2]
    np.testing.assert_allclose(found, [0, 0], atol=1e-9)
    assert crop.crop_from_frame[0, 0] == pytest.approx(223 / size)
    places = place_in_frame(crop.crop_from_frame, 224)
    inside = (places > 0).all(-1)
    # Rounded down to whole values.
    np.testing.assert_array_equal(crop.image, np.floor(crop.image))
    assert np.abs(crop.image[..., :2] + 0.5 - places)[inside].max() < 0.55


def test_what_lies_beside_the_picture_is_black_and_large_pictures_cost_no_more() -> None:
    crop = smirk_crop(ramps(240, 240), face(0, 20, 100, 180, brow=60))
    places = place_in_frame(crop.crop_from_frame, 224)
    assert (places[..., 0] < -1).any()
    assert (crop.image[places[..., 0] < -1] == 0).all()
    nowhere = deca_crop(ramps(240, 240), face(900, 900, 1000, 1100, brow=950))
    assert (nowhere.image == 0).all()


def test_sheaps_square_is_counted_in_shares_of_the_picture_and_shifted_up() -> None:
    landmarks = face(160, 100, 240, 200, brow=120)
    crop = sheap_crop(ramps(400, 300), landmarks)
    # Shares: 80/400 = 0.2 wide, 80/300 high, the larger; half of it is 40 px of the height.
    half = 40 * 1.9
    left, right = int(200 - half), int(200 + half)
    top, bottom = int(160 - 20 - half), int(160 - 20 + half)
    edges = np.array([[left - 0.5, top - 0.5], [right - 0.5, bottom - 0.5]])
    found = edges @ crop.crop_from_frame[:, :2].T + crop.crop_from_frame[:, 2]
    np.testing.assert_allclose(found, [[-0.5, -0.5], [223.5, 223.5]], atol=1e-9)
    places = place_in_frame(crop.crop_from_frame, 224)
    # It never looks beyond the square's edge, where it repeats the last pixel.
    low, high = (left, top), (right - 1, bottom - 1)
    wanted = places[..., :2].clip(low, high)
    wanted[..., 0] = np.where(wanted[..., 0] > 255, np.nan, wanted[..., 0])
    np.testing.assert_allclose(crop.image[..., 1], wanted[..., 1], atol=1e-2)


def test_sheaps_square_is_cut_off_at_the_pictures_edge_and_squeezed() -> None:
    crop = sheap_crop(ramps(200, 200), face(0, 60, 80, 160, brow=80))
    half = 40 * 1.9  # 76: from -36 to 116, cut off at 0; and from 24 to 176
    assert crop.crop_from_frame[0, 0] == pytest.approx(224 / int(40 + half))
    assert crop.crop_from_frame[1, 1] == pytest.approx(224 / (int(100 + half) - int(100 - half)))
    places = place_in_frame(crop.crop_from_frame, 224)
    wanted = places.clip([0, 24], [115, 175])
    np.testing.assert_allclose(crop.image[..., :2], wanted, atol=1e-2)


def test_of_a_tiny_face_sheap_sees_the_whole_picture() -> None:
    crop = sheap_crop(ramps(250, 200), face(100, 98, 106, 106, brow=100))
    np.testing.assert_allclose(crop.crop_from_frame[:, :2], np.diag([224 / 250, 224 / 200]))
    assert crop.image[112, -1, 0] == pytest.approx(249, abs=0.5)


@pytest.mark.parametrize("turn_deg", [0.0, 25.0])
def test_arcfaces_points_come_to_lie_where_it_has_them(turn_deg: float) -> None:
    wanted = np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366],
         [41.5493, 92.3655], [70.7299, 92.2041]]
    )  # fmt: skip
    c, s = 1.7 * np.cos(np.radians(turn_deg)), 1.7 * np.sin(np.radians(turn_deg))
    landmarks = np.zeros((N_MEDIAPIPE, 2), np.float32)
    # Image-left first: that is the subject's right.
    landmarks[[468, 473, 4, 61, 291]] = wanted @ np.array([[c, s], [-s, c]]) + [60, 20]
    crop = mica_crop(ramps(250, 250), landmarks)
    assert crop.image.shape == (112, 112, 3)
    found = landmarks[[468, 473, 4, 61, 291]] @ crop.crop_from_frame[:, :2].T
    np.testing.assert_allclose(found + crop.crop_from_frame[:, 2], wanted, atol=1e-4)
    places = place_in_frame(crop.crop_from_frame, 112)
    inside = ((places > 1) & (places < 249)).all(-1)
    assert np.abs(crop.image[..., :2] - places)[inside].max() < 0.6


def test_five_points_that_no_similarity_fits_are_met_with_the_least_squares() -> None:
    random = np.random.default_rng(0)
    landmarks = random.uniform(50, 150, (N_MEDIAPIPE, 2)).astype(np.float32)
    five = landmarks[[468, 473, 4, 61, 291]].astype(np.float64)
    crop = mica_crop(ramps(200, 200), landmarks)
    wanted = np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366],
         [41.5493, 92.3655], [70.7299, 92.2041]]
    )  # fmt: skip
    # x' = a x - b y + c, y' = b x + a y + d: ten equations for four unknowns.
    rows = [[x, -y, 1, 0] for x, y in five] + [[y, x, 0, 1] for x, y in five]
    a, b, c, d = np.linalg.lstsq(np.array(rows), wanted.T.ravel(), rcond=None)[0]
    np.testing.assert_allclose(crop.crop_from_frame, [[a, -b, c], [b, a, d]], atol=1e-5)
