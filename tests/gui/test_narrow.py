"""Windows with little room: what must be at hand stays, and what is cut says so."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.method_menu import Methods
from app.qt import QLabel, QPoint, QRect, QToolButton, QWidget
from app.recording import RecordingDesk
from app.session import LiveSession, Loaded
from app.source_thread import Request
from app.view import State, Stats, View
from app.window_picture import window_picture
from engine.render.renderer import MeshRenderer, RenderMode
from tests.gui.windows import activate, close_all, wait_ended
from tests.live_fakes import FakeFitter, FakeSource, grey_frame, triangle_head

pytestmark = [pytest.mark.gui, pytest.mark.gl]

LONG = "a film with a very long name that somebody once gave it.mp4"
STAGES = ("crop", "normals", "n2fnet", "refine", "pose")

Open = Callable[[], LiveSession]


@pytest.fixture
def open_session(qtbot: QtBot, tmp_path: Path) -> Iterator[Open]:
    """Opens windows that record, with two methods against each other and every title long."""
    sessions: list[LiveSession] = []

    def open_window() -> LiveSession:
        names = ("landmarks-refined", "n2fnet-refined")
        loaded = Loaded(
            lambda ctx: MeshRenderer(ctx, np.array([[0, 1, 2]], np.int32)),
            FakeFitter,
            lambda spec: FakeSource(3),
            methods=Methods(names[0], dict.fromkeys(names, "")),
        )
        session = LiveSession(load=lambda tell: loaded, recording=RecordingDesk(tmp_path))
        sessions.append(session)
        session.start(Request("fake", LONG))
        activate(qtbot, session)
        wait_ended(qtbot, session)
        session.window.mode_actions[RenderMode.HEAD_NORMALS].trigger()
        session.window.method_button.compare_with(names[1])
        return session

    yield open_window
    close_all(sessions)


def place_in(window: QWidget, part: QWidget) -> QRect:
    """Where a part is in its window, px."""
    return QRect(part.mapTo(window, QPoint(0, 0)), part.size())


def resize(qtbot: QtBot, window: QWidget, width: int) -> None:
    window.resize(width, 600)
    qtbot.waitUntil(lambda: window.width() == width)
    qtbot.waitUntil(lambda: window.centralWidget().width() == width)


@pytest.mark.parametrize("width", [1180, 1000, 760, 560])
def test_record_and_menu_are_there_in_any_width(qtbot: QtBot, open_session: Open, width: int):
    window = open_session().window
    resize(qtbot, window, width)
    for button in (window.record_button, window.menu_button):
        qtbot.waitUntil(lambda b=button: b.isVisible() and not b.visibleRegion().isEmpty())
        assert window.rect().contains(place_in(window, button))
        assert button.visibleRegion().boundingRect() == button.rect()


def test_what_has_no_room_is_behind_an_arrow_that_can_be_seen(qtbot: QtBot, open_session: Open):
    window = open_session().window
    resize(qtbot, window, 760)
    arrows = window.findChildren(QToolButton, "qt_toolbar_ext_button")
    qtbot.waitUntil(lambda: sum(arrow.isVisible() for arrow in arrows) == 1)
    (arrow,) = (arrow for arrow in arrows if arrow.isVisible())
    picture = window_picture(arrow).astype(int)
    assert np.ptp(picture[2:-2, 2:-2].sum(axis=2)) > 300  # more than a grey block


def test_long_titles_are_cut_and_whole_in_the_tooltip(qtbot: QtBot, open_session: Open):
    window = open_session().window
    for button, title in (
        (window.source_button, LONG),
        (window.method_button, "Landmarks, refined / N2FNet, refined"),
    ):
        assert "…" in button.text()
        assert button.toolTip().startswith(title)


def test_the_status_line_ends_in_an_ellipsis_where_it_is_cut(qtbot: QtBot, open_session: Open):
    window = open_session().window
    stats = Stats(fps=16.0, stage_ms=dict.fromkeys(STAGES, 12.3))
    frame = grey_frame(0)
    window.show_view(
        View(State.PLAYING, "Sample clip", frame, (triangle_head(frame),), stats=stats)
    )
    left, right = (
        label
        for label in window.statusBar().findChildren(QLabel)
        if label.text().startswith(("Sample clip", "16 FPS"))
    )
    for width, is_cut in ((1180, False), (600, True)):
        resize(qtbot, window, width)
        qtbot.waitUntil(lambda c=is_cut: (right.seen != right.text()) is c)
        assert left.seen == "Sample clip  ·  64 x 48"
        assert window.rect().contains(place_in(window, right))
        assert right.toolTip() == (right.text() if is_cut else "")
    assert right.seen.endswith("…")
    assert right.text().endswith("trust 100 %")
