"""What makes the window a product: avatar, display, sheets, settings, loading, bad sources."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.camera_desk import camera_named
from app.camera_watch import CameraWatch
from app.dialogs import AboutDialog, DetailsDialog, ShortcutSheet
from app.method_menu import Methods
from app.models_dialog import ModelsDialog
from app.orbit import Orbit
from app.persons import Persons
from app.qt import (
    QApplication,
    QDialog,
    QMainWindow,
    QMenu,
    QMessageBox,
    QPalette,
    QPoint,
    Qt,
)
from app.session import LiveSession, Loaded
from app.settings import Settings, SettingsStore
from app.source_menu import present_spec, remembered_request
from app.source_thread import Request
from app.steadier import Steadier
from app.view import View
from engine.errors import AssetError, CaptureError
from engine.flame.cache import import_flame
from engine.io.assets import Asset, load_manifest
from engine.io.camera import CameraInfo
from engine.render.prediction import PredictionMode
from engine.render.renderer import MeshRenderer, RenderMode
from engine.types import Frame, NormalMap, Reconstruction
from tests.bumpy_head import bumpy_head
from tests.flame_files import flame_content, write_flame_pickle
from tests.gui.windows import (
    WAIT_MS,
    LoopProbe,
    activate,
    close_all,
    wait_ended,
    wait_painted,
)
from tests.live_fakes import FakeFitter, FakeSource, grey_frame, triangle_head, triangle_model

pytestmark = [pytest.mark.gui, pytest.mark.gl]

GREEN = (31, 111, 80)  # the default behind the avatar


def make_renderer(ctx: object) -> MeshRenderer:
    return MeshRenderer(ctx, np.array([[0, 1, 2]], np.int32))


def parts(
    open_source: Callable[[str], object], make_fitter: Callable[[], FakeFitter] = FakeFitter
) -> Loaded:
    return Loaded(
        make_renderer,
        make_fitter,
        open_source,
        methods=Methods("landmarks", {"landmarks": ""}),
        make_steadier=lambda: Steadier(triangle_model()),
    )


Open = Callable[..., LiveSession]


@pytest.fixture
def open_session(qtbot: QtBot) -> Iterator[Open]:
    """Opens windows that load first, and closes them after the test; no thread may stay."""
    sessions: list[LiveSession] = []

    def open_window(
        loaded: Loaded | Callable[[Callable[[str], None]], Loaded],
        store: SettingsStore | None = None,
        persons: Persons | None = None,
    ) -> LiveSession:
        load = loaded if callable(loaded) else lambda tell: loaded
        session = LiveSession(load=load, store=store, persons=persons)
        sessions.append(session)
        session.start(Request("fake", "Fake source"))
        activate(qtbot, session)
        return session

    yield open_window
    close_all(sessions)


def pixel(session: LiveSession, across: float, down: float) -> list[int]:
    """RGB at a place 0..1 of the canvas."""
    image = session.window.canvas.grabFramebuffer()
    at = (int(across * (image.width() - 1)), int(down * (image.height() - 1)))
    colour = image.pixelColor(*at)
    return [colour.red(), colour.green(), colour.blue()]


def dialog(qtbot: QtBot, session: LiveSession, kind: type[QDialog]) -> QDialog:
    """The open dialog of this kind."""
    qtbot.waitUntil(lambda: bool(session.window.findChildren(kind)), timeout=WAIT_MS)
    return session.window.findChildren(kind)[0]


def file_states(models: ModelsDialog) -> list[str]:
    """What the dialog says of each file, in its order."""
    return [models.table.item(row, 2).text() for row in range(models.table.rowCount())]


def test_the_window_is_there_before_anything_is_loaded(qtbot: QtBot, open_session: Open):
    may_load = threading.Event()

    def load(tell: Callable[[str], None]) -> Loaded:
        tell("Loading the networks …")
        assert may_load.wait(10.0)
        return parts(lambda spec: FakeSource(3))

    session = open_session(load)
    window = session.window
    qtbot.waitUntil(lambda: "Loading the networks" in window.status_text, timeout=WAIT_MS)
    assert window.isVisible()
    assert window.progress.isVisible()
    assert window.method_button is None
    may_load.set()
    wait_ended(qtbot, session)
    assert not window.progress.isVisible()
    assert window.method == "landmarks"


def test_what_cannot_be_loaded_is_told_and_loaded_again_on_request(
    qtbot: QtBot, open_session: Open
):
    tries: list[int] = []

    def load(tell: Callable[[str], None]) -> Loaded:
        tries.append(1)
        if len(tries) == 1:
            raise AssetError("openhead.npz is missing; take a fresh copy")
        return parts(lambda spec: FakeSource(3))

    session = open_session(load)
    banner = session.window.banner
    qtbot.waitUntil(lambda: "openhead.npz is missing" in banner.text, timeout=WAIT_MS)
    qtbot.mouseClick(banner.button, Qt.MouseButton.LeftButton)
    wait_ended(qtbot, session)
    assert banner.text == ""


def test_the_avatar_stands_alone_on_its_colour_and_turns_with_the_mouse(
    qtbot: QtBot, open_session: Open
):
    session = open_session(parts(lambda spec: FakeSource(3)))
    wait_ended(qtbot, session)
    canvas = session.window.canvas
    qtbot.keyClick(session.window, "a")
    wait_painted(qtbot, session)
    assert canvas.in_avatar
    assert pixel(session, 0.02, 0.02) == list(GREEN)
    front = pixel(session, 0.5, 0.5)
    assert front != list(GREEN)
    middle = QPoint(canvas.width() // 2, canvas.height() // 2)
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(canvas, middle + QPoint(390, 0))  # beyond a right angle: its back is not drawn
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton)
    wait_painted(qtbot, session)
    assert pixel(session, 0.5, 0.5) == list(GREEN)
    qtbot.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=middle)
    wait_painted(qtbot, session)
    assert pixel(session, 0.5, 0.5) == front
    for _ in range(17):
        qtbot.keyClick(session.window, Qt.Key.Key_Right)
    wait_painted(qtbot, session)
    assert pixel(session, 0.5, 0.5) == list(GREEN)


def test_keys_do_to_the_avatar_what_wheel_and_double_click_do(qtbot: QtBot, open_session: Open):
    session = open_session(parts(lambda spec: FakeSource(3)))
    wait_ended(qtbot, session)
    window, canvas = session.window, session.window.canvas
    qtbot.keyClick(window, "+")  # the photo has no camera to move
    qtbot.keyClick(window, "a")

    def away_m() -> float:
        assert canvas.avatar_stand is not None
        _, _, t = canvas.avatar_stand(triangle_head(grey_frame(0)), 200, 100)
        return -float(t[2])

    assert away_m() == pytest.approx(Orbit().distance)
    qtbot.keyClick(window, "+")
    qtbot.keyClick(window, "+")
    assert away_m() == pytest.approx(Orbit().zoomed(2).distance)
    qtbot.keyClick(window, "-")
    assert away_m() == pytest.approx(Orbit().zoomed(1).distance)
    qtbot.keyClick(window, Qt.Key.Key_Home)
    assert away_m() == pytest.approx(Orbit().distance)


def test_the_avatars_picture_is_clear_around_the_head(qtbot: QtBot, open_session: Open):
    session = open_session(parts(lambda spec: FakeSource(3)))
    wait_ended(qtbot, session)
    picture = session.window.canvas.avatar_picture((200, 100))
    assert picture is not None
    assert picture.shape == (100, 200, 4)
    assert picture[0, 0].tolist() == [0, 0, 0, 0]
    assert picture[50, 100, 3] == 255
    wait_painted(qtbot, session)
    assert pixel(session, 0.15, 0.05) == [128, 128, 128]  # the photo is on the screen as before


@pytest.mark.parametrize("mode", [*RenderMode, *PredictionMode])
def test_every_view_can_be_drawn_as_an_avatar_and_over_the_photo(
    qtbot: QtBot, open_session: Open, mode: RenderMode | PredictionMode
):
    session = open_session(parts(lambda spec: FakeSource(2)))
    wait_ended(qtbot, session)
    session.window.mode_actions[mode].setChecked(True)
    for avatar in (True, False):
        session.window.avatar_action.setChecked(avatar)
        wait_painted(qtbot, session)
    assert pixel(session, 0.15, 0.05) == [128, 128, 128]


def test_where_mesh_and_network_agree_the_error_is_violet_and_where_not_yellow(
    qtbot: QtBot, open_session: Open
):
    class SeesNormals(FakeFitter):
        axis = 2

        def run_all(self, frame: Frame) -> list[Reconstruction]:
            normals = np.zeros((16, 16, 3), np.float32)
            normals[..., self.axis] = 1
            ones = np.ones((16, 16), np.float32)
            seen = NormalMap(None, normals, ones, ones, None, np.eye(2, 3) * 0.25)
            return [replace(triangle_head(frame), normals=seen)]

    fitter = SeesNormals()
    session = open_session(parts(lambda spec: FakeSource(2), lambda: fitter))
    wait_ended(qtbot, session)
    qtbot.keyClick(session.window, "0")
    for _ in range(2):
        qtbot.keyClick(session.window, "]")
    wait_painted(qtbot, session)
    assert np.abs(np.array(pixel(session, 0.5, 0.5)) - (68, 1, 84)).max() < 6  # viridis at 0
    fitter.axis = 0
    session.window.open(Request("again", "Again"))
    qtbot.waitUntil(lambda: "Again" in session.window.status_text, timeout=WAIT_MS)
    wait_ended(qtbot, session)
    assert np.abs(np.array(pixel(session, 0.5, 0.5)) - (253, 231, 37)).max() < 6  # and at 1


def test_a_head_that_is_not_to_be_trusted_fades(qtbot: QtBot, open_session: Open):
    class Doubtful(FakeFitter):
        def run_all(self, frame: Frame) -> list[Reconstruction]:
            return [triangle_head(frame, quality=0.1)]

    session = open_session(parts(lambda spec: FakeSource(2), Doubtful))
    wait_ended(qtbot, session)
    faded = np.array(pixel(session, 0.5, 0.5))
    session.window.change_settings(fade_by_trust=False)
    wait_painted(qtbot, session)
    full = np.array(pixel(session, 0.5, 0.5))
    assert np.abs(faded - 128).max() < 0.2 * np.abs(full - 128).max() + 2


def test_h_shows_the_numbers(qtbot: QtBot, open_session: Open):
    session = open_session(parts(lambda spec: FakeSource(100_000, is_live=True)))
    qtbot.keyClick(session.window, "h")
    hud = session.window.hud
    qtbot.waitUntil(lambda: "p95" in hud.text(), timeout=WAIT_MS)
    for part in ("shown", "dropped", "memory", "runs on fake", "trust #0 100 %", "jitter"):
        qtbot.waitUntil(lambda part=part: part in hud.text(), timeout=WAIT_MS)
    qtbot.keyClick(session.window, "h")
    assert not hud.isVisible()


def test_the_sheet_lists_every_key_that_works(qtbot: QtBot, open_session: Open):
    session = open_session(parts(lambda spec: FakeSource(2)))
    wait_ended(qtbot, session)
    qtbot.keyClick(session.window, "?")
    sheet = dialog(qtbot, session, ShortcutSheet)
    from app.qt import QLabel

    told = " ".join(label.text() for label in sheet.findChildren(QLabel))
    keys = [
        action.shortcut().toString()
        for action in session.window.findChildren(type(session.window.hud_action))
        if not action.shortcut().isEmpty()
    ]
    assert len(keys) > 20
    missing = [key for key in keys if f"<b>{key}</b>" not in told and key != "Esc"]
    assert missing == []
    for gesture in ("Drag", "Wheel", "Double click"):
        assert f"<b>{gesture}</b>" in told
    sheet.close()


def test_models_and_about_say_what_is_there(
    qtbot: QtBot, open_session: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # without imported heads
    session = open_session(parts(lambda spec: FakeSource(2)))
    wait_ended(qtbot, session)
    session.window.show_models()
    models = dialog(qtbot, session, ModelsDialog)
    table = models.table
    files = [table.item(row, 0).text() for row in range(table.rowCount())]
    assert files == [asset.file for asset in load_manifest()]
    qtbot.waitUntil(lambda: models.is_complete, timeout=WAIT_MS)
    assert set(file_states(models)) == {"as recorded"}
    assert all(table.item(row, 3).text() for row in range(table.rowCount()))
    models.close()
    session.window.show_about()
    about = dialog(qtbot, session, AboutDialog)
    for part in ("n2fnet", "PyQt6 6.", "networks on fake", "drawn by"):
        assert part in about.text.toPlainText()
    about.close()


def test_files_are_checked_while_the_window_goes_on(
    qtbot: QtBot, open_session: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    may_check = threading.Event()

    def check(asset: Asset) -> str:
        assert threading.current_thread() is not threading.main_thread()
        assert may_check.wait(10.0)
        return "changed" if asset.file == "openhead.npz" else "ok"

    monkeypatch.setattr(Asset, "check", check)
    session = open_session(parts(lambda spec: FakeSource(2)))
    wait_ended(qtbot, session)
    session.window.show_models()
    models = dialog(qtbot, session, ModelsDialog)
    assert set(file_states(models)) == {"being checked …"}
    may_check.set()
    qtbot.waitUntil(lambda: models.is_complete, timeout=WAIT_MS)
    found = zip(load_manifest(), file_states(models), strict=True)
    assert [asset.file for asset, state in found if "fresh" in state] == ["openhead.npz"]
    models.close()


def test_imported_heads_are_listed_below_the_files(
    qtbot: QtBot, open_session: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = write_flame_pickle(tmp_path / "flame2023_Open.pkl", flame_content(bumpy_head(level=3)))
    import_flame(file, bumpy_head(level=3))
    session = open_session(parts(lambda spec: FakeSource(2)))
    wait_ended(qtbot, session)
    session.window.show_models()
    models = dialog(qtbot, session, ModelsDialog)
    n = len(load_manifest())
    qtbot.waitUntil(lambda: models.is_complete, timeout=WAIT_MS)
    assert models.table.rowCount() == n + 1
    row = [models.table.item(n, column).text() for column in range(5)]
    assert (row[0], row[2], row[4]) == ("FLAME 2023 Open", "imported", "flame2023_Open.pkl")
    assert "Max Planck" in row[3]
    assert file_states(models)[:n] == ["as recorded"] * n
    models.close()


def test_details_split_cause_and_fix(qtbot: QtBot, open_session: Open):
    def refuse(spec: str) -> FakeSource:
        raise CaptureError("webcam:0 is in use by another program; close it and start again")

    session = open_session(parts(refuse))
    banner = session.window.banner
    qtbot.waitUntil(lambda: "in use" in banner.text, timeout=WAIT_MS)
    qtbot.mouseClick(banner.details, Qt.MouseButton.LeftButton)
    details = dialog(qtbot, session, DetailsDialog)
    from app.qt import QLabel

    heading = details.findChild(QLabel).text()
    assert "What to do: close it and start again" in heading
    assert "source: fake" in details.text.toPlainText()
    details.close()


def test_what_others_stand_in_for_is_told_until_it_is_put_away(qtbot: QtBot, open_session: Open):
    told = (
        "Heads are fitted by “Landmarks”: the network is missing; take a fresh copy",
        "Normals are slow; buy another machine",
    )
    source = FakeSource(100_000, is_live=True)
    session = open_session(replace(parts(lambda spec: source), told=told))
    window, banner = session.window, session.window.banner
    for text in told:
        qtbot.waitUntil(lambda text=text: banner.text == text, timeout=WAIT_MS)
        shown = window.canvas.n_painted
        qtbot.waitUntil(lambda n=shown: window.canvas.n_painted > n, timeout=WAIT_MS)
        assert banner.text == text  # other views leave it
        qtbot.mouseClick(banner.details, Qt.MouseButton.LeftButton)
        details = dialog(qtbot, session, DetailsDialog)
        details.setParent(None)
        details.close()
        qtbot.mouseClick(banner.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: banner.text == "", timeout=WAIT_MS)


def test_both_looks_set_their_palette_outright(qtbot: QtBot, open_session: Open):
    session = open_session(parts(lambda spec: FakeSource(2)))
    lightness = []
    for theme in ("light", "dark"):
        session.window.change_settings(theme=theme)
        window = QApplication.palette().color(QPalette.ColorRole.Window)
        text = QApplication.palette().color(QPalette.ColorRole.WindowText)
        assert abs(window.lightness() - text.lightness()) > 150  # can be read
        lightness.append(window.lightness())
    assert lightness[0] > 200 > 60 > lightness[1]


def test_settings_are_there_in_the_next_window(qtbot: QtBot, open_session: Open, tmp_path: Path):
    first = open_session(parts(lambda spec: FakeSource(2)), SettingsStore(tmp_path))
    for key in ("2", "h", "t", "["):
        qtbot.keyClick(first.window, key)
    first.window.close()
    second = open_session(parts(lambda spec: FakeSource(2)), SettingsStore(tmp_path))
    window = second.window
    assert window.canvas.mode is RenderMode.WIREFRAME
    assert window.hud_action.isChecked()
    assert not window.steady_action.isChecked()
    assert window.canvas.opacity == pytest.approx(0.75)
    window.reset_settings()
    assert window.canvas.mode is RenderMode.SHADED
    assert not window.hud_action.isChecked()


def test_damaged_settings_are_told_in_the_window(qtbot: QtBot, open_session: Open, tmp_path: Path):
    (tmp_path / "settings.json").write_text("[1, 2]")
    store = SettingsStore(tmp_path)
    session = open_session(parts(lambda spec: FakeSource(2)), store)
    wait_ended(qtbot, session)
    banner = session.window.banner
    assert "settings.json cannot be read (it holds no table)" in banner.text
    assert banner.details.isVisible()
    # It was there before the window had its size, and yet is in the middle.
    assert abs(banner.geometry().center().x() - session.window.stage.rect().center().x()) <= 1
    session.window.change_settings(hud=True)
    store.save()
    assert (tmp_path / "settings.json.damaged").read_text() == "[1, 2]"
    qtbot.mouseClick(banner.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: banner.text == "", timeout=WAIT_MS)


def test_the_menu_shows_what_is_in_force_and_changes_it(qtbot: QtBot, open_session: Open):
    session = open_session(parts(lambda spec: FakeSource(2)))
    wait_ended(qtbot, session)
    window = session.window
    window.menu_button.fill()
    flags = {a.text(): a for a in window.menu_button.menu().actions() if a.isCheckable()}
    fade = flags["Fade heads that are not to be trusted"]
    assert fade.isChecked()
    fade.trigger()
    assert not window.store.present.fade_by_trust
    assert not window.canvas.fades_by_trust


def test_a_person_is_kept_and_used(qtbot: QtBot, open_session: Open, tmp_path: Path):
    persons = Persons(tmp_path)
    session = open_session(parts(lambda spec: FakeSource(2)), persons=persons)
    wait_ended(qtbot, session)
    session.window.keep_person("Ada")
    assert persons.names() == ["Ada"]
    assert session.window.store.present.person == "Ada"


def test_people_and_profiles_are_deleted_once_that_is_confirmed(
    qtbot: QtBot, open_session: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    persons, store = Persons(tmp_path / "persons"), SettingsStore(tmp_path)
    session = open_session(parts(lambda spec: FakeSource(2)), store, persons)
    wait_ended(qtbot, session)
    window = session.window
    window.keep_person("Ada")
    window.keep_person("Bob")
    store.save_profile("Stage")

    def choose(menu_title: str, name: str) -> None:
        window.menu_button.fill()
        for menu in window.menu_button.findChildren(QMenu):
            if menu.title() == menu_title:
                next(action for action in menu.actions() if action.text() == name).trigger()
                return
        raise AssertionError(f"no menu {menu_title}")

    asked: list[str] = []
    answers = [QMessageBox.StandardButton.Cancel] + [QMessageBox.StandardButton.Yes] * 3

    def answer(parent: object, title: str, text: str, *more: object) -> object:
        asked.append(text)
        return answers.pop(0)

    monkeypatch.setattr(QMessageBox, "question", answer)
    choose("Forget a person", "Ada")
    assert persons.names() == ["Ada", "Bob"]
    choose("Forget a person", "Ada")
    assert persons.names() == ["Bob"]
    assert store.present.person == "Bob"
    choose("Forget a person", "Bob")
    assert (persons.names(), store.present.person) == ([], "")
    choose("Delete a profile", "Stage")
    assert store.profiles() == []
    assert ["Ada" in text for text in asked] == [True, True, False, False]


class Film(FakeSource):
    """A thousand frames of a millisecond, that can be sought in."""

    duration_ns = 1_000_000_000

    def seek(self, t_ns: int) -> None:
        self._index = t_ns // 1_000_000


def test_the_bar_goes_to_a_place_in_the_film_also_after_its_end(qtbot: QtBot, open_session: Open):
    session = open_session(parts(lambda spec: Film(1000)))
    window = session.window
    qtbot.waitUntil(lambda: window.scrub.isVisible(), timeout=WAIT_MS)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    window.scrub.setValue(700)
    seen: list[View] = []
    session.on_view = seen.append
    qtbot.waitUntil(lambda: bool(seen) and (seen[-1].position or 0) >= 0.7, timeout=WAIT_MS)
    assert (seen[-1].position or 1) < 0.75  # it is paused: that frame and no more
    window.scrub.setValue(990)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    wait_ended(qtbot, session)
    seen.clear()
    window.scrub.setValue(980)
    qtbot.waitUntil(
        lambda: any((v.position or 0) >= 0.98 for v in seen),
        timeout=WAIT_MS,
    )


class Blocking:
    """A live source that gives one frame and then blocks until a test lets it go."""

    is_live = True
    n_frames = None
    n_dropped = 0
    name = "blocking"

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self._n = 0

    def read(self) -> Frame | None:
        self._n += 1
        if self._n == 1:
            return grey_frame(0)
        assert self.let_go.wait(30.0)
        return None

    def close(self) -> None:
        """Nothing is held."""


def test_a_source_that_blocks_never_holds_the_window_up(
    qtbot: QtBot, open_session: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.play._SILENT_S", 0.05)
    monkeypatch.setattr("app.play._LOOK_S", 0.02)
    monkeypatch.setattr("app.worker._CLOSING_S", 0.05)
    opened: list[Blocking] = []

    def open_source(spec: str) -> Blocking:
        opened.append(Blocking())
        return opened[-1]

    session = open_session(parts(open_source))
    window, gaps_ms = session.window, []
    probe = LoopProbe()
    for k in range(5):
        qtbot.waitUntil(lambda: "has given no picture" in window.banner.text, timeout=WAIT_MS)
        assert window.banner.button.text() == "Choose another…"
        probe.restart()
        window.open(Request(f"next {k}", f"Next {k}"))
        window.pause_action.toggle()
        window.pause_action.toggle()
        window.change_settings(turns=k % 4)
        qtbot.waitUntil(lambda k=k: len(opened) == k + 2, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: "has given no picture" in window.banner.text, timeout=WAIT_MS)
        gaps_ms.append(probe.longest_ms)
    probe.stop()
    # The least of five: were anything waited for, it would be so each time.
    assert 0.0 < min(gaps_ms) < 50.0
    for source in opened:
        source.let_go.set()
    qtbot.waitUntil(lambda: "ended" in window.status_text, timeout=WAIT_MS)


def test_twenty_times_unplugged_the_window_says_so_and_plays_on(
    qtbot: QtBot, open_session: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.source_thread._RETRY_S", (0.0,))
    monkeypatch.setattr("app.play._LOOK_S", 0.01)
    plugged = threading.Event()

    class Unplugged(FakeSource):
        """Gives frames while it is plugged in."""

        def read(self) -> Frame | None:
            if not plugged.is_set():
                raise CaptureError("the cable is out")
            return super().read()

    plugged.set()
    session = open_session(parts(lambda spec: Unplugged(1_000_000, is_live=True)))
    window = session.window
    window.resize(600, 420)  # quicker to draw
    for _ in range(20):
        shown = window.canvas.n_painted
        qtbot.waitUntil(lambda n=shown: window.canvas.n_painted > n, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: window.banner.text == "", timeout=WAIT_MS)
        plugged.clear()
        qtbot.waitUntil(lambda: "the cable is out" in window.banner.text, timeout=WAIT_MS)
        plugged.set()
    assert sum(t.name == "n2f-source" for t in threading.enumerate()) == 1


def test_fifty_sizes_and_another_parent_are_survived(qtbot: QtBot, open_session: Open):
    session = open_session(parts(lambda spec: FakeSource(1_000_000, is_live=True)))
    qtbot.waitUntil(lambda: session.window.canvas.n_painted > 0, timeout=WAIT_MS)
    for step in range(50):
        session.window.resize(560 + 4 * step, 420 + 3 * (step % 20))
        wait_painted(qtbot, session)
    canvas, other = session.window.canvas, QMainWindow()
    qtbot.addWidget(other)
    other.resize(400, 300)
    other.setCentralWidget(canvas)
    other.show()
    qtbot.waitExposed(other)
    wait_painted(qtbot, session)
    assert pixel(session, 0.5, 0.02) != [0, 0, 0]
    session.window.centralWidget().layout().insertWidget(0, canvas, 1)
    wait_painted(qtbot, session)


def test_cameras_that_come_and_go_are_noticed_once_each(qapp: QApplication):
    desk, lap = CameraInfo(0, "Desk camera", ""), CameraInfo(1, "Laptop camera", "")
    there, told = [desk], []
    watch = CameraWatch(told.append, lambda: list(there), every_ms=3_600_000)
    watch.look()
    told.clear()  # where the system has no list, the first look is the first that is known
    there[:] = [CameraInfo(2, "Desk camera", ""), lap]
    watch.look()
    watch.look()
    assert told == [there]
    assert camera_named("Desk camera", there) == CameraInfo(2, "Desk camera", "")
    assert camera_named("Gone camera", there) is None
    watch.stop()


def test_a_camera_in_another_socket_is_opened_by_its_name(monkeypatch: pytest.MonkeyPatch):
    cameras = [CameraInfo(3, "Desk camera", "")]
    monkeypatch.setattr("app.source_menu.list_cameras", lambda: cameras)
    known = Settings(source="webcam:0", source_title="Desk camera")
    assert present_spec("webcam:0", known) == "webcam:3"
    assert present_spec("webcam:1", known) == "webcam:1"  # not the one that is known
    assert present_spec("clip.mp4", known) == "clip.mp4"
    assert remembered_request("webcam:0", "Desk camera") == Request("webcam:3", "Desk camera")
    assert remembered_request("webcam:0", "Gone camera") is None
    assert remembered_request("/no/such/clip.mp4", "clip.mp4") is None
