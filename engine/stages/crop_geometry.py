"""Where the upright square around a face lies, and keeping it steady over time."""

from dataclasses import dataclass

import numpy as np

from engine.types import F32, F64

__all__ = ["CropSmoother", "FaceSquare", "crop_matrix", "face_square"]

_OUTER_CORNERS = (33, 263)  # subject's right and left: image-left to image-right when upright


@dataclass(frozen=True, slots=True, eq=False)
class FaceSquare:
    """A square in a frame, turned with the face."""

    centre: F64  # (2,) px
    side: float  # px
    roll: float  # radians, clockwise in the picture: the angle of the eye line


def face_square(landmarks: F32, margin: float) -> FaceSquare:
    """The square around a face whose upper edge is parallel to its eye line.

    Args:
        landmarks: (478, 2) MediaPipe's points, frame px.
        margin: fraction of the larger extent, added on each side.
    """
    points = landmarks[:468].astype(np.float64)
    along = points[_OUTER_CORNERS[1]] - points[_OUTER_CORNERS[0]]
    roll = float(np.arctan2(along[1], along[0]))
    upright = _turn(-roll)
    low, high = (points @ upright.T).min(0), (points @ upright.T).max(0)
    # Longest side, not area: a profile face is narrow and would lose its nose.
    side = float((high - low).max()) * (1 + 2 * margin)
    return FaceSquare(upright.T @ (low + high) / 2, max(side, 1.0), roll)


def crop_matrix(square: FaceSquare, size: int) -> F64:
    """(2, 3) similarity from frame px to the px of a size x size crop of the square."""
    scale = size / square.side
    linear = scale * _turn(-square.roll)
    middle = np.full(2, (size - 1) / 2)
    return np.column_stack([linear, middle - linear @ square.centre])


def _turn(angle: float) -> F64:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


class CropSmoother:
    """One-Euro filter on a face's square: still when the face is, quick when it moves.

    Source: Casiez et al. 2012, "1 euro Filter".
    """

    def __init__(self, min_cutoff_hz: float = 1.5, speed_gain: float = 6.0) -> None:
        """speed_gain: Hz of cut-off for each side length per second."""
        self._min_cutoff, self._gain = min_cutoff_hz, speed_gain
        self._value: F64 | None = None
        self._speed = np.zeros(4)
        self._t_ns = 0

    def update(self, square: FaceSquare, t_ns: int) -> FaceSquare:
        """The smoothed square for a frame at t_ns; frames must come in order."""
        # In units of the side, so that one gain suits all sizes.
        raw = np.array([*square.centre, np.log(square.side), square.roll])
        dt = (t_ns - self._t_ns) * 1e-9
        self._t_ns = t_ns
        if self._value is None or not 0 < dt < 0.5:
            self._value, self._speed = raw, np.zeros(4)
            return square
        step = raw - self._value
        step[3] = (step[3] + np.pi) % (2 * np.pi) - np.pi
        unit = np.array([square.side, square.side, 1.0, 1.0])
        self._speed += _alpha(1.0, dt) * (step / unit / dt - self._speed)
        cutoff = self._min_cutoff + self._gain * np.abs(self._speed).max()
        self._value = self._value + _alpha(cutoff, dt) * step
        x, y, log_side, roll = self._value
        return FaceSquare(np.array([x, y]), float(np.exp(log_side)), float(roll))


def _alpha(cutoff_hz: float, dt: float) -> float:
    """Share of a step that a first-order low-pass filter takes in dt seconds."""
    return 1.0 / (1.0 + 1.0 / (2 * np.pi * cutoff_hz * dt))
