"""The last seconds are at hand, and never more memory than allowed."""

import numpy as np
import pytest

from engine.recording.replay import Replay
from engine.recording.shot import Shot, shot_of
from engine.types import Frame
from tests.live_fakes import triangle_head

STEP_NS = 100_000_000


def shot(index: int, source: str = "clip", size: int = 48, place: int = 0) -> Shot:
    ramp = np.linspace(0, 200, size).astype(np.uint8)
    image = np.repeat((ramp[:, None] + np.uint8(index % 50))[..., None], 3, axis=2)
    frame = Frame(np.repeat(image, size, axis=1), index, index * STEP_NS)
    return shot_of(source, frame, (triangle_head(frame),), place)


def test_the_last_seconds_come_back_with_their_heads():
    replay = Replay(seconds=2.0)
    for i in range(50):
        replay.add(shot(i))
    kept = list(replay.shots())
    assert [one.frame_index for one in kept] == list(range(29, 50))
    assert replay.seconds == pytest.approx(2.0)
    for one in kept:
        # JPEG at quality 92 keeps a smooth picture within a few grey values.
        assert np.abs(one.image.astype(int) - shot(one.frame_index).image).max() <= 4
        assert one.faces[0].params.t.tolist() == [0, 0, -1]


def test_memory_is_bounded_whatever_comes():
    replay = Replay(seconds=1000.0, most_bytes=1_000_000)
    for i in range(200):
        replay.add(shot(i))
        assert replay.n_bytes <= 1_000_000
    kept = [one.frame_index for one in replay.shots()]
    assert kept[-1] == 199
    assert len(kept) == pytest.approx(1_000_000 / 100_000, abs=1)


def test_another_source_or_a_clip_that_starts_again_forgets_the_old_one():
    replay = Replay()
    for i in range(5):
        replay.add(shot(i))
    replay.add(shot(9, source="webcam:0"))
    assert [one.frame_index for one in replay.shots()] == [9]
    replay.add(shot(3, source="webcam:0"))
    assert [one.frame_index for one in replay.shots()] == [3]
    replay.clear()
    assert list(replay.shots()) == []
    assert (replay.n_bytes, replay.seconds) == (0, 0.0)


def test_another_place_in_a_clip_forgets_the_one_before():
    replay = Replay()
    for i in range(5):
        replay.add(shot(i))
    for i in (50, 51):
        replay.add(shot(i, place=1))
    assert [one.frame_index for one in replay.shots()] == [50, 51]
    assert replay.seconds == pytest.approx(0.1)


def test_shots_without_a_picture_are_not_kept():
    replay = Replay()
    replay.add(shot(0).without_pixels())
    assert replay.n_bytes == 0
