"""Ids stay with their faces: hidden for a moment, side by side, seen once a second."""

import numpy as np

from engine.stages.crop_geometry import FaceSquare
from engine.stages.face_tracks import KEEP_NS, FaceTracks

SECOND = 1_000_000_000


def square(x: float, side: float = 100.0) -> FaceSquare:
    return FaceSquare(np.array([x, 200.0]), side, 0.0)


def ids(tracks: FaceTracks, squares: list[FaceSquare], t_ns: int) -> list[int]:
    return [track.face_id for track in tracks.assign(squares, t_ns)]


def test_a_face_that_was_hidden_comes_back_under_its_id() -> None:
    tracks = FaceTracks()
    assert ids(tracks, [square(100)], 0) == [0]
    assert ids(tracks, [], SECOND // 2) == []
    assert ids(tracks, [square(110)], SECOND) == [0]


def test_a_face_long_gone_is_another() -> None:
    tracks = FaceTracks()
    ids(tracks, [square(100)], 0)
    ids(tracks, [square(500)], KEEP_NS)
    assert ids(tracks, [square(100)], 2 * KEEP_NS) == [2]


def test_frames_far_apart_keep_the_id() -> None:
    """A film of one frame in five seconds."""
    tracks = FaceTracks()
    assert [ids(tracks, [square(100 + 5 * k)], 5 * k * SECOND) for k in range(4)] == [[0]] * 4


def test_neighbours_are_matched_together_not_one_by_one() -> None:
    """One stands at 100, the other moves from 160 to 128: the still one is nearer to both."""
    tracks = FaceTracks()
    assert ids(tracks, [square(100), square(160)], 0) == [0, 1]
    assert ids(tracks, [square(128), square(100)], SECOND // 30) == [1, 0]


def test_a_face_of_another_size_is_another() -> None:
    tracks = FaceTracks()
    ids(tracks, [square(100, side=100)], 0)
    assert ids(tracks, [square(100, side=300)], SECOND // 30) == [1]


def test_ids_are_not_used_again_after_forgetting() -> None:
    tracks = FaceTracks()
    ids(tracks, [square(100)], 0)
    tracks.forget()
    assert ids(tracks, [square(100)], 1) == [1]
