"""Small parts of the window that need no Qt window: watch, steadiness, orbit, words, persons."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.face_tags import tag_places
from app.hud import ShownMeter, hud_lines
from app.meter import Meter, Recent, memory_mb
from app.orbit import Orbit
from app.overlay_widget import trust_fade
from app.persons import Persons
from app.picture_watch import PictureWatch
from app.steadier import Steadier, steadiness_of
from app.telling import BannerJudge
from app.view import State, Stats, Steadiness, View
from engine.errors import AssetError
from engine.types import Frame
from tests.live_fakes import grey_frame, triangle_head, triangle_model

SECOND_NS = 1_000_000_000


def noise_frame(index: int, mean: int, t_ns: int) -> Frame:
    rng = np.random.default_rng(index)
    image = np.clip(rng.normal(mean, 2, (48, 64, 3)), 0, 255).astype(np.uint8)
    return Frame(image, index, t_ns)


@pytest.mark.parametrize(
    ("mean", "told"), [(2, "black"), (20, "very dark"), (120, None)], ids=["black", "dark", "lit"]
)
def test_black_and_dark_pictures_are_told_after_two_seconds(mean: int, told: str | None):
    watch = PictureWatch()
    said = [watch.look(noise_frame(i, mean, i * SECOND_NS // 2), is_live=True) for i in range(6)]
    assert said[:4] == [None] * 4
    if told is None:
        assert said[5] is None
    else:
        assert told in (said[5] or "")


def test_a_picture_that_never_changes_is_frozen_but_only_if_live():
    live, film = PictureWatch(), PictureWatch()
    frames = [grey_frame(i, t_ns=i * SECOND_NS) for i in range(5)]
    assert "does not change" in ([live.look(f, is_live=True) for f in frames][-1] or "")
    assert [film.look(f, is_live=False) for f in frames] == [None] * 5


def test_a_good_picture_ends_what_was_told():
    watch = PictureWatch()
    for i in range(6):
        watch.look(noise_frame(i, 2, i * SECOND_NS), is_live=True)
    assert watch.look(noise_frame(7, 120, 7 * SECOND_NS), is_live=True) is None


def test_lag_is_found_where_a_filter_only_delays():
    times = np.arange(60) / 30.0
    lag_s = 0.05

    def moved(t: float) -> np.ndarray:
        at = np.array([100 * np.sin(2.0 * t), 50 * np.cos(1.5 * t)])
        return np.tile(at, (68, 1)).astype(np.float32)

    trace = [(t, moved(t), moved(t - lag_s)) for t in times]
    found = steadiness_of(trace)
    assert found is not None
    assert found.lag_ms == pytest.approx(50.0, rel=0.1)


def test_jitter_is_that_of_the_noise_and_at_rest_no_lag_is_told():
    rng = np.random.default_rng(0)
    still = np.zeros((68, 2))
    trace = [
        (k / 30, (still + rng.normal(0, 1.0, (68, 2))).astype(np.float32), still.astype(np.float32))
        for k in range(60)
    ]
    found = steadiness_of(trace)
    assert found is not None
    # Two axes of 1 px, less a mean of five that each point is part of: sqrt(2 x 4/5).
    assert found.raw_jitter_px == pytest.approx(np.sqrt(2 * 0.8), rel=0.05)
    assert found.jitter_px == 0.0
    assert found.lag_ms is None
    assert steadiness_of(trace[:9]) is None


def test_the_steadier_keeps_faces_apart_and_poses_them_anew():
    steadier = Steadier(triangle_model())
    frame = grey_frame(0)
    near = triangle_head(frame, face_id=1)
    steadier.run([near])
    far = triangle_head(frame, face_id=2)
    far = replace(far, t_ns=33_000_000, params=far.params.with_values(t=np.array([0.0, 0, -3])))
    moved = replace(near, t_ns=33_000_000, params=near.params.with_values(t=np.array([0.1, 0, -1])))
    out = steadier.run([moved, far])
    assert out[1].params.t[2] == pytest.approx(-3.0)  # new: taken as it is
    assert 0.0 < out[0].params.t[0] < 0.1  # known: on its way


def test_percentiles_of_known_numbers():
    recent = Recent(100)
    assert recent.percentiles() is None
    for value in range(101):
        recent.add(value)
    assert recent.percentiles() == (pytest.approx(50.5), pytest.approx(95.05))  # 1..100


def test_a_meter_counts_each_stage_by_itself():
    meter = Meter()
    meter.add({"crop": 1.0})
    meter.add({"crop": 3.0, "fit": 8.0})
    assert meter.stages()["fit"] == (8.0, 8.0)
    assert meter.stages()["crop"][0] == 2.0
    assert meter.fps > 0


def test_memory_is_of_this_process():
    assert 10 < memory_mb() < 100_000


def test_the_same_frame_is_shown_once_and_its_age_is_since_capture():
    shown = ShownMeter()
    captured = time.perf_counter_ns() - 40_000_000
    for _ in range(3):
        shown.shown(captured)
    assert shown.n_shown == 1
    age = shown.age_ms
    assert age is not None
    assert 40.0 <= age[0] < 1000.0


def test_the_display_shows_every_number_with_what_it_is_of():
    stats = Stats(
        fps=19.9,
        stage_ms={"crop": 9.0},
        stage_p95_ms={"crop": 12.0},
        dropped=7,
        source_fps=30.0,
        provider="cpu",
        steadiness=Steadiness(0.8, 0.3, 21.0),
    )
    frame = grey_frame(0)
    view = View(State.PLAYING, "x", frame, (triangle_head(frame, 3, 0.5),), stats=stats)
    shown = ShownMeter()
    shown.shown(time.perf_counter_ns())
    text = "\n".join(hud_lines(view, shown, 512.0))
    for part in ("fitted 19.9/s", "source 30.0/s", "p95", "12.0", "dropped 7", "memory 512 MB"):
        assert part in text
    for part in ("runs on cpu", "0.80 px raw, 0.30 filtered", "21 ms", "#3 50 %"):
        assert part in text


def test_the_avatars_camera_keeps_the_head_in_front_and_turns_it_with_the_hand():
    orbit, centre = Orbit(), np.array([0.0, 0.1, 0.02])
    R, t = orbit.place(np.eye(3), centre)
    assert R @ centre + t == pytest.approx([0, 0, -orbit.distance])
    R, t = orbit.dragged(100, 0).place(np.eye(3), centre)
    assert R @ centre + t == pytest.approx([0, 0, -orbit.distance])
    nose = R @ np.array([0.0, 0, 1])
    assert nose[0] > 0.5  # dragged to the right, the face looks to the right


def test_the_avatars_camera_stops_above_the_head_and_near_the_face():
    orbit = Orbit().dragged(0, 1e6)
    assert orbit.pitch < np.pi / 2
    assert Orbit().zoomed(1000).distance == pytest.approx(0.25)
    assert Orbit().zoomed(-1000).distance == pytest.approx(2.0)


def test_doubtful_heads_fade_and_none_vanishes():
    assert trust_fade(1.0) == trust_fade(0.6) == 1.0
    assert trust_fade(0.0) == pytest.approx(0.12)
    assert 0.12 < trust_fade(0.4) < 1.0


def test_a_fit_that_stays_doubtful_is_told_with_what_helps():
    judge, frame = BannerJudge(), grey_frame(0)
    view = View(State.PLAYING, "x", frame, (triangle_head(frame, quality=0.1),))
    said = [judge.notice(view) for _ in range(20)]
    assert said[:19] == [None] * 19
    assert "not to be trusted" in (said[19] or "")


def test_a_person_is_kept_by_name_for_one_head_model(tmp_path: Path):
    persons = Persons(tmp_path)
    params = triangle_head(grey_frame(0)).params.with_values(shape=np.array([0.5], np.float32))
    persons.keep("Ada", params)
    assert persons.names() == ["Ada"]
    shape = persons.shape_of("Ada", params.model_id)
    assert shape is not None
    assert shape.tolist() == [0.5]
    assert persons.shape_of("Ada", "1" * 64) is None
    assert persons.shape_of("Nobody", params.model_id) is None
    (tmp_path / "Ada.npz").write_bytes(b"damaged")
    with pytest.raises(AssetError, match="keep Ada again"):
        persons.shape_of("Ada", params.model_id)


def test_tags_lie_over_each_of_several_heads_and_change_sides_in_a_mirror():
    frame = grey_frame(0)
    left, right = triangle_head(frame, 4, 0.9), triangle_head(frame, 7, 0.5)
    at = np.full((68, 2), (15.5, 24.0), np.float32)
    left = replace(left, landmarks68_px=at)
    right = replace(right, landmarks68_px=at + np.float32([32, 0]))
    view = View(State.PLAYING, "x", frame, (left, right))
    place = (100.0, 0.0, 640.0, 480.0)  # ten times the frame's 64 x 48
    tags = tag_places(view, place, mirrored=False)
    assert [(text, x) for text, x, _ in tags] == [("#4  90 %", 260.0), ("#7  50 %", 580.0)]
    mirrored = tag_places(view, place, mirrored=True)
    assert [x for _, x, _ in mirrored] == [580.0, 260.0]
    assert tag_places(replace(view, faces=(left,)), place, mirrored=False) == []
