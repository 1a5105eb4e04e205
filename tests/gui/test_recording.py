"""Recording from the window: keys, indicator, what stays when it closes."""

from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from app.qt import QFileDialog, Qt
from app.recording import RecordingDesk
from app.session import LiveSession
from app.source_thread import Request
from app.told import Told
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
    banner = session.window.banner
    qtbot.waitUntil(lambda: "Privacy is on" in banner.text, timeout=WAIT_MS)
    assert banner.button.text() == "Close"  # another folder would not help
    qtbot.mouseClick(banner.button, Qt.MouseButton.LeftButton)
    assert "Privacy is on" not in banner.text


def test_a_take_that_cannot_be_written_is_told_until_another_folder_is_chosen(
    qtbot: QtBot, session: LiveSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").touch()
    session.recording.set_folder(tmp_path / "file" / "below")
    qtbot.keyClick(session.window, Qt.Key.Key_R)
    banner = session.window.banner
    qtbot.waitUntil(lambda: "choose another folder" in banner.text, timeout=WAIT_MS)
    n_painted = session.window.canvas.n_painted
    qtbot.waitUntil(lambda: session.window.canvas.n_painted > n_painted + 2, timeout=WAIT_MS)
    assert "choose another folder" in banner.text  # views that came since leave it there
    shown = (banner.button, banner.details, banner.close_button)
    assert [b.text() for b in shown] == ["Another folder…", "Details", "Close"]
    assert all(b.isVisible() for b in shown)
    for chosen in ("", str(tmp_path / "other")):
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args, to=chosen: to)
        qtbot.mouseClick(banner.button, Qt.MouseButton.LeftButton)
        assert ("choose another folder" in banner.text) == (chosen == "")
    assert session.recording.folder == tmp_path / "other"


def test_problems_are_read_one_after_the_other(qtbot: QtBot, session: LiveSession):
    banner = session.window.banner
    for told in (Told("one", is_problem=True, of_folder=True), Told("two", is_problem=True)):
        session.window._tell(told)
        session.window._tell(told)
    assert banner.text == "one"
    qtbot.mouseClick(banner.close_button, Qt.MouseButton.LeftButton)
    assert (banner.text, banner.close_button.isVisible()) == ("two", False)
    qtbot.mouseClick(banner.button, Qt.MouseButton.LeftButton)
    assert banner.text not in ("one", "two")


def test_a_folder_that_cannot_be_opened_is_told(qtbot: QtBot, session: LiveSession, tmp_path: Path):
    (tmp_path / "file").touch()
    session.recording.set_folder(tmp_path / "file" / "below")
    button = session.window.record_button
    button.fill()
    next(a for a in button.menu().actions() if a.text() == "Open the folder").trigger()
    assert "below cannot be made: Not a directory" in session.window.banner.text
