"""Cameras in the window: what they offer, what is chosen, and what an unplugged one does."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.camera_desk import CameraDesk, chosen_format, formats_of, uniquely_named
from app.camera_watch import CameraWatch
from app.method_menu import Methods
from app.qt import QAction, QObject, QSize, pyqtSignal
from app.session import LiveSession, Loaded
from app.settings import Settings, SettingsStore
from app.source_menu import present_spec, remembered_request
from app.source_thread import Request
from app.telling import gives_text
from app.view import State, Stats, View
from engine.errors import CaptureError
from engine.io.camera import CameraInfo
from engine.io.camera_format import AUTOMATIC, USUAL, CameraFormat
from engine.render.renderer import MeshRenderer
from engine.types import Frame
from tests.gui.windows import WAIT_MS, activate, close_all
from tests.live_fakes import FakeFitter, FakeSource, grey_frame

pytestmark = [pytest.mark.gui, pytest.mark.gl]

DESK = CameraInfo(0, "Desk camera", "/dev/video0")
RAW_720 = CameraFormat(1280, 720, 10.0, "YUYV")
MJPG_720 = CameraFormat(1280, 720, 30.0, "MJPG")
SMALL = CameraFormat(640, 480, 30.0, "MJPG")


class FakeDevices(QObject):
    """QMediaDevices of one camera."""

    videoInputsChanged = pyqtSignal()

    def videoInputs(self) -> list[object]:  # noqa: N802
        def offer(wanted: CameraFormat, pixel: str) -> object:
            return SimpleNamespace(
                resolution=lambda: QSize(wanted.width, wanted.height),
                maxFrameRate=lambda: wanted.fps,
                pixelFormat=lambda: SimpleNamespace(name=pixel),
            )

        formats = [
            offer(SMALL, "Format_Jpeg"),
            offer(RAW_720, "Format_YUYV"),
            offer(MJPG_720, "Format_Jpeg"),
            offer(MJPG_720, "Format_Jpeg"),
        ]
        return [
            SimpleNamespace(
                id=lambda: b"/dev/video0",
                description=lambda: "Desk camera",
                videoFormats=lambda: formats,
            )
        ]


Open = Callable[..., LiveSession]


@pytest.fixture
def open_session(qtbot: QtBot) -> Iterator[Open]:
    sessions: list[LiveSession] = []

    def open_window(
        open_source: Callable[[str], object], store: SettingsStore | None = None
    ) -> LiveSession:
        loaded = Loaded(
            lambda ctx: MeshRenderer(ctx, np.array([[0, 1, 2]], np.int32)),
            FakeFitter,
            open_source,
            methods=Methods("landmarks", {"landmarks": ""}),
        )
        session = LiveSession(load=lambda tell: loaded, store=store)
        sessions.append(session)
        session.window.resize(600, 420)  # quicker to draw
        session.start(Request("webcam:0", "Desk camera"))
        activate(qtbot, session)
        return session

    yield open_window
    close_all(sessions)


def menu_actions(session: LiveSession) -> dict[str, QAction]:
    """Of the source's menu and the menus in it, by text."""
    button = session.window.source_button
    button.fill()
    found = {}
    for action in button.menu().actions():
        found[action.text()] = action
        if action.menu() is not None:
            found |= {inner.text(): inner for inner in action.menu().actions()}
    return found


def test_what_a_camera_offers_is_listed_once_each_largest_and_quickest_first():
    assert formats_of(FakeDevices(), DESK) == [MJPG_720, RAW_720, SMALL]
    renamed = CameraInfo(0, "Another name", "/dev/video0")
    assert formats_of(FakeDevices(), renamed) == [MJPG_720, RAW_720, SMALL]
    assert formats_of(FakeDevices(), CameraInfo(1, "Other", "/dev/video1")) == []
    assert formats_of(None, DESK) == []


def test_two_cameras_of_one_name_are_both_offered_and_opened(
    qtbot: QtBot, open_session: Open, monkeypatch: pytest.MonkeyPatch
):
    twins = [CameraInfo(i, "Integrated Camera", f"/dev/video{i}") for i in (0, 2)]
    monkeypatch.setattr("app.source_menu.list_cameras", lambda: twins)
    store, opened = SettingsStore(None), []

    def open_source(spec: str) -> FakeSource:
        opened.append(present_spec(spec, store.present))
        return FakeSource(1_000_000, is_live=True)

    session = open_session(open_source, store)
    window = session.window
    window.cameras.list = lambda: twins
    assert {"Integrated Camera", "Integrated Camera (2)"} <= set(menu_actions(session))
    menu_actions(session)["Integrated Camera (2)"].trigger()
    qtbot.waitUntil(lambda: opened[-1:] == ["webcam:2"], timeout=WAIT_MS)
    assert window.source_button.text() == "Integrated Camera (2)"
    window.cameras._devices = FakeDevices()  # which know the first one alone
    assert window.cameras.offered("Integrated Camera") == ([MJPG_720, RAW_720, SMALL], True)
    assert window.cameras.offered("Integrated Camera (2)") == (list(USUAL), False)
    menu_actions(session)["Integrated Camera"].trigger()
    qtbot.waitUntil(lambda: opened[-1:] == ["webcam:0"], timeout=WAIT_MS)


def test_a_camera_keeps_its_number_while_the_one_there_has_its_name(
    monkeypatch: pytest.MonkeyPatch,
):
    def there(*numbers: int) -> None:
        cameras = [CameraInfo(i, "Integrated Camera", "") for i in numbers]
        monkeypatch.setattr("app.source_menu.list_cameras", lambda: cameras)

    second = Settings(source="webcam:2", source_title="Integrated Camera (2)")
    unnumbered = Settings(source="webcam:2", source_title="Integrated Camera")  # of an older file
    for numbers in ((0, 2), (2,), (2, 3)):
        there(*numbers)
        assert present_spec("webcam:2", second) == "webcam:2"
        assert present_spec("webcam:2", unnumbered) == "webcam:2"
        assert remembered_request(second.source, second.source_title).spec == "webcam:2"
    there(0, 4)  # in another socket
    assert present_spec("webcam:2", second) == "webcam:4"
    there(0)  # that is another camera
    assert remembered_request(second.source, second.source_title) is None


def test_numbered_names_are_unlike_those_that_cameras_have_themselves():
    names = ["Camera", "Camera", "Camera (2)", "Other"]
    named = uniquely_named(CameraInfo(i, name, "") for i, name in enumerate(names))
    assert [camera.name for camera in named] == ["Camera", "Camera (3)", "Camera (2)", "Other"]
    assert [camera.index for camera in named] == [0, 1, 2, 3]


def test_where_qt_cannot_tell_the_usual_formats_are_offered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.camera_desk.media_devices", lambda: None)
    desk = CameraDesk(SettingsStore(None), lambda: [DESK])
    assert desk.offered("Desk camera") == (list(USUAL), False)


def test_a_chosen_format_opens_the_camera_anew_and_is_there_the_next_time(
    qtbot: QtBot, open_session: Open, tmp_path: Path
):
    store = SettingsStore(tmp_path)
    asked: list[CameraFormat] = []

    def open_source(spec: str) -> FakeSource:
        asked.append(chosen_format(store.present))
        return FakeSource(1_000_000, is_live=True)

    session = open_session(open_source, store)
    window = session.window
    window.cameras.list = lambda: [DESK]
    window.cameras._devices = FakeDevices()
    qtbot.waitUntil(lambda: len(asked) == 1, timeout=WAIT_MS)
    actions = menu_actions(session)
    assert actions[f"Automatic: {AUTOMATIC.title}"].isChecked()
    actions[SMALL.title].trigger()
    qtbot.waitUntil(lambda: len(asked) == 2, timeout=WAIT_MS)
    assert asked == [AUTOMATIC, SMALL]
    assert menu_actions(session)[SMALL.title].isChecked()
    window.close()
    again = SettingsStore(tmp_path)
    assert again.told == []
    again.change(source_title="Desk camera")
    assert chosen_format(again.present) == SMALL
    again.change(source_title="Another camera")
    assert chosen_format(again.present) == AUTOMATIC


def test_the_rate_is_measured_and_a_slow_camera_is_said_to_be_slow():
    def view(fps: float) -> View:
        stats = Stats(source_fps=fps, source_format=MJPG_720, age_ms=20.0)
        return View(State.PLAYING, "Desk camera", grey_frame(0), stats=stats)

    assert gives_text(view(29.6)) == "64 x 48 MJPG, 29.6/s measured"
    assert "9.8/s measured of 30: more light" in gives_text(view(9.8))
    assert gives_text(View(State.PLAYING, "clip", grey_frame(0), stats=Stats(source_fps=25))) == ""


class Plug(FakeSource):
    """Gives frames while it is plugged in."""

    is_in = threading.Event()

    def read(self) -> Frame | None:
        if not self.is_in.is_set():
            raise CaptureError("the cable is out")
        return super().read()


def test_twenty_times_unplugged_and_in_again_by_qts_notice_alone(
    qtbot: QtBot, open_session: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.source_thread._RETRY_S", (3600.0,))  # it does not try by itself
    monkeypatch.setattr("app.play._LOOK_S", 0.01)
    there, opened = [DESK], []

    def open_source(spec: str) -> Plug:
        opened.append(spec)
        return Plug(1_000_000, is_live=True)

    Plug.is_in.set()
    session, devices = open_session(open_source), FakeDevices()
    window = session.window
    window.cameras.list = lambda: list(there)
    watch = CameraWatch(
        session.cameras_changed, lambda: list(there), every_ms=3_600_000, notifier=devices
    )
    watch.look()
    for cycle in range(20):
        shown = window.canvas.n_painted
        qtbot.waitUntil(lambda n=shown: window.canvas.n_painted > n, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: window.banner.text == "", timeout=WAIT_MS)
        Plug.is_in.clear()
        qtbot.waitUntil(lambda: "the cable is out" in window.banner.text, timeout=WAIT_MS)
        there.clear()
        devices.videoInputsChanged.emit()
        assert "No camera found" in menu_actions(session)
        assert len(opened) == cycle + 1
        Plug.is_in.set()
        there.append(CameraInfo(cycle, "Desk camera", ""))  # in another socket each time
        devices.videoInputsChanged.emit()
        qtbot.waitUntil(lambda n=cycle: len(opened) == n + 2, timeout=WAIT_MS)
        assert "Desk camera" in menu_actions(session)
    assert sum(t.name == "n2f-source" for t in threading.enumerate()) == 1
    watch.stop()
    devices.videoInputsChanged.emit()  # nobody listens any more


def test_a_camera_that_could_not_be_opened_is_opened_when_it_comes(
    qtbot: QtBot, open_session: Open
):
    there: list[CameraInfo] = []

    def open_source(spec: str) -> FakeSource:
        if not there:
            raise CaptureError("webcam:0 does not exist; plug one in")
        return FakeSource(1_000_000, is_live=True)

    session, devices = open_session(open_source), FakeDevices()
    window = session.window
    watch = CameraWatch(
        session.cameras_changed, lambda: list(there), every_ms=3_600_000, notifier=devices
    )
    qtbot.waitUntil(lambda: window.has_failed, timeout=WAIT_MS)
    there.append(CameraInfo(4, "Desk camera", ""))
    devices.videoInputsChanged.emit()
    qtbot.waitUntil(lambda: window.canvas.n_painted > 0, timeout=WAIT_MS)
    assert window.store.present.source == "webcam:4"
    watch.stop()


def test_an_open_menu_shows_a_camera_that_comes(qtbot: QtBot, open_session: Open):
    session = open_session(lambda spec: FakeSource(1_000_000, is_live=True))
    there: list[CameraInfo] = []
    button = session.window.source_button
    session.window.cameras.list = lambda: list(there)
    button.menu().popup(session.window.mapToGlobal(session.window.rect().center()))
    qtbot.waitUntil(button.menu().isVisible, timeout=WAIT_MS)
    assert "No camera found" in [a.text() for a in button.menu().actions()]
    there.append(DESK)
    session.cameras_changed(list(there))
    assert "Desk camera" in [a.text() for a in button.menu().actions()]
    button.menu().close()
