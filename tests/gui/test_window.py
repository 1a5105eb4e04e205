"""The window on a fake source and fitter: what is on the screen, what keys do, how it ends."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.commands import Commands
from app.main_window import MainWindow
from app.method_menu import Methods
from app.qt import Qt
from app.scale_legend import ScaleLegend
from app.session import LiveSession
from app.source_menu import sample_request
from app.source_thread import Request
from app.stage_legend import ClassLegend
from app.view import State, View
from app.window_picture import window_picture
from engine.errors import CaptureError
from engine.io.source import Source
from engine.render.overlay import DEFAULT_OPACITY
from engine.render.prediction import PARSING_RGB, PredictionMode
from engine.render.renderer import MeshRenderer, RenderMode
from engine.types import Frame, NormalMap, Reconstruction
from tests.gui.windows import WAIT_MS, activate, close_all, wait_ended, wait_painted
from tests.live_fakes import SIZE, FakeFitter, FakeSource, grey_frame, triangle_head

pytestmark = [pytest.mark.gui, pytest.mark.gl]

ONE_TRIANGLE = np.array([[0, 1, 2]], np.int32)
FRAME_GREY = 128

Open = Callable[[Callable[[str], Source], FakeFitter], LiveSession]


@pytest.fixture
def open_session(qtbot: QtBot) -> Iterator[Open]:
    """Opens windows and closes them after the test; no thread may stay."""
    sessions: list[LiveSession] = []

    def open_window(open_source: Callable[[str], Source], fitter: FakeFitter) -> LiveSession:
        def make_renderer(ctx: object) -> MeshRenderer:
            return MeshRenderer(ctx, ONE_TRIANGLE)

        methods = Methods("n2fnet", {"landmarks": "", "n2fnet": "", "n2fnet-refined": "no file"})
        sessions.append(LiveSession(make_renderer, lambda: fitter, open_source, methods=methods))
        sessions[-1].start(Request("fake", "Fake source"))
        activate(qtbot, sessions[-1])
        return sessions[-1]

    yield open_window
    close_all(sessions)


def canvas_centre(session: LiveSession) -> np.ndarray:
    """(3,) RGB in the middle of the picture."""
    image = session.window.canvas.grabFramebuffer()
    colour = image.pixelColor(image.width() // 2, image.height() // 2)
    return np.array([colour.red(), colour.green(), colour.blue()])


def test_the_frame_is_shown_as_it_is_where_there_is_no_face(qtbot: QtBot, open_session: Open):
    session = open_session(lambda spec: FakeSource(3), FakeFitter(sees_face=False))
    wait_ended(qtbot, session)
    # Photo pixels go through untouched; scaling a flat picture changes nothing.
    assert canvas_centre(session).tolist() == [FRAME_GREY] * 3
    assert f"{SIZE[0]} x {SIZE[1]}" in session.window.status_text


def test_number_keys_choose_the_mode_and_change_the_picture(qtbot: QtBot, open_session: Open):
    session = open_session(lambda spec: FakeSource(3), FakeFitter())
    wait_ended(qtbot, session)
    window = session.window
    qtbot.keyClick(window, Qt.Key.Key_BracketRight)
    qtbot.keyClick(window, Qt.Key.Key_BracketRight)
    assert window.canvas.opacity == 1.0
    seen = {}
    for key, mode in zip("123456", RenderMode, strict=True):
        qtbot.keyClick(window, key)
        assert window.canvas.mode is mode
        assert window.mode_actions[mode].isChecked()
        wait_painted(qtbot, session)
        seen[mode] = canvas_centre(session)
    # The triangle faces the camera with the head upright, so its normal (0, 0, 1) has one colour.
    assert np.abs(seen[RenderMode.VIEW_NORMALS] - (128, 128, 255)).max() <= 2  # rounding
    assert np.abs(seen[RenderMode.HEAD_NORMALS] - (128, 128, 255)).max() <= 2
    assert seen[RenderMode.SHADED].tolist() != seen[RenderMode.VIEW_NORMALS].tolist()


def test_predicted_maps_are_shown_over_the_photo(qtbot: QtBot, open_session: Open):
    class SeesNormals(FakeFitter):
        def run_all(self, frame: Frame) -> list[Reconstruction]:
            normals = np.zeros((16, 16, 3), np.float32)
            normals[..., 0] = 1
            ones = np.ones((16, 16), np.float32)
            seen = NormalMap(None, normals, ones, ones, None, np.eye(2, 3) * 0.25)
            return [replace(triangle_head(frame), normals=seen)]

    session = open_session(lambda spec: FakeSource(3), SeesNormals())
    wait_ended(qtbot, session)
    window = session.window
    for key, mode in zip("789", list(PredictionMode)[:3], strict=True):
        qtbot.keyClick(window, key)
        assert window.canvas.mode is mode
        assert window.view_button.text() == window.mode_actions[mode].text().removesuffix(" frame")
        wait_painted(qtbot, session)
        if mode is PredictionMode.HEAD_NORMALS:  # the network gives none
            assert canvas_centre(session).tolist() == [FRAME_GREY] * 3
        if mode is PredictionMode.VIEW_NORMALS:
            # Right is (255, 128, 128), with the default opacity over the grey frame.
            red = FRAME_GREY + DEFAULT_OPACITY * (255 - FRAME_GREY)
            assert np.abs(canvas_centre(session) - (red, 128, 128)).max() <= 2
    assert canvas_centre(session)[1] > FRAME_GREY + 40  # the mask is green
    qtbot.keyClick(window, "1")
    assert window.view_button.text() == "Shaded"


def test_legends_say_what_the_colours_of_maps_stand_for(qtbot: QtBot, open_session: Open):
    session = open_session(lambda spec: FakeSource(3), FakeFitter())
    wait_ended(qtbot, session)
    window = session.window
    window.resize(760, 560)
    assert window.stage.legend.shown is None
    qtbot.keyClick(window, "9")
    classes = window.stage.legend.shown
    assert isinstance(classes, ClassLegend)
    assert classes.isVisible()
    assert dict(classes.classes)["skin"] == PARSING_RGB["skin"]
    assert [rgb for _, rgb in classes.classes] == list(PARSING_RGB.values())[1:]
    picture = window_picture(classes)
    for row, (_, rgb) in enumerate(classes.classes):
        assert picture[10 + 19 * row + 9, 16].tolist() == list(rgb)  # the middle of its square
    assert window.stage.rect().contains(classes.geometry())
    qtbot.keyClick(window, "0")
    scale = window.stage.legend.shown
    assert isinstance(scale, ScaleLegend)
    assert scale.isVisible()
    assert not classes.isVisible()
    assert scale.unit == "°"
    row = window_picture(scale)[15].astype(int)
    assert np.abs(row[10] - (68, 1, 84)).max() <= 2  # violet: no angle; half a pixel
    assert np.abs(row[-11] - (253, 231, 37)).max() <= 2  # yellow: 40 degrees
    qtbot.keyClick(window, "a")  # the avatar has no maps
    assert not scale.isVisible()
    qtbot.keyClick(window, "a")
    assert scale.isVisible()
    qtbot.keyClick(window, "1")
    assert not scale.isVisible()


def test_without_a_network_its_maps_are_grey_and_say_why(qtbot: QtBot):
    def make_renderer(ctx: object) -> MeshRenderer:
        return MeshRenderer(ctx, ONE_TRIANGLE)

    window = MainWindow(
        make_renderer, Commands(lambda r: None, lambda p: None, lambda: None), "none is shipped"
    )
    qtbot.addWidget(window)
    for mode in PredictionMode:
        assert not window.mode_actions[mode].isEnabled()
        assert "none is shipped" in window.mode_actions[mode].toolTip()
    assert "none is shipped" in window.view_button.toolTip()
    assert window.mode_actions[RenderMode.SHADED].isEnabled()


def test_bracket_keys_change_the_opacity_in_steps_and_stop_at_the_ends(
    qtbot: QtBot, open_session: Open
):
    session = open_session(lambda spec: FakeSource(3), FakeFitter())
    wait_ended(qtbot, session)
    window = session.window
    for _ in range(12):
        qtbot.keyClick(window, Qt.Key.Key_BracketLeft)
    wait_painted(qtbot, session)
    assert window.canvas.opacity == 0.0
    assert canvas_centre(session).tolist() == [FRAME_GREY] * 3
    qtbot.keyClick(window, Qt.Key.Key_BracketRight)
    assert window.canvas.opacity == pytest.approx(0.1)


def test_mirror_shows_the_other_half_on_the_left(qtbot: QtBot, open_session: Open):
    class HalfWhite(FakeSource):
        def read(self) -> Frame | None:
            frame = super().read()
            if frame is None:
                return None
            image = frame.image.copy()
            image[:, : SIZE[0] // 2] = 255
            image[:, SIZE[0] // 2 :] = 0
            return Frame(image, frame.index, frame.t_ns)

    def quarter(session: LiveSession) -> int:
        image = session.window.canvas.grabFramebuffer()
        return image.pixelColor(image.width() // 4, image.height() // 2).red()

    session = open_session(lambda spec: HalfWhite(3), FakeFitter(sees_face=False))
    wait_ended(qtbot, session)
    assert quarter(session) == 255
    qtbot.keyClick(session.window, Qt.Key.Key_M)
    wait_painted(qtbot, session)
    assert quarter(session) == 0


def test_a_banner_says_that_no_face_is_found_and_goes_when_one_is(qtbot: QtBot, open_session: Open):
    fitter = FakeFitter(sees_face=False)
    session = open_session(lambda spec: FakeSource(100_000, is_live=True), fitter)
    banner = session.window.banner
    qtbot.waitUntil(lambda: "No face" in banner.text, timeout=WAIT_MS)
    fitter.sees_face = True
    qtbot.waitUntil(lambda: banner.text == "", timeout=WAIT_MS)


def test_a_failing_source_is_named_with_its_remedy_and_can_be_tried_again(
    qtbot: QtBot, open_session: Open
):
    opened = []

    def open_source(spec: str) -> Source:
        opened.append(spec)
        if len(opened) == 1:
            raise CaptureError("webcam:0 is in use by another program; close it")
        return FakeSource(3)

    session = open_session(open_source, FakeFitter())
    window = session.window
    qtbot.waitUntil(lambda: "in use by another program" in window.banner.text, timeout=WAIT_MS)
    assert "failed" in window.status_text
    qtbot.mouseClick(window.banner.button, Qt.MouseButton.LeftButton)
    wait_ended(qtbot, session)
    assert window.banner.text == ""
    assert opened == ["fake", "fake"]


def test_an_unexpected_error_is_told_and_try_again_goes_on(qtbot: QtBot, open_session: Open):
    fitter = FakeFitter(sees_face=False)
    broken = [True]

    def fail_once(frame: Frame) -> None:
        if broken:
            broken.pop()
            raise np.linalg.LinAlgError("SVD did not converge")

    fitter.before_run = fail_once
    session = open_session(lambda spec: FakeSource(3), fitter)
    window = session.window
    qtbot.waitUntil(lambda: "SVD did not converge" in window.banner.text, timeout=WAIT_MS)
    qtbot.mouseClick(window.banner.button, Qt.MouseButton.LeftButton)
    wait_ended(qtbot, session)
    assert fitter.events[-1] == "run 2"


def test_a_camera_is_mirrored_at_first_and_a_file_is_not(qtbot: QtBot, open_session: Open):
    session = open_session(lambda spec: FakeSource(3), FakeFitter())
    session.window.open(Request("webcam:0", "A camera"))
    assert session.window.canvas.mirrored
    session.window.open(sample_request())
    assert not session.window.canvas.mirrored


def test_space_pauses_and_goes_on(qtbot: QtBot, open_session: Open):
    session = open_session(lambda spec: FakeSource(100_000, is_live=True), FakeFitter())
    qtbot.waitUntil(lambda: session.window.canvas.n_painted > 0, timeout=WAIT_MS)
    qtbot.keyClick(session.window, Qt.Key.Key_Space)
    assert session.window.pause_action.isChecked()
    qtbot.keyClick(session.window, Qt.Key.Key_Space)
    before = session.window.canvas.n_painted
    qtbot.waitUntil(lambda: session.window.canvas.n_painted > before, timeout=WAIT_MS)


def test_many_views_cost_one_waiting_poke(qtbot: QtBot, open_session: Open):
    session = open_session(lambda spec: FakeSource(1), FakeFitter())
    wait_ended(qtbot, session)
    shown: list[View] = []
    session.on_view = shown.append
    frame = grey_frame(0)
    # The GUI thread is here, so nothing is taken out meanwhile.
    for fps in range(100):
        faces = (triangle_head(frame),)
        session.publish(View(State.PLAYING, f"view {fps}", frame, faces))
    qtbot.waitUntil(lambda: bool(shown), timeout=WAIT_MS)
    qtbot.wait(1)  # lets any further poke through
    assert [view.source for view in shown] == ["view 99"]


@pytest.mark.parametrize("key", [Qt.Key.Key_Q, Qt.Key.Key_Escape])
def test_quit_key_while_live_closes_the_source_on_its_thread(
    qtbot: QtBot, open_session: Open, key: Qt.Key
):
    source = FakeSource(100_000, is_live=True)
    session = open_session(lambda spec: source, FakeFitter())
    qtbot.waitUntil(lambda: session.window.canvas.n_painted > 2, timeout=WAIT_MS)
    qtbot.keyClick(session.window, key)
    assert not session.window.isVisible()
    assert session.stopped_clean
    assert source.closed_in == "n2f-source"


def test_resizing_while_live_keeps_drawing(qtbot: QtBot, open_session: Open):
    session = open_session(lambda spec: FakeSource(1_000_000, is_live=True), FakeFitter())
    qtbot.waitUntil(lambda: session.window.canvas.n_painted > 0, timeout=WAIT_MS)
    for step in range(20):
        session.window.resize(600 + 20 * step, 500 + 10 * step)
        wait_painted(qtbot, session)
    assert canvas_centre(session).tolist() != [0, 0, 0]


def test_frames_of_another_size_take_the_place_of_the_former(qtbot: QtBot, open_session: Open):
    session = open_session(lambda spec: FakeSource(3), FakeFitter())
    wait_ended(qtbot, session)
    for width, height in ((32, 96), (640, 480), (64, 48)):
        frame = Frame(np.full((height, width, 3), 50 + width // 8, np.uint8), 0, 0)
        session.publish(View(State.PLAYING, "x", frame))
        qtbot.waitUntil(
            lambda size=f"{width} x {height}": size in session.window.status_text, timeout=WAIT_MS
        )
        wait_painted(qtbot, session)
        assert canvas_centre(session).tolist() == [50 + width // 8] * 3


def test_the_windows_picture_has_the_canvas_in_it(qtbot: QtBot, open_session: Open):
    session = open_session(lambda spec: FakeSource(3), FakeFitter(sees_face=False))
    wait_ended(qtbot, session)
    picture = session.window.picture()
    assert picture.shape[:2] == (session.window.height(), session.window.width())
    assert picture[picture.shape[0] // 2, picture.shape[1] // 2].tolist() == [FRAME_GREY] * 3


def test_f_changes_the_method_and_leaves_out_what_cannot_be_used(qtbot: QtBot, open_session: Open):
    fitter = FakeFitter()
    session = open_session(lambda spec: FakeSource(2), fitter)
    wait_ended(qtbot, session)
    window = session.window
    assert (window.method, window.method_button.text()) == ("n2fnet", "N2FNet")
    refined = window.method_button.actions_by_name["n2fnet-refined"]
    assert not refined.isEnabled()
    assert refined.toolTip() == "no file"
    qtbot.keyClick(window, Qt.Key.Key_F)
    assert (window.method, window.method_button.text()) == ("landmarks", "Landmarks")
    window.open(Request("again", "Again"))
    qtbot.waitUntil(lambda: fitter.events.count("run 1") == 2, timeout=WAIT_MS)
    assert "use landmarks" in fitter.events
    qtbot.keyClick(window, Qt.Key.Key_F)
    assert window.method == "n2fnet"
