"""What is changed where no frame comes any more: the view follows, and the buttons are right."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.method_menu import Methods
from app.qt import Qt
from app.recording import RecordingDesk, default_folder
from app.session import LiveSession, Loaded
from app.settings import Settings, SettingsStore
from app.source_thread import Request
from app.view import State, View
from engine.render.renderer import MeshRenderer
from tests.gui.windows import WAIT_MS, activate, close_all
from tests.live_fakes import QUALITIES, ByMethod, FakeSource, triangle_model

pytestmark = [pytest.mark.gui, pytest.mark.gl]

Open = Callable[..., LiveSession]


@pytest.fixture
def open_session(qtbot: QtBot, tmp_path: Path) -> Iterator[Open]:
    """Opens a window on so many frames; a live one pauses at its first."""
    sessions: list[LiveSession] = []

    def open_window(
        n_frames: int = 1,
        *,
        is_live: bool = False,
        store: SettingsStore | None = None,
        usual_folder: bool = False,
    ) -> LiveSession:
        def make_fitter() -> ByMethod:
            fitter = ByMethod(session.window.store.present.n_faces)
            fitter.use(session.window.method)
            return fitter

        loaded = Loaded(
            lambda ctx: MeshRenderer(ctx, np.array([[0, 1, 2]], np.int32)),
            make_fitter,
            lambda spec: FakeSource(n_frames, is_live=is_live),
            methods=Methods("n2fnet", dict.fromkeys(QUALITIES, "")),
        )
        desk = RecordingDesk(None if usual_folder else tmp_path / "takes")
        desk.equip(triangle_model())
        session = LiveSession(load=lambda tell: loaded, store=store, recording=desk)
        sessions.append(session)
        session.window.resize(640, 480)
        session.start(Request("fake", "Fake source"))
        activate(qtbot, session)
        state = State.PLAYING if is_live else State.ENDED
        qtbot.waitUntil(lambda: session.window.view.state is state, timeout=WAIT_MS)
        return session

    yield open_window
    close_all(sessions)


@pytest.fixture(params=["photo", "pause"])
def still(request: pytest.FixtureRequest, open_session: Open, qtbot: QtBot) -> LiveSession:
    if request.param == "photo":
        return open_session()
    session = open_session(1_000_000, is_live=True)
    qtbot.keyClick(session.window, Qt.Key.Key_Space)
    return session


def test_f_fits_the_picture_that_stands_by_the_next_method(qtbot: QtBot, still: LiveSession):
    window = still.window
    qtbot.keyClick(window, "f")
    assert window.method_button.text() == "Landmarks"
    qtbot.waitUntil(lambda: window.view.method == "landmarks", timeout=WAIT_MS)
    assert window.view.faces[0].quality == QUALITIES["landmarks"]


def test_b_compares_on_the_picture_that_stands(qtbot: QtBot, still: LiveSession):
    window = still.window
    qtbot.keyClick(window, "b")
    assert window.method_button.text() == "N2FNet / Landmarks"
    qtbot.waitUntil(lambda: window.stage.in_comparison, timeout=WAIT_MS)
    qtbot.keyClick(window, "b")
    qtbot.waitUntil(lambda: not window.stage.in_comparison, timeout=WAIT_MS)


def test_turns_and_more_faces_are_seen_on_the_picture_that_stands(qtbot: QtBot, still: LiveSession):
    window = still.window
    window.change_settings(turns=1)
    qtbot.waitUntil(lambda: window.view.frame.image.shape == (64, 48, 3), timeout=WAIT_MS)
    window.change_settings(n_faces=2)
    qtbot.waitUntil(lambda: len(window.view.faces) == 2, timeout=WAIT_MS)


@pytest.mark.parametrize("n_frames", [1, 5])
def test_a_take_is_refused_where_no_frame_will_come(
    qtbot: QtBot, open_session: Open, n_frames: int
):
    window = open_session(n_frames).window
    told = []
    window.record_button._tell = told.append
    qtbot.keyClick(window, Qt.Key.Key_R)
    assert [each.is_problem for each in told] == [True]
    assert "no other picture will come of Fake source: press S" in told[0].text
    assert window.record_button.text() == "Record"
    assert window._recording.take is None


def test_a_take_that_runs_when_the_source_ends_can_be_stopped(qtbot: QtBot, open_session: Open):
    window = open_session(100_000, is_live=True).window
    qtbot.keyClick(window, Qt.Key.Key_R)
    assert window._recording.take is not None
    window.show_view(_ended(window.view))
    qtbot.keyClick(window, Qt.Key.Key_R)
    assert window._recording.take is None


def test_a_screenshot_of_a_photo_is_of_the_present_method(qtbot: QtBot, open_session: Open):
    window = open_session().window
    qtbot.keyClick(window, "f")
    qtbot.waitUntil(lambda: window.view.method == "landmarks", timeout=WAIT_MS)
    assert window._recording._shot.faces[0].quality == QUALITIES["landmarks"]


def test_a_profile_and_reset_are_taken_whole_and_leave_the_source(
    qtbot: QtBot, open_session: Open, tmp_path: Path
):
    store = SettingsStore(tmp_path / "settings")
    store.change(
        source="webcam:3",
        source_title="Desk camera",
        method="landmarks",
        record_folder=str(tmp_path / "elsewhere"),
    )
    store.save_profile("Desk")
    store.change(method="", record_folder="")
    session = open_session(store=store, usual_folder=True)
    window = session.window
    assert window.method_button.text() == "N2FNet"
    window.use_profile("Desk")
    assert window.method_button.text() == "Landmarks"
    assert window.method == "landmarks"
    qtbot.waitUntil(lambda: window.view.method == "landmarks", timeout=WAIT_MS)
    assert window._recording.folder == tmp_path / "elsewhere"
    assert (store.present.source, store.present.source_title) == ("fake", "Fake source")
    window.reset_settings()
    assert window.method_button.text() == "N2FNet, refined"
    qtbot.waitUntil(lambda: window.view.method == "n2fnet-refined", timeout=WAIT_MS)
    assert window._recording.folder == default_folder()
    assert store.present == Settings(source="fake", source_title="Fake source")


def _ended(view: View) -> View:
    return replace(view, state=State.ENDED)
