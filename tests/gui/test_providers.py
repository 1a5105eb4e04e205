"""The provider picker: measured in the background, remembered with versions, never silent."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.method_menu import Methods
from app.provider_desk import FASTEST, ProviderDesk
from app.session import LiveSession, Loaded
from app.settings import SettingsStore
from app.source_thread import Request
from engine.errors import ProviderError
from engine.provider_speed import ProviderSpeed
from engine.render.renderer import MeshRenderer
from tests.gui.windows import WAIT_MS, activate, close_all
from tests.live_fakes import FakeFitter, FakeSource

pytestmark = [pytest.mark.gui, pytest.mark.gl]

TITLES = {"auto": "the quickest that is known to work", "cpu": "CPU", "cuda": "NVIDIA card"}
SPEEDS = [ProviderSpeed("cpu", 31.4), ProviderSpeed("cuda", 4.2)]


class Measured:
    """Gives known figures once it may; counts how often it was asked."""

    def __init__(self, speeds: list[ProviderSpeed] = SPEEDS) -> None:
        self.may, self.n, self.speeds = threading.Event(), 0, speeds
        self.may.set()

    def __call__(
        self, networks: object, tell: Callable[[str], None], stopped: Callable[[], bool]
    ) -> list[ProviderSpeed]:
        self.n += 1
        tell("cpu")
        while not self.may.wait(0.01) and not stopped():
            pass
        return self.speeds


def desk_on(folder: Path | None, measured: Measured, key: str = "v1") -> ProviderDesk:
    store = SettingsStore(folder)
    desk = ProviderDesk(store, lambda: TITLES, measured, list, lambda networks: key)
    desk.prime()
    return desk


def wait_measured(qtbot: QtBot, desk: ProviderDesk) -> None:
    qtbot.waitUntil(lambda: bool(desk._store.present.provider_ms), timeout=WAIT_MS)


def test_the_fastest_is_measured_shown_and_remembered(qtbot: QtBot, tmp_path: Path):
    measured, told = Measured(), []
    desk = desk_on(tmp_path, measured)
    desk.told.connect(told.append)
    assert desk.titles()[FASTEST] == "Fastest: measured when chosen"
    desk._store.change(provider=FASTEST)
    assert desk.present == "auto"  # until it is known
    with qtbot.waitSignal(desk.chosen, timeout=WAIT_MS):
        desk.apply()
    assert desk.present == "cuda"
    assert desk.titles()[FASTEST] == "Fastest: NVIDIA card, 4.2 ms a face"
    assert desk.titles()["cpu"] == "CPU: 31.4 ms a face"
    assert told[0].startswith("Measuring")
    assert told[-1] == "Networks run quickest on cuda. A face takes: cpu 31.4 ms, cuda 4.2 ms"
    desk._store.save()
    assert desk.close()
    again = Measured()
    later = desk_on(tmp_path, again)
    later.apply()
    assert (later.present, again.n) == ("cuda", 0)
    assert later.close()


def test_other_versions_are_measured_anew(qtbot: QtBot, tmp_path: Path):
    first = desk_on(tmp_path, Measured())
    first._store.change(provider=FASTEST)
    first.apply()
    wait_measured(qtbot, first)
    first._store.save()
    assert first.close()
    measured = Measured([ProviderSpeed("cpu", 3.0), ProviderSpeed("cuda", 4.2)])
    later = desk_on(tmp_path, measured, key="v2")
    assert later.present == "auto"
    later.apply()
    qtbot.waitUntil(lambda: later.present == "cpu", timeout=WAIT_MS)
    assert measured.n == 1
    assert later.close()


def test_what_cannot_be_used_says_why(qtbot: QtBot):
    speeds = [ProviderSpeed("cpu", 31.4), ProviderSpeed("cuda", None, "libcudnn is missing")]
    desk = desk_on(None, Measured(speeds))
    desk.measure()
    wait_measured(qtbot, desk)
    assert desk.titles()["cuda"] == "NVIDIA card: libcudnn is missing"
    assert desk.titles()[FASTEST] == "Fastest: CPU, 31.4 ms a face"
    assert desk.close()


def test_measuring_that_fails_is_told_and_closing_does_not_wait_for_it(qtbot: QtBot):
    def fail(*args: object) -> list[ProviderSpeed]:
        raise ProviderError("ONNX Runtime cannot be imported")

    desk = ProviderDesk(SettingsStore(None), lambda: TITLES, fail, list, lambda networks: "v1")
    with qtbot.waitSignal(desk.told, timeout=WAIT_MS) as told:
        desk.measure()
    assert "ONNX Runtime cannot be imported" in told.args[0]
    assert desk.close()
    slow = Measured()
    slow.may.clear()
    other = desk_on(None, slow)
    other.measure()
    qtbot.waitUntil(lambda: slow.n == 1, timeout=WAIT_MS)
    assert other.is_measuring
    assert other.close()
    assert other._store.present.provider_ms == {}


class FellBack(FakeFitter):
    provider = "cpu (CPU instead of cuda: its libraries or driver are missing)"


@pytest.fixture
def open_session(qtbot: QtBot) -> Iterator[Callable[..., LiveSession]]:
    sessions: list[LiveSession] = []

    def open_window(providers: ProviderDesk, make_fitter: Callable[[], FakeFitter]) -> LiveSession:
        loaded = Loaded(
            lambda ctx: MeshRenderer(ctx, np.array([[0, 1, 2]], np.int32)),
            make_fitter,
            lambda spec: FakeSource(1_000_000, is_live=True),
            methods=Methods("landmarks", {"landmarks": ""}),
        )
        session = LiveSession(load=lambda tell: loaded, store=providers._store, providers=providers)
        sessions.append(session)
        session.window.resize(600, 420)
        session.start(Request("fake", "Fake source"))
        activate(qtbot, session)
        return session

    yield open_window
    close_all(sessions)


def test_choosing_the_fastest_in_the_menu_makes_the_fitter_anew(
    qtbot: QtBot, open_session: Callable[..., LiveSession]
):
    measured, made = Measured(), []
    desk = desk_on(None, measured)

    def make_fitter() -> FakeFitter:
        made.append(desk.present)
        return FakeFitter()

    session = open_session(desk, make_fitter)
    qtbot.waitUntil(lambda: made == ["auto"], timeout=WAIT_MS)
    measured.may.clear()
    session.window.change_settings(provider=FASTEST)
    qtbot.waitUntil(lambda: made == ["auto", "auto"], timeout=WAIT_MS)
    measured.may.set()
    qtbot.waitUntil(lambda: made == ["auto", "auto", "cuda"], timeout=WAIT_MS)
    session.window.menu_button.fill()
    texts = [
        inner.text()
        for action in session.window.menu_button.menu().actions()
        if action.menu() is not None
        for inner in action.menu().actions()
    ]
    assert "Fastest: NVIDIA card, 4.2 ms a face" in texts
    assert "Measure them now" in texts


def test_a_fall_back_is_in_sight_with_its_reason(
    qtbot: QtBot, open_session: Callable[..., LiveSession]
):
    session = open_session(desk_on(None, Measured()), FellBack)
    label = session.window._status.fallback
    qtbot.waitUntil(label.isVisible, timeout=WAIT_MS)
    assert label.text() == "CPU instead of cuda"
    assert "libraries or driver are missing" in label.toolTip()
