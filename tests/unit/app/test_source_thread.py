"""A source's own thread: what it drops, waits for, opens again, and never hangs on."""

import threading
from collections.abc import Callable

import numpy as np
import pytest

from app.source_thread import Request, Shot, SourceThread
from engine.errors import CaptureError
from engine.types import Frame
from tests.live_fakes import FakeSource, grey_frame

LONG_S = 10.0
NOW = (0.0,)  # waits before opening again


def taken(feed: SourceThread) -> list[Shot]:
    """All shots to the end."""
    shots = []
    while (shot := feed.take(LONG_S)) is not None:
        shots.append(shot)
    return shots


class ScriptedSource:
    """A live source that gives what a test puts in: a frame, an error to raise, or None."""

    is_live = True
    n_frames = None
    name = "scripted"

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.items: list[Frame | Exception | None] = []
        self.n_dropped = self.n_opened = self.n_closed = 0

    def open(self, spec: str) -> "ScriptedSource":
        with self.changed:
            self.n_opened += 1
            self.changed.notify_all()
        return self

    def give(self, *items: Frame | Exception | None) -> None:
        with self.changed:
            self.items += items
            self.changed.notify_all()

    def wait(self, reached: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(reached, LONG_S)

    def read(self) -> Frame | None:
        with self.changed:
            assert self.changed.wait_for(lambda: bool(self.items), LONG_S)
            item = self.items.pop(0)
            self.changed.notify_all()
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        with self.changed:
            self.n_closed += 1
            self.changed.notify_all()


def test_a_file_gives_every_frame_and_only_the_first_starts():
    feed = SourceThread(Request("x", "X"), lambda spec: FakeSource(5))
    shots = taken(feed)
    assert [shot.frame.index for shot in shots] == [0, 1, 2, 3, 4]
    assert [shot.starts for shot in shots] == [True, False, False, False, False]
    assert (feed.n_dropped, feed.error, feed.ended) == (0, None, True)
    assert feed.join(LONG_S)


def test_a_live_source_drops_what_nobody_took_and_the_newest_still_starts():
    source = ScriptedSource()
    feed = SourceThread(Request("x", "X"), source.open)
    source.give(*(grey_frame(i) for i in range(7)), None)
    assert feed.join(LONG_S)
    shots = taken(feed)
    assert [shot.frame.index for shot in shots] == [6]
    assert shots[0].starts
    assert feed.n_dropped == 6


def test_a_file_that_keeps_its_pace_drops_too():
    feed = SourceThread(Request("x", "X"), lambda spec: FakeSource(5), every_frame=False)
    assert feed.join(LONG_S)
    assert [shot.frame.index for shot in taken(feed)] == [4]
    assert feed.n_dropped == 4


def test_a_loop_starts_anew_and_ends_when_closed():
    feed = SourceThread(Request("x", "X", loop=True), lambda spec: FakeSource(2))
    starts = []
    while len(starts) < 6 and (shot := feed.take(LONG_S)) is not None:
        starts.append(shot.starts)
    assert starts == [True, False] * 3
    feed.close()
    assert feed.join(LONG_S)


def test_twenty_unplugs_are_survived_and_each_opens_the_camera_anew():
    source = ScriptedSource()
    feed = SourceThread(Request("x", "X"), source.open, retry_s=NOW)
    for cycle in range(20):
        source.give(grey_frame(cycle))
        shot = feed.take(LONG_S)
        assert shot is not None
        assert (shot.frame.index, shot.starts) == (cycle, True)
        source.give(CaptureError("the cable is out"))
        source.wait(lambda cycle=cycle: source.n_opened == cycle + 2)
    assert feed.lost == "the cable is out"
    assert source.n_closed == 20
    n_threads = sum(t.name == "n2f-source" for t in threading.enumerate())
    assert n_threads == 1
    feed.close()
    source.give(None)
    assert feed.join(LONG_S)
    assert source.n_closed == 21


def test_a_source_that_never_worked_is_not_tried_again_by_itself():
    def refuse(spec: str) -> FakeSource:
        raise CaptureError("in use by another program; close it")

    feed = SourceThread(Request("x", "X"), refuse, retry_s=NOW)
    assert taken(feed) == []
    assert str(feed.error) == "in use by another program; close it"


def test_empty_pictures_count_as_lost_and_the_next_whole_one_is_shown():
    source = ScriptedSource()
    feed = SourceThread(Request("x", "X"), source.open, retry_s=NOW)
    source.give(grey_frame(0))
    assert feed.take(LONG_S) is not None
    source.give(Frame(np.zeros((0, 0, 3), np.uint8), 1, 0))
    source.wait(lambda: source.n_opened == 2)
    assert "empty pictures" in (feed.lost or "")
    source.give(grey_frame(2))
    shot = feed.take(LONG_S)
    assert shot is not None
    assert shot.frame.index == 2
    assert feed.lost is None
    feed.close()
    source.give(None)
    assert feed.join(LONG_S)


def test_the_size_may_change_in_mid_stream():
    source = ScriptedSource()
    feed = SourceThread(Request("x", "X"), source.open)
    for height, width in ((48, 64), (96, 32), (1, 1)):
        source.give(Frame(np.full((height, width, 3), 9, np.uint8), 0, 0))
        shot = feed.take(LONG_S)
        assert shot is not None
        assert shot.frame.image.shape == (height, width, 3)
    source.give(None)
    assert feed.join(LONG_S)


def test_closing_a_source_that_blocks_returns_at_once_and_its_thread_lets_go_later():
    source = ScriptedSource()
    feed = SourceThread(Request("x", "X"), source.open)
    source.wait(lambda: source.n_opened == 1)
    feed.close()  # its thread is in read(), which does not return
    assert feed.take(LONG_S) is None
    assert not feed.join(0.0)
    source.give(None)
    assert feed.join(LONG_S)
    assert source.n_closed == 1


def test_a_quarter_turn_against_the_clock_puts_the_right_edge_on_top():
    source = ScriptedSource()
    feed = SourceThread(Request("x", "X"), source.open, turns=1)
    image = np.zeros((4, 6, 3), np.uint8)
    image[:, -1] = 255
    source.give(Frame(image, 0, 0), None)
    shot = feed.take(LONG_S)
    assert shot is not None
    assert shot.frame.image.shape == (6, 4, 3)
    assert shot.frame.image[0].min() == 255
    assert shot.frame.image[1:].max() == 0
    assert feed.join(LONG_S)


class Film(FakeSource):
    """A file of 100 frames, a millisecond each, that can be sought in."""

    duration_ns = 100_000_000

    def seek(self, t_ns: int) -> None:
        self._index = t_ns // 1_000_000


def test_a_place_in_a_film_is_gone_to_and_what_waited_is_left_out():
    feed = SourceThread(Request("x", "X"), lambda spec: Film(100))
    first = feed.take(LONG_S)
    assert first is not None
    assert first.position == pytest.approx(0.01)
    feed.seek(0.5)
    shot = feed.take(LONG_S)
    assert shot is not None
    assert (shot.frame.index, shot.starts) == (50, True)
    assert shot.position == pytest.approx(0.51)
    feed.close()
    assert feed.join(LONG_S)


def test_a_film_can_begin_anywhere():
    feed = SourceThread(Request("x", "X"), lambda spec: Film(100), start_at=0.9)
    assert [shot.frame.index for shot in taken(feed)] == list(range(90, 100))


def test_a_paused_film_waits_and_shows_the_place_that_is_sought():
    feed = SourceThread(Request("x", "X"), lambda spec: Film(100))
    assert feed.take(LONG_S) is not None
    feed.set_paused(True)
    feed.seek(0.2)
    shot = feed.take(LONG_S)
    assert shot is not None
    assert shot.frame.index == 20
    feed.close()
    assert feed.join(LONG_S)
