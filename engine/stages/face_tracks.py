"""Which face of a frame is which face of the frames before."""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from engine.stages.crop_geometry import CropSmoother, FaceSquare

__all__ = ["FaceTracks", "Track"]

KEEP_NS = 2_000_000_000
"""How long a face that is not seen stays known."""
_REACH = 0.5  # of a face's side: how far it may have moved since it was last seen
_UNKNOWN = 1e6


@dataclass(slots=True, eq=False)
class Track:
    """One face over time."""

    face_id: int
    square: FaceSquare  # where it was last seen
    t_ns: int  # when that was
    smoother: CropSmoother = field(default_factory=CropSmoother)


class FaceTracks:
    """Gives ids to faces. An id is never used for a second face."""

    def __init__(self) -> None:
        self._tracks: list[Track] = []
        self._next_id = 0

    def assign(self, squares: list[FaceSquare], t_ns: int) -> list[Track]:
        """A track for each square of a frame, so that all together moved and grew least.

        A face that was hidden for up to two seconds comes back under its own id.
        """
        last = max((t.t_ns for t in self._tracks), default=t_ns)
        # Frames may be seconds apart; what was there in the last one still counts.
        self._tracks = [t for t in self._tracks if t_ns - t.t_ns <= KEEP_NS or t.t_ns == last]
        costs = np.array([[_cost(t, square) for t in self._tracks] for square in squares])
        matched: dict[int, Track] = {}
        if costs.size:
            for row, column in zip(*linear_sum_assignment(costs), strict=True):
                if costs[row, column] < _UNKNOWN:
                    matched[int(row)] = self._tracks[column]
        assigned = [matched.get(i) or self._new(square, t_ns) for i, square in enumerate(squares)]
        for track, square in zip(assigned, squares, strict=True):
            track.square, track.t_ns = square, t_ns
        return assigned

    def forget(self) -> None:
        """No face is known any more."""
        self._tracks.clear()

    def _new(self, square: FaceSquare, t_ns: int) -> Track:
        track = Track(self._next_id, square, t_ns)
        self._next_id += 1
        self._tracks.append(track)
        return track


def _cost(track: Track, square: FaceSquare) -> float:
    """How unlike a face is to where a track was, in sides and e-foldings of size."""
    side = max(track.square.side, square.side)
    gap = float(np.hypot(*(track.square.centre - square.centre))) / side
    growth = abs(float(np.log(square.side / track.square.side)))
    return gap + growth if gap < _REACH and growth < np.log(2) else _UNKNOWN
