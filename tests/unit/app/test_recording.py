"""The desk behind the record button: takes, pictures, privacy, receivers; no Qt, no display."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from app.recording import RecordingDesk, default_folder
from app.told import Told
from app.view import State, Stats, View
from engine.flame.model import load_head_model
from engine.io.results import load_fit_npz
from engine.recording.shot import Content
from engine.streaming.targets import SendTarget
from engine.types import Frame
from tests.live_fakes import triangle_head, triangle_model

MODEL = triangle_model()
NOW = datetime(2026, 11, 24, 20, 30, 5)
STEM = "n2f-20261124-203005"
WAIT_S = 30.0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[RecordingDesk]:
    made = RecordingDesk(tmp_path / "takes", clock=lambda: NOW)
    made.equip(MODEL)
    yield made
    assert made.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("n2f")]


def view(index: int, *, state: State = State.PLAYING, live: bool = False) -> View:
    frame = Frame(np.full((48, 64, 3), 10 * index % 250, np.uint8), index, index * 40_000_000)
    stats = Stats(age_ms=20.0 if live else None)
    return View(state, "clip", frame, (triangle_head(frame),), stats=stats)


def told(desk: RecordingDesk, is_there: Callable[[Told], bool] = lambda told: True) -> Told:
    """The next message of that kind, which another thread may still have to write."""
    end_s = time.monotonic() + WAIT_S
    while time.monotonic() < end_s:
        for one in desk.news():
            if is_there(one):
                return one
        threading.Event().wait(0.01)
    raise AssertionError("nothing was told")


def test_a_take_from_r_to_r_is_a_film_of_what_was_shown(desk: RecordingDesk):
    desk.on_view(view(0))  # before the take: not in it
    desk.toggle()
    for i in range(1, 21):
        desk.on_view(view(i))
        desk.on_view(view(i, state=State.WAITING))  # no news of the source
        desk.on_view(replace(view(i), again=True))  # shown otherwise in a pause
        desk.on_view(view(i, state=State.ENDED))
    desk.toggle()
    assert desk.take is None
    message = told(desk)
    path = desk.folder / f"{STEM}.mp4"
    assert message == Told(f"Saved {path}: 0.8 s")
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 20
    assert json.loads(path.with_suffix(".json").read_text())["n_dropped"] == 0


def test_a_take_is_refused_with_a_reason_before_the_head_is_there_or_where_it_cannot_go(
    tmp_path: Path,
):
    desk = RecordingDesk(tmp_path)
    assert not desk.start()
    assert "still being loaded" in desk.news()[0].text
    (tmp_path / "file").write_text("in the way")
    desk.equip(MODEL)
    desk.set_folder(tmp_path / "file" / "below")
    assert not desk.start()
    (message,) = desk.news()
    assert (message.is_problem, message.of_folder) == (True, True)
    assert desk.take is None


def test_the_folder_that_was_asked_for_goes_before_the_stored_one(tmp_path: Path):
    asked, stored = tmp_path / "asked", tmp_path / "stored"
    desk = RecordingDesk(asked)
    desk.set_stored_folder(str(stored))
    assert desk.folder == asked
    desk = RecordingDesk()
    desk.set_stored_folder("")
    assert desk.folder == default_folder()
    desk.set_stored_folder(str(stored))
    assert desk.folder == stored
    desk.set_stored_folder("")  # as after Reset
    assert desk.folder == default_folder()
    desk = RecordingDesk(asked)
    desk.set_folder(tmp_path / "chosen")  # by a person, who wants it otherwise now
    desk.set_stored_folder(str(stored))
    assert desk.folder == stored


def test_a_take_without_a_frame_says_so(desk: RecordingDesk):
    desk.toggle()
    desk.toggle()
    assert told(desk) == Told("Nothing was recorded: no frame came", is_problem=True)
    assert not any(desk.folder.iterdir())


def test_in_privacy_parameters_alone_are_kept_and_pictures_refused(desk: RecordingDesk):
    desk.keep_replay(True)
    desk.on_view(view(0))
    desk.set_settings(private=True)
    assert desk.replay_seconds is None
    desk.start()
    for i in range(1, 11):
        desk.on_view(view(i))
    desk.screenshot()
    desk.save_picture(np.zeros((4, 4, 3), np.uint8))
    desk.save_replay()
    desk.send_to(SendTarget("camera"))
    refusals = desk.news()
    assert len(refusals) == 4
    assert all("Privacy is on" in one.text for one in refusals)
    desk.stop()
    told(desk, lambda one: one.text.startswith("Saved"))
    assert sorted(p.name for p in desk.folder.iterdir()) == [
        f"{STEM}.csv", f"{STEM}.json", f"{STEM}.npz",
    ]  # fmt: skip
    assert len(load_fit_npz(desk.folder / f"{STEM}.npz", MODEL)) == 10


def test_changing_what_is_recorded_ends_the_take(desk: RecordingDesk):
    desk.start()
    desk.on_view(view(0))
    desk.set_settings(content=Content.VIDEO)  # the overlay was recorded
    assert desk.take is None
    assert told(desk).text.startswith("Saved")
    desk.start()
    desk.set_settings(content=Content.VIDEO)  # no change
    assert desk.take is not None


@pytest.mark.gl
def test_screenshots_are_the_frame_or_the_head_alone_on_nothing(desk: RecordingDesk):
    desk.on_view(view(7))
    desk.screenshot(Content.VIDEO)
    message = told(desk)
    with Image.open(message.text.removeprefix("Saved ")) as shown:
        np.testing.assert_array_equal(np.asarray(shown), view(7).frame.image)
    desk.screenshot(Content.AVATAR)
    with Image.open(told(desk).text.removeprefix("Saved ")) as alone:
        assert alone.mode == "RGBA"
        assert np.asarray(alone)[0, 0, 3] == 0
        assert np.asarray(alone)[20, 32, 3] > 0


def test_the_last_seconds_are_kept_from_when_they_are_asked_for(desk: RecordingDesk):
    desk.set_settings(content=Content.VIDEO)
    desk.on_view(view(0))
    desk.save_replay()
    assert "From now on" in told(desk).text
    for i in range(1, 8):
        desk.on_view(view(i))
        assert desk._packer.wait_sent(i, WAIT_S)  # it is packed on a thread of its own
    assert desk.replay_seconds == pytest.approx(6 * 0.04)
    desk.save_replay()
    path = Path(told(desk).text.removeprefix("Saved ").partition(":")[0])
    assert path.name == f"{STEM}-last.mp4"
    with av.open(str(path)) as container:
        pictures = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    greys = [int(picture.mean()) for picture in pictures]
    np.testing.assert_allclose(greys, [10 * i for i in range(1, 8)], atol=4)


@pytest.mark.assets
def test_receivers_come_and_go(desk: RecordingDesk):
    desk.equip(load_head_model(Path(__file__).parents[3] / "assets" / "openhead.npz"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        target = SendTarget("livelink", "127.0.0.1", receiver.getsockname()[1])
        desk.send_to(target)
        desk.send_to(target)
        assert list(desk.sinks) == [target]
        desk.stop_sending(target)
        assert desk.sinks == {}


def test_every_channel_of_a_receiver_can_be_moved_and_closing_does_not_wait(tmp_path: Path):
    desk = RecordingDesk(tmp_path)
    desk.equip(MODEL)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(WAIT_S)
        target = SendTarget("livelink", "127.0.0.1", receiver.getsockname()[1])
        desk.test_channels(target)
        first = np.frombuffer(receiver.recv(65536)[-61 * 4 :], ">f4")
        assert desk.close()  # half a minute's test ends at once
    assert np.flatnonzero(first).tolist() == [0]
    assert told(desk).text == f"{target}: eyeBlinkLeft"


def test_films_of_a_killed_program_are_found_again(tmp_path: Path):
    partial = tmp_path / ".old.partial.mp4"
    partial.write_bytes(b"film")
    desk = RecordingDesk(tmp_path)
    desk.equip(MODEL)
    assert "old (recovered).mp4" in desk.news()[0].text
    assert (tmp_path / "old (recovered).mp4").exists()
