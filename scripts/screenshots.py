"""Takes the pictures of docs/live.md from the real window: every view, display, sheet and look.

xvfb-run -a -s "-screen 0 1400x1000x24 +extension GLX" python scripts/screenshots.py
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from app.dialogs import AboutDialog, ShortcutSheet
from app.live import LiveSettings
from app.loading import load_parts
from app.models_dialog import ModelsDialog
from app.provider_desk import ProviderDesk
from app.qt import QDialog, QImage, QTimer, QWidget
from app.recording import RecordingDesk
from app.session import LiveSession, make_application
from app.settings import SettingsStore
from app.source_menu import sample_request
from app.source_thread import Request
from app.view import State, View
from engine.files import replacing
from engine.io.camera import CameraInfo
from engine.render.prediction import PredictionMode
from engine.render.renderer import RenderMode
from engine.stages.onnx_session import available_providers

_FRAME = 45
"""Of the clip: the face is turned a little, and speaks."""
_WINDOW = (1180, 760)
_WIDE = (1320, 850)
"""With the names of two methods in the bar."""
_COMPARED = 5
"""Frames before two methods are shown against each other."""
_WIDTH_PX = 800
_COLOURS = 256
_STEP_MS = 500
"""From a change to its picture; the film is paused meanwhile."""

Step = tuple[str, Callable[[], QWidget | None]]
_DESK = CameraInfo(0, "Desk camera", "/dev/video0")
"""Stands for a camera where menus are shown."""


class Tour:
    """Changes the window and takes its picture, one step after the other."""

    def __init__(self, session: LiveSession, folder: Path, only: set[str]) -> None:
        """only: names of pictures; empty: all."""
        self.session, self._folder, self._only = session, folder, only
        self._is_ready: Callable[[], bool] = lambda: True
        self._steps: Iterator[Step] | None = None
        self.problem: str | None = None
        self._timer = QTimer()
        self._timer.timeout.connect(self._next)
        self._due: tuple[str, QWidget] | None = None
        session.on_view = self._wait_for_frame

    def _wait_for_frame(self, view: View) -> None:
        if view.state is State.FAILED:
            self.problem = view.problem
            self.session.window.close()
        elif view.frame is not None and view.frame.index >= _FRAME and view.faces:
            self.session.on_view = lambda view: None
            self.session.window.pause_action.setChecked(True)
            self._steps = self._plan()
            self._timer.start(_STEP_MS)

    def _next(self) -> None:
        if not self._is_ready():
            return
        if self._due is not None:
            self._save(*self._due)
        step = next(self._steps, None) if self._steps is not None else None
        if step is None:
            self._timer.stop()
            self.session.window.close()
            return
        name, act = step
        self._is_ready = lambda: True
        self._due = None
        if not self._only or name in self._only:
            self._due = (name, act() or self.session.window)

    def _plan(self) -> Iterator[Step]:
        window = self.session.window
        for mode in (*RenderMode, *PredictionMode):
            yield mode.value, window.mode_actions[mode].trigger
        window.mode_actions[RenderMode.SHADED].trigger()
        yield "numbers", lambda: window.hud_action.setChecked(True)
        window.hud_action.setChecked(False)
        yield "avatar", lambda: window.avatar_action.setChecked(True)
        yield "avatar-turned", lambda: window.canvas.turn_avatar(70, 10)
        yield "avatar-transparent", lambda: window.change_settings(backdrop="transparent")
        window.avatar_action.setChecked(False)
        yield "light", lambda: window.change_settings(theme="light")
        window.change_settings(theme="dark")
        yield "problem", lambda: self._show_problem()
        for name, show, kind in (
            ("shortcuts", window.show_shortcuts, ShortcutSheet),
            ("models", window.show_models, ModelsDialog),
            ("about", window.show_about, AboutDialog),
        ):
            yield name, lambda show=show, kind=kind: self._opened(show, kind)
            for opened in window.findChildren(kind):
                opened.close()
        yield "menu", self._menu
        window.menu_button.menu().close()
        yield "camera-formats", self._formats
        window.source_button.menu().close()
        yield "methods", self._methods
        yield "comparison", lambda: self._compare(beside=False)
        yield "comparison-beside", lambda: self._compare(beside=True)

    def _compare(self, *, beside: bool) -> None:
        window = self.session.window
        if window.method_button is not None:
            window.method_button.menu().close()
        window.resize(*_WIDE)
        window.source_button.show_request(sample_request())
        window.change_settings(beside=beside)
        if window.method_button is not None:
            window.method_button.compare_with("landmarks")
        shown = window.stage.wipe.n_painted

        def is_ready() -> bool:
            """After some frames, as the first fit of a method takes longer."""
            if window.stage.wipe.n_painted < shown + _COMPARED:
                return False
            window.pause_action.setChecked(True)
            return True

        self._is_ready = is_ready
        window.pause_action.setChecked(False)

    def _methods(self) -> QWidget:
        button = self.session.window.method_button
        if button is None:
            return self.session.window
        button.menu().popup(self.session.window.mapToGlobal(self.session.window.rect().center()))
        return button.menu()

    def _formats(self) -> QWidget:
        window = self.session.window
        window.cameras.list = lambda: [_DESK]
        window.source_button.show_request(Request("webcam:0", _DESK.name))
        window.source_button.fill()
        menu = window.source_button.menu()
        formats = next(action.menu() for action in menu.actions() if action.menu() is not None)
        formats.popup(window.mapToGlobal(window.rect().center()))
        return formats

    def _show_problem(self) -> None:
        window = self.session.window
        problem = (
            "webcam:0 is in use by another program; close it (`fuser /dev/video0` names it) and "
            "start again"
        )
        last = window.view
        window.show_view(View(State.FAILED, "Desk camera", last.frame, last.faces, problem=problem))

    def _opened(self, show: Callable[[], None], kind: type[QDialog]) -> QWidget:
        show()
        opened = self.session.window.findChildren(kind)[0]
        if isinstance(opened, ModelsDialog):
            self._is_ready = lambda: opened.is_complete
        return opened

    def _menu(self) -> QWidget:
        menu = self.session.window.menu_button.menu()
        self.session.window.menu_button.fill()
        menu.popup(self.session.window.mapToGlobal(self.session.window.rect().center()))
        return menu

    def _save(self, name: str, widget: QWidget) -> None:
        image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
        height, width, stride = image.height(), image.width(), image.bytesPerLine()
        rows = np.frombuffer(image.constBits().asstring(stride * height), np.uint8)
        pixels = rows.reshape(height, stride)[:, : 3 * width].reshape(height, width, 3)
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        if width > _WIDTH_PX:
            size = (_WIDTH_PX, round(height * _WIDTH_PX / width))
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        path = self._folder / f"{name}.png"
        with replacing(path) as temporary:
            _with_palette(picture).save(temporary, optimize=True)
        sys.stdout.write(f"{path} {path.stat().st_size / 1000:.0f} kB\n")


def _with_palette(picture: Image.Image) -> Image.Image:
    """A quarter of the size; dithered, as normals would show bands."""
    palette = picture.quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE)
    return picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def main() -> None:
    """Open the window, go through the tour, quit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--only", default="", help="names of pictures, with commas between")
    chosen = parser.parse_args()
    application = make_application()
    settings = LiveSettings(source="sample", smooth_edges=True)
    store = SettingsStore(None)
    session = LiveSession(
        load=lambda tell: load_parts(settings, session, tell),
        store=store,
        providers=ProviderDesk(store, available_providers),
        recording=RecordingDesk(),
    )
    session.window.resize(*_WINDOW)
    only = {name for name in chosen.only.split(",") if name}
    tour = Tour(session, chosen.out, only)
    session.start(sample_request())
    application.exec()
    if tour.problem:
        sys.exit(f"no pictures: {tour.problem}")


if __name__ == "__main__":
    main()
