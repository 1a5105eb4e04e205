"""The comparison's window on fake methods: what each half shows, what is told, how it ends."""

from collections.abc import Callable, Iterator
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.compare_board import LEFT, RIGHT
from app.compare_live import CompareSession
from app.compare_window import Labels
from app.convergence_graph import ConvergenceGraph
from app.qt import QPointF, Qt
from app.scale_legend import ScaleLegend
from app.scrub_bar import Mark
from app.window_picture import window_picture
from app.wipe_widget import WipeSide, WipeWidget
from engine.compare.sides import LiveSide, Side
from engine.render.colour_scale import scale_colours
from engine.render.renderer import MeshRenderer, RenderMode
from tests.compare_fakes import (
    EndlessOptimiser,
    FakeOptimiser,
    UnusableOptimiser,
    slow_side,
    steps,
    told_steps,
)
from tests.gui.windows import activate, close_all
from tests.live_fakes import SIZE, FakeFitter, FakeSource, grey_frame, triangle_head, triangle_model

pytestmark = [pytest.mark.gui, pytest.mark.gl]

ONE_TRIANGLE = np.array([[0, 1, 2]], np.int32)
WAIT_MS = 60_000
FRAME_GREY = 128
N_FRAMES = 3

Open = Callable[[object], CompareSession]


@pytest.fixture
def open_session(qtbot: QtBot) -> Iterator[Open]:
    """Opens windows on a slow left and a live right side; nothing may stay after the test."""
    sessions: list[CompareSession] = []

    def open_window(make: object, *, sees_face: bool = True) -> CompareSession:
        def open_sides(source: object) -> tuple[Side, Side]:
            return slow_side(make), LiveSide("n2fnet", FakeFitter(sees_face=sees_face))

        session = CompareSession(
            triangle_model(),
            Labels("clip.mp4", ("slow", "n2fnet"), (True, False), 5.0),
            lambda: FakeSource(N_FRAMES),
            open_sides,
            lambda source: iter(source.read, None),
        )
        sessions.append(session)
        session.start()
        activate(qtbot, session, WAIT_MS)
        return session

    yield open_window
    close_all(sessions)
    assert not active_children()


def wait_for(qtbot: QtBot, met: Callable[[], bool]) -> None:
    qtbot.waitUntil(met, timeout=WAIT_MS)


def test_both_sides_are_shown_with_their_times_and_distance(qtbot: QtBot, open_session: Open):
    session = open_session(FakeOptimiser)
    window = session.window
    wait_for(qtbot, lambda: session.board.n_compared == N_FRAMES)
    wait_for(qtbot, lambda: "slow 3/3" in window.status_text)
    assert "slow  ·  offline, " in window.panels[LEFT].text
    assert "normals 7.5°" in window.panels[LEFT].text
    assert "offline" not in window.panels[RIGHT].text
    assert "no normals  ·  landmarks 1.0 %" in window.panels[RIGHT].text
    assert "mm apart, aligned" in window.distance.text()
    assert "0.7 mm as they stand" in window.distance.text()  # one corner of three by 2 mm
    assert window.graph.steps == steps()


def test_it_works_while_the_slow_side_still_computes(qtbot: QtBot, open_session: Open):
    session = open_session(EndlessOptimiser)
    window = session.window
    wait_for(qtbot, lambda: window.graph.steps == told_steps()[:1])
    wait_for(qtbot, lambda: "n2fnet 3/3" in window.status_text)
    assert "slow 0/3" in window.status_text
    assert "offline, computing\niteration 0 of 4" in window.panels[LEFT].text
    window.go(2)
    assert "offline, not computed yet" in window.panels[LEFT].text
    assert window.distance.text() == ""
    assert session.board.fits(RIGHT).keys() == {0, 1, 2}
    window.close()  # while it computes: the fixture sees that thread and process ended
    assert session.stopped_clean
    assert not active_children()


def test_a_method_that_cannot_be_used_is_told_in_the_window(qtbot: QtBot, open_session: Open):
    window = open_session(UnusableOptimiser).window
    wait_for(qtbot, lambda: "weights.npz does not exist" in window.banner.text)


def test_a_frame_without_a_face_is_said_to_have_none(qtbot: QtBot, open_session: Open):
    session = open_session(FakeOptimiser, sees_face=False)
    wait_for(qtbot, lambda: "slow 3/3" in session.window.status_text)
    assert session.window.distance.text() == "no face on both sides"
    assert "no face found" in session.window.panels[RIGHT].text


def test_keys_go_through_frames_modes_and_the_error_map(qtbot: QtBot, open_session: Open):
    session = open_session(FakeOptimiser)
    window = session.window
    wait_for(qtbot, lambda: session.board.n_compared == N_FRAMES)
    for key, position in (("Right", 1), ("Right", 2), ("Right", 2), ("Left", 1), ("Home", 0)):
        qtbot.keyClick(window, getattr(Qt.Key, f"Key_{key}"))
        assert window.position == position
    qtbot.keyClick(window, Qt.Key.Key_2)
    assert window.canvas.mode is RenderMode.WIREFRAME
    qtbot.keyClick(window, Qt.Key.Key_BracketRight)
    assert window.canvas.split == pytest.approx(0.55)
    assert window.legend.isHidden()
    qtbot.keyClick(window, Qt.Key.Key_E)
    assert not window.legend.isHidden()
    qtbot.keyClick(window, Qt.Key.Key_E)
    assert window.legend.isHidden()
    whole = window.canvas.shown
    qtbot.keyClick(window, Qt.Key.Key_Z)
    assert whole.shape == (SIZE[1], SIZE[0], 3)
    assert window.canvas.shown.shape == (900, 900, 3)
    qtbot.keyClick(window, Qt.Key.Key_Z)
    assert window.canvas.shown.shape == whole.shape
    qtbot.keyClick(window, Qt.Key.Key_Space)
    wait_for(qtbot, lambda: window.position == 2)
    wait_for(qtbot, lambda: window.position == 0)


def test_the_scrub_bar_goes_to_the_frame_under_the_mouse(qtbot: QtBot, open_session: Open):
    window = open_session(EndlessOptimiser).window
    wait_for(qtbot, lambda: "n2fnet 3/3" in window.status_text)
    place = QPointF(window.scrub.width() - 15, 10).toPoint()
    qtbot.mouseClick(window.scrub, Qt.MouseButton.LeftButton, pos=place)
    assert window.position == 2
    assert window.scrub.marks == (
        [Mark.AT_WORK, Mark.PENDING, Mark.PENDING],
        [Mark.DONE, Mark.DONE, Mark.DONE],
    )


@pytest.fixture
def wipe(qtbot: QtBot) -> WipeWidget:
    """A canvas that shows a grey picture, on the right with a head."""
    widget = WipeWidget(lambda ctx: MeshRenderer(ctx, ONE_TRIANGLE))
    qtbot.addWidget(widget)
    widget.resize(400, 300)
    frame = grey_frame(0)
    widget.set_opacity(1.0)
    widget.show_pair(frame.image, WipeSide(), WipeSide((triangle_head(frame),)))
    widget.show()
    wait_for(qtbot, lambda: widget.n_painted > 0)
    return widget


def colour_at(widget: WipeWidget, x: int, y: int) -> list[int]:
    colour = widget.grabFramebuffer().pixelColor(x, y)
    return [colour.red(), colour.green(), colour.blue()]


def is_grey(colour: list[int]) -> bool:
    return max(abs(channel - FRAME_GREY) for channel in colour) <= 1


def test_each_half_shows_its_side_and_the_line_is_between(wipe: WipeWidget):
    assert is_grey(colour_at(wipe, 185, 140))
    assert not is_grey(colour_at(wipe, 215, 140))
    assert colour_at(wipe, 200, 20) == [242, 242, 242]
    wipe.set_split(0.75)
    assert is_grey(colour_at(wipe, 215, 140))
    wipe.set_split(0.25)
    assert not is_grey(colour_at(wipe, 185, 140))


def test_dragging_moves_the_line_and_stops_at_the_edges(qtbot: QtBot, wipe: WipeWidget):
    told: list[float] = []
    wipe.split_changed.connect(told.append)
    place = QPointF(300, 150).toPoint()
    qtbot.mousePress(wipe, Qt.MouseButton.LeftButton, pos=place)
    assert wipe.split == pytest.approx(0.75)
    qtbot.mouseRelease(wipe, Qt.MouseButton.LeftButton, pos=place)
    wipe.set_split(1.7)
    assert wipe.split == 1.0
    assert told == [pytest.approx(0.75), 1.0]


def test_colours_that_stand_for_numbers_are_seen_as_they_are(qtbot: QtBot, wipe: WipeWidget):
    frame = grey_frame(0)
    colours = scale_colours(np.full(3, 2.5), 5.0)
    wipe.show_pair(frame.image, WipeSide(), WipeSide((triangle_head(frame),), colours))
    expected = np.rint(255 * colours[0])
    # The triangle faces the camera: its middle is hardly darkened.
    assert colour_at(wipe, 215, 140) == pytest.approx(expected, abs=4)


def test_it_draws_on_after_many_sizes(qtbot: QtBot, wipe: WipeWidget):
    for width in range(120, 420, 20):
        wipe.resize(width, 300)
        painted = wipe.n_painted
        wipe.update()
        wait_for(qtbot, lambda painted=painted: wipe.n_painted > painted)
    wipe.resize(400, 300)
    assert is_grey(colour_at(wipe, 185, 140))
    assert not is_grey(colour_at(wipe, 215, 140))


def test_the_window_is_photographed(tmp_path: Path, qtbot: QtBot, open_session: Open):
    session = open_session(FakeOptimiser)
    wait_for(qtbot, lambda: session.board.n_compared == N_FRAMES)
    picture = session.window.picture()
    assert picture.shape == (session.window.height(), session.window.width(), 3)
    assert picture.std() > 10


def test_the_graph_falls_from_its_upper_left_to_its_lower_right(qtbot: QtBot):
    graph = ConvergenceGraph()
    qtbot.addWidget(graph)
    graph.resize(600, 118)
    graph.show_steps("slow", steps(), "")
    drawn = window_picture(graph).astype(int)
    # Energy is 8 at the first and 1 at the last step; the axis ends below, at the least term.
    is_line = np.abs(drawn - [232, 232, 232]).max(axis=2) < 30
    rows = [np.flatnonzero(is_line[22:98, x]) for x in (60, 570)]
    assert rows[0].max() < 12
    assert 35 < rows[1].min() < 65


def test_a_graph_of_nothing_says_so(qtbot: QtBot):
    graph = ConvergenceGraph()
    qtbot.addWidget(graph)
    graph.resize(600, 118)
    graph.show_steps("slow", (), "not computed yet")
    empty = window_picture(graph)[22:98].copy()
    graph.show_steps("slow", steps(), "")
    assert (window_picture(graph)[22:98] != empty).any()
    assert empty.std() > 1.0


def test_the_legend_runs_from_dark_blue_to_yellow(qtbot: QtBot, wipe: WipeWidget):
    legend = ScaleLegend(5.0, wipe)
    row = window_picture(legend)[15].astype(int)
    assert row[12] == pytest.approx([68, 1, 84], abs=10)
    assert row[-13] == pytest.approx([253, 231, 37], abs=10)
