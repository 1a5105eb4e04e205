"""The square around a face: where it is, which way it is turned, how it follows."""

import numpy as np
import pytest

from engine.stages.crop_geometry import CropSmoother, FaceSquare, crop_matrix, face_square


def made_up_landmarks(roll_deg: float, centre: tuple[float, float]) -> np.ndarray:
    """A disc of points, 100 px across, with the eye corners level before it is turned."""
    angle = np.arange(478) * 2.399963  # golden angle: even cover
    radius = 50 * np.sqrt(np.arange(478) / 477)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    points[33], points[263] = (-30, -10), (30, -10)
    turn = np.radians(roll_deg)
    R = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (points @ R.T + centre).astype(np.float32)


@pytest.mark.parametrize("roll_deg", [-170.0, -30.0, 0.0, 45.0])
def test_eyes_are_level_and_centred_in_the_crop(roll_deg: float) -> None:
    landmarks = made_up_landmarks(roll_deg, (320.0, 200.0))
    square = face_square(landmarks, margin=0.2)
    matrix = crop_matrix(square, 192)
    eyes = landmarks[[33, 263]] @ matrix[:, :2].T + matrix[:, 2]
    assert eyes[0, 1] == pytest.approx(eyes[1, 1], abs=1e-3)
    assert eyes[1, 0] > eyes[0, 0]
    np.testing.assert_allclose(eyes.mean(0)[0], 95.5, atol=1.0)
    level = made_up_landmarks(0.0, (0.0, 0.0))[:468]
    extent = np.ptp(level, axis=0).max()
    # The extent with a fifth of it added on each side fills 192 px.
    assert np.hypot(*matrix[:, 0]) == pytest.approx(192 / (1.4 * extent), rel=1e-4)


def test_smoother_stands_still_for_a_trembling_face() -> None:
    rng, smoother = np.random.default_rng(0), CropSmoother()
    raw, smooth = [], []
    for k in range(90):
        centre = np.array([320.0, 240.0]) + rng.normal(0.0, 1.0, 2)
        raw.append(centre)
        square = FaceSquare(centre, 200.0 + rng.normal(), 0.0)
        smooth.append(smoother.update(square, k * 33_000_000).centre)
    still = np.std(np.diff(smooth[20:], axis=0)) / np.std(np.diff(raw[20:], axis=0))
    assert still < 0.4


def test_smoother_follows_a_fast_face() -> None:
    smoother = CropSmoother()
    for k in range(30):
        centre = np.array([100.0 + 20.0 * k, 240.0])  # three face widths a second
        smooth = smoother.update(FaceSquare(centre, 200.0, 0.0), k * 33_000_000)
    assert abs(smooth.centre[0] - centre[0]) < 30.0  # within a seventh of the face


def test_smoother_starts_again_after_a_gap() -> None:
    smoother = CropSmoother()
    smoother.update(FaceSquare(np.zeros(2), 100.0, 0.0), 0)
    after = smoother.update(FaceSquare(np.array([500.0, 0.0]), 100.0, 0.0), 2_000_000_000)
    np.testing.assert_array_equal(after.centre, [500.0, 0.0])


def test_roll_takes_the_short_way_round() -> None:
    smoother = CropSmoother()
    smoother.update(FaceSquare(np.zeros(2), 100.0, np.radians(179)), 0)
    after = smoother.update(FaceSquare(np.zeros(2), 100.0, np.radians(-179)), 33_000_000)
    assert np.cos(after.roll) < -0.99
