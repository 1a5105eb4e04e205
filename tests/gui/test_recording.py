"""Recording from the window: keys, indicator, what stays when it closes."""

from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from app.qt import Qt
from app.recording import RecordingDesk
from app.session import LiveSession
from app.source_thread import Request
from engine.render.renderer import MeshRenderer
from tests.live_fakes import FakeFitter, FakeSource, triangle_model

pytestmark = [pytest.mark.gui, pytest.mark.gl]

MODEL = triangle_model()
WAIT_MS = 20_000


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path) -> Iterator[LiveSession]:
    desk = RecordingDesk(tmp_path)
    desk.equip(MODEL)
    made = LiveSession(
        lambda ctx: MeshRenderer(ctx, MODEL.faces),
        FakeFitter,
        lambda spec: FakeSource(10_000_000, is_live=True),
        recording=desk,
    )
    made.start(Request("fake", "Fake source"))
    qtbot.addWidget(made.window)
    with qtbot.waitActive(made.window, timeout=WAIT_MS):
        made.window.activateWindow()
    qtbot.waitUntil(lambda: made.window.canvas.n_painted > 0, timeout=WAIT_MS)
    yield made
    made.window.close()
    assert made.stopped_clean


def films(folder: Path) -> list[Path]:
    return sorted(folder.glob("n2f-*.mp4"))


def test_r_records_shows_that_it_does_and_saves(qtbot: QtBot, session: LiveSession, tmp_path: Path):
    button = session.window.record_button
    assert button.text() == "Record"
    qtbot.keyClick(session.window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: "MB" in button.text(), timeout=WAIT_MS)
    assert button.text().startswith("● 0:0")
    assert button.property("recording") is True
    qtbot.keyClick(session.window, Qt.Key.Key_R)
    message = session.window.statusBar().currentMessage
    qtbot.waitUntil(lambda: message().startswith("Saved"), timeout=WAIT_MS)
    assert button.text() == "Record"
    (film,) = films(tmp_path)
    with av.open(str(film)) as container:
        assert container.streams.video[0].frames > 0


def test_s_saves_a_picture(qtbot: QtBot, session: LiveSession, tmp_path: Path):
    qtbot.keyClick(session.window, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: any(tmp_path.glob("n2f-*.png")), timeout=WAIT_MS)
    (picture,) = tmp_path.glob("n2f-*.png")
    with Image.open(picture) as image:
        assert image.size == (64, 48)


def test_closing_the_window_finishes_the_film(qtbot: QtBot, session: LiveSession, tmp_path: Path):
    qtbot.keyClick(session.window, Qt.Key.Key_R)
    button = session.window.record_button
    qtbot.waitUntil(lambda: "MB" in button.text(), timeout=WAIT_MS)
    session.window.close()
    assert session.stopped_clean
    (film,) = films(tmp_path)
    with av.open(str(film)) as container:
        assert container.streams.video[0].frames > 0
    assert not list(tmp_path.glob(".*"))


def test_the_menu_offers_contents_privacy_and_receivers(qtbot: QtBot, session: LiveSession):
    button = session.window.record_button
    button.fill()
    titles = [action.text() for action in button.menu().actions()]
    assert "Privacy: parameters alone, no pictures" in titles
    privacy = next(a for a in button.menu().actions() if a.text().startswith("Privacy"))
    privacy.setChecked(True)
    assert session.window.store.present.private is True
    qtbot.keyClick(session.window, Qt.Key.Key_S)
    message = session.window.statusBar().currentMessage
    qtbot.waitUntil(lambda: "Privacy is on" in message(), timeout=WAIT_MS)
