"""The synthetic source: it moves smoothly, stays within bounds, and shows what its truth says."""

import threading
from itertools import pairwise

import numpy as np
import pytest

from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.frames import project
from engine.sources import SyntheticSource, head_motion
from tests.bumpy_head import bumpy_head

pytestmark = pytest.mark.gl


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return bumpy_head()


def test_turns_stay_within_25_degrees_and_are_used(model: HeadModel) -> None:
    R = np.stack([head_motion(model, time_s, seed=3).R for time_s in np.arange(0.0, 60.0, 0.5)])
    nose = R[:, :, 2]
    yaw, pitch = np.degrees(np.arctan2(nose[:, 0], nose[:, 2])), np.degrees(np.arcsin(nose[:, 1]))
    assert 12.0 < np.abs(yaw).max() < 25.0
    assert 5.0 < np.abs(pitch).max() < 25.0


def test_movement_is_smooth(model: HeadModel) -> None:
    track = [head_motion(model, index / 30.0, seed=1) for index in range(300)]
    steps = [a.R.T @ b.R for a, b in pairwise(track)]
    cosine = np.array([(np.trace(step) - 1.0) / 2.0 for step in steps])
    turn = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    # 24 degrees at 0.17 Hz peak at 40 degrees a second with its overtone: 1.4 degrees a frame.
    assert turn.max() < 2.0
    lids = np.array([params.eyelids[0] for params in track])
    # A blink of 0.28 s as a squared sine rises by at most pi / 0.28 / 30 a frame.
    assert np.abs(np.diff(lids)).max() < 0.38


def test_a_seed_always_gives_the_same_frames_and_another_seed_others(model: HeadModel) -> None:
    frames = []
    for seed in (4, 4, 5):
        source = SyntheticSource(model, seed=seed, n_frames=2)
        frames.append([source.read(), source.read()])
        assert source.read() is None
        source.close()
    for first, second in zip(frames[0], frames[1], strict=True):
        assert first is not None
        assert second is not None
        np.testing.assert_array_equal(first.image, second.image)
    assert (frames[0][0].image != frames[2][0].image).mean() > 0.5


def test_frames_are_numbered_and_timed_at_30_a_second(model: HeadModel) -> None:
    source = SyntheticSource(model, n_frames=4)
    frames = [source.read() for _ in range(4)]
    source.close()
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.t_ns for frame in frames] == [0, 33_333_333, 66_666_666, 100_000_000]


def test_the_head_is_drawn_where_the_truth_says(model: HeadModel) -> None:
    source = SyntheticSource(model, seed=2, n_frames=1)
    empty = source._background.astype(int)
    frame = source.read()
    params = source.truth(0)
    source.close()
    vertices = PosedHead(model).vertices(params) @ params.R.T + params.t
    px = project(vertices, source.camera.K)
    changed = np.argwhere(np.abs(frame.image - empty).max(axis=-1) > 8)[:, ::-1]
    # The outermost vertices at the top and the sides are on the outline; the neck fades out.
    assert changed[:, 0].min() == pytest.approx(max(px[:, 0].min(), 0), abs=2.0)
    assert changed[:, 0].max() == pytest.approx(min(px[:, 0].max(), 639), abs=2.0)
    assert changed[:, 1].min() == pytest.approx(max(px[:, 1].min(), 0), abs=2.0)


def test_a_live_source_keeps_real_time_and_is_ended_by_another_thread(model: HeadModel) -> None:
    source = SyntheticSource(model, n_frames=None, live=True)
    seen = []

    def read_on() -> None:
        while (frame := source.read()) is not None:
            seen.append(frame)
            if len(seen) == 4:
                source.close()

    thread = threading.Thread(target=read_on)
    thread.start()
    thread.join(timeout=20.0)
    assert not thread.is_alive()
    times = np.diff([frame.t_ns for frame in seen])
    indices = np.diff([frame.index for frame in seen])
    # Frames that a slow machine missed are skipped, and time goes on with the index.
    np.testing.assert_allclose(times, indices * 1e9 / 30.0, atol=2.0)
    assert seen[-1].index - seen[0].index == len(seen) - 1 + source.n_dropped


def test_a_live_source_counts_what_a_slow_reader_misses_on_the_cameras_clock(
    model: HeadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_ns = 5_000_000_000_000
    monkeypatch.setattr("engine.sources.time.perf_counter_ns", lambda: clock_ns)
    source = SyntheticSource(model, n_frames=None, live=True)
    first = source.read()
    clock_ns += 210_000_000  # frame 6 was due at 200 ms; the next to be read was frame 1
    second = source.read()
    source.close()
    assert (first.index, first.t_ns) == (0, 5_000_000_000_000)
    assert (second.index, second.t_ns) == (6, 5_000_200_000_000)
    assert source.n_dropped == 5


def test_a_file_like_source_drops_nothing(model: HeadModel) -> None:
    source = SyntheticSource(model, n_frames=2)
    assert (source.is_live, source.n_dropped) == (False, 0)
    assert [source.read().index for _ in range(2)] == [0, 1]
    assert source.read() is None
    assert source.read() is None
    assert source.n_dropped == 0
