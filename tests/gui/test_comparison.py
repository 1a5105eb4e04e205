"""Two methods against each other in the live window: on one frame, with a line or side by side."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from app.method_menu import Methods
from app.qt import QPoint, Qt
from app.recording import RecordingDesk
from app.session import LiveSession, Loaded
from app.settings import SettingsStore
from app.source_thread import Request
from app.stage import side_text
from engine.frames import default_camera
from engine.pipeline import SeenFrame
from engine.render.renderer import MeshRenderer, RenderMode
from engine.render.trust_mark import AMBER
from engine.types import Frame, Reconstruction
from tests.gui.windows import WAIT_MS, activate, close_all
from tests.live_fakes import SIZE, FakeFitter, FakeSource, triangle_head, triangle_model

pytestmark = [pytest.mark.gui, pytest.mark.gl]

GREY = 128
METHODS = Methods("n2fnet", {"landmarks": "", "n2fnet": "", "n2fnet-refined": "no file"})


class TwoFitters(FakeFitter):
    """The first method sees a head, the second one sees none."""

    method, rival = "n2fnet", ""
    quality = 1.0

    def use(self, method: str) -> None:
        super().use(method)
        self.method = method

    def compare_with(self, method: str) -> None:
        self.events.append(f"against {method}")
        self.rival = method

    def see(self, frame: Frame) -> SeenFrame:
        self.events.append(f"see {frame.index}")
        return SeenFrame(frame, default_camera(*SIZE), (), (), 1, (), ())

    def fit_seen(self, seen: SeenFrame) -> list[Reconstruction]:
        return [triangle_head(seen.frame, quality=self.quality)]

    def fit_rivals(self, seen: SeenFrame) -> list[Reconstruction]:
        self.events.append(f"rival {seen.frame.index}")
        return []

    def forget_places(self) -> None:
        """Nothing is known."""

    def forget_people(self) -> None:
        """Nobody is known."""


Open = Callable[..., tuple[LiveSession, TwoFitters]]


@pytest.fixture
def open_session(qtbot: QtBot) -> Iterator[Open]:
    sessions: list[LiveSession] = []

    def open_window(
        store: SettingsStore | None = None,
        recording: RecordingDesk | None = None,
        quality: float = 1.0,
    ) -> tuple[LiveSession, TwoFitters]:
        fitter = TwoFitters()
        fitter.quality = quality
        loaded = Loaded(
            lambda ctx: MeshRenderer(ctx, np.array([[0, 1, 2]], np.int32)),
            lambda: fitter,
            lambda spec: FakeSource(1_000_000, is_live=True),
            methods=METHODS,
        )
        session = LiveSession(load=lambda tell: loaded, store=store, recording=recording)
        sessions.append(session)
        session.window.resize(640, 480)
        session.start(Request("fake", "Fake source"))
        activate(qtbot, session)
        stage = session.window.stage
        painted = (stage.canvas, stage.wipe)
        qtbot.waitUntil(lambda: any(c.n_painted for c in painted), timeout=WAIT_MS)
        return session, fitter

    yield open_window
    close_all(sessions)


def wait_compared(qtbot: QtBot, session: LiveSession) -> None:
    wipe = session.window.stage.wipe
    qtbot.waitUntil(lambda: session.window.stage.in_comparison, timeout=WAIT_MS)
    before = wipe.n_painted
    qtbot.waitUntil(lambda: wipe.n_painted > before + 1, timeout=WAIT_MS)


def colour_at(session: LiveSession, across: float, down: float = 0.5) -> np.ndarray:
    """(3,) RGB at a place 0..1 of the wipe."""
    image = session.window.stage.wipe.grabFramebuffer()
    at = (int(across * (image.width() - 1)), int(down * (image.height() - 1)))
    colour = image.pixelColor(*at)
    return np.array([colour.red(), colour.green(), colour.blue()])


def is_photo(colour: np.ndarray) -> bool:
    """The live fake's grey changes by one from frame to frame."""
    return bool(np.abs(colour - GREY).max() <= 1)


def test_b_shows_a_second_method_on_the_same_frames_and_ends_it(qtbot: QtBot, open_session: Open):
    session, fitter = open_session()
    window, seen = session.window, []
    qtbot.keyClick(window, "b")
    wait_compared(qtbot, session)
    assert fitter.rival == "landmarks"
    assert window.method_button.text() == "N2FNet / Landmarks"
    # Left of the line the first method's head, right of it the photo, as the second sees none.
    assert not is_photo(colour_at(session, 0.45))
    assert is_photo(colour_at(session, 0.55))
    session.on_view = seen.append
    qtbot.waitUntil(lambda: len(seen) > 2, timeout=WAIT_MS)
    session.on_view = lambda view: None
    for view in seen:
        assert (view.method, view.rival) == ("n2fnet", "landmarks")
        assert view.faces[0].frame_index == view.frame.index
        assert f"rival {view.frame.index}" in fitter.events
        assert fitter.events.count(f"see {view.frame.index}") == 1  # looked at once for both
    qtbot.waitUntil(lambda: "6.0 ms" in window.stage.sides[0].text(), timeout=WAIT_MS)
    assert window.stage.sides[0].text() == "N2FNet  ·  6.0 ms  ·  trust 100 %"
    assert window.stage.sides[1].text() == "Landmarks  ·  no face"
    qtbot.keyClick(window, "b")
    qtbot.waitUntil(lambda: not window.stage.in_comparison, timeout=WAIT_MS)
    assert fitter.rival == ""
    assert window.method_button.text() == "N2FNet"
    assert not window.stage.sides[0].isVisible()


def test_the_line_is_dragged_and_the_age_is_still_measured(qtbot: QtBot, open_session: Open):
    session, _ = open_session()
    window = session.window
    qtbot.keyClick(window, "b")
    wait_compared(qtbot, session)
    wipe = window.stage.wipe
    qtbot.mousePress(
        wipe, Qt.MouseButton.LeftButton, pos=QPoint(wipe.width() // 3, wipe.height() // 2)
    )
    wait_compared(qtbot, session)
    assert wipe.split == pytest.approx(1 / 3, abs=0.05)
    assert is_photo(colour_at(session, 0.45))
    window.canvas.shown_meter.restart()
    wait_compared(qtbot, session)
    assert window.canvas.shown_meter.n_shown > 0


def test_keys_move_the_line_as_the_mouse_does(qtbot: QtBot, open_session: Open):
    session, _ = open_session()
    window, wipe = session.window, session.window.stage.wipe
    qtbot.keyClick(window, ",")  # there is no line yet
    assert wipe.split == 0.5
    qtbot.keyClick(window, "b")
    wait_compared(qtbot, session)
    for _ in range(3):
        qtbot.keyClick(window, ",")
    assert wipe.split == pytest.approx(0.35)
    wait_compared(qtbot, session)
    assert is_photo(colour_at(session, 0.45))  # it was left of the line, where the head is
    qtbot.keyClick(window, ".")
    assert wipe.split == pytest.approx(0.4)
    session.window.change_settings(beside=True)
    qtbot.keyClick(window, ".")
    assert wipe.split == pytest.approx(0.4)


def test_side_by_side_shows_both_whole(qtbot: QtBot, open_session: Open):
    session, _ = open_session()
    session.window.change_settings(beside=True)
    qtbot.keyClick(session.window, "b")
    wait_compared(qtbot, session)
    assert not is_photo(colour_at(session, 0.25))  # the middle of the left half: the head
    assert is_photo(colour_at(session, 0.75))
    assert is_photo(colour_at(session, 0.03))


def saved_picture(qtbot: QtBot, session: LiveSession, folder: Path) -> np.ndarray:
    """What S saves."""
    before = set(folder.glob("n2f-*.png"))
    qtbot.keyClick(session.window, "s")
    message = session.window.statusBar().currentMessage
    qtbot.waitUntil(
        lambda: set(folder.glob("n2f-*.png")) > before and message().startswith("Saved"),
        timeout=WAIT_MS,
    )
    session.window.statusBar().clearMessage()
    (path,) = set(folder.glob("n2f-*.png")) - before
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("quality", [1.0, 0.4])
def test_s_saves_both_methods_and_marks_a_doubtful_one(
    qtbot: QtBot, open_session: Open, tmp_path: Path, quality: float
):
    desk = RecordingDesk(tmp_path)
    desk.equip(triangle_model())
    session, _ = open_session(recording=desk, quality=quality)
    session.window.change_settings(fade_by_trust=False)
    qtbot.keyClick(session.window, "b")
    wait_compared(qtbot, session)
    picture = saved_picture(qtbot, session, tmp_path)
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    middle = picture[22:26]
    assert not is_photo(middle[:, 27].astype(int))  # left of the line the first method's head
    assert is_photo(middle[:, 36].astype(int))  # right of it the photo
    assert (picture[0] == AMBER).all() == (quality < 0.5)
    written = picture[1:5].astype(int)  # over both sides, as small as such a picture asks for
    assert not is_photo(written[:, 2:25])
    assert not is_photo(written[:, 40:62])
    assert is_photo(picture[40:44, 2:5].astype(int))
    assert is_photo(picture[40:44, -5:-2].astype(int))
    session.window.change_settings(beside=True)
    wait_compared(qtbot, session)
    both = saved_picture(qtbot, session, tmp_path)
    assert both.shape == (SIZE[1], 2 * SIZE[0], 3)
    assert not is_photo(both[24, 32].astype(int))
    assert is_photo(both[24, 64 + 32].astype(int))


def test_modes_opacity_and_mirror_reach_both_sides(qtbot: QtBot, open_session: Open):
    session, _ = open_session()
    window = session.window
    for key in ("b", "4", "m", "]", "]"):
        qtbot.keyClick(window, key)
    wait_compared(qtbot, session)
    wipe = window.stage.wipe
    assert wipe.mode is RenderMode.VIEW_NORMALS
    assert wipe.opacity == 1.0
    assert wipe.mirrored
    assert np.abs(colour_at(session, 0.45) - (128, 128, 255)).max() <= 2  # it faces the camera


def test_the_avatar_is_of_the_first_method_alone(qtbot: QtBot, open_session: Open):
    session, _ = open_session()
    window = session.window
    qtbot.keyClick(window, "b")
    wait_compared(qtbot, session)
    qtbot.keyClick(window, "a")
    assert not window.stage.in_comparison
    qtbot.keyClick(window, "a")
    wait_compared(qtbot, session)


def test_a_comparison_is_there_in_the_next_window_if_it_can_be(qtbot: QtBot, open_session: Open):
    store = SettingsStore(None)
    store.change(against="landmarks")
    session, fitter = open_session(store)
    wait_compared(qtbot, session)
    assert fitter.rival == "landmarks"
    other = SettingsStore(None)
    other.change(against="n2fnet-refined")  # there is no file for it
    session, fitter = open_session(other)
    assert session.window.against == ""
    assert "against n2fnet-refined" not in fitter.events


def test_two_stages_at_a_time_compare_too(qtbot: QtBot, open_session: Open):
    store = SettingsStore(None)
    store.change(against="landmarks", pipelined=True)
    session, fitter = open_session(store)
    wait_compared(qtbot, session)
    shown = session.window.view
    assert (shown.method, shown.rival) == ("n2fnet", "landmarks")
    assert f"rival {shown.frame.index}" in fitter.events
    assert not [event for event in fitter.events if event.startswith("run")]


def test_a_methods_time_leaves_out_what_it_has_no_need_of():
    frame = Frame(np.zeros((48, 64, 3), np.uint8), 0, 0)
    head = triangle_head(frame)
    head.stage_ms["normals"] = 30.0
    assert side_text("landmarks", (head,)) == "Landmarks  ·  6.0 ms  ·  trust 100 %"
    assert side_text("n2fnet", (head,)) == "N2FNet  ·  36.0 ms  ·  trust 100 %"
