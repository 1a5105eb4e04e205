"""Both windows draw by GLX and by EGL, on a card's widget as in memory, and quit clean.

Qt chooses once a process how it gets its contexts, so each way is a program of its own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
import numpy as np
from app import canvas
from app.compare_live import CompareSession
from app.compare_window import Labels
from app.method_menu import Methods
from app.qt import QOpenGLContext, QTimer
from app.session import LiveSession, Loaded, make_application
from app.source_thread import Request
from engine.compare.sides import LiveSide
from engine.render.renderer import MeshRenderer
from tests.live_fakes import FakeFitter, FakeSource, triangle_model

by_card = sys.argv[1] == "card"
canvas.card_draws = lambda: by_card
application = make_application()


def rgb(shown, across, down):
    image = shown.grabFramebuffer()
    colour = image.pixelColor(int(across * image.width()), int(down * image.height()))
    return colour.red(), colour.green(), colour.blue()


def say(shown):
    print(*rgb(shown, 0.45, 0.5), *rgb(shown, 0.3, 0.15), type(shown._surface).__name__, flush=True)


live = LiveSession(load=lambda tell: Loaded(
    lambda ctx: MeshRenderer(ctx, np.array([[0, 1, 2]], np.int32)),
    FakeFitter,
    lambda spec: FakeSource(5),
    methods=Methods("landmarks", {"landmarks": ""}),
))
compare = CompareSession(
    triangle_model(),
    Labels("clip.mp4", ("a", "b"), (False, False), 5.0),
    lambda: FakeSource(2),
    lambda source: (LiveSide("a", FakeFitter()), LiveSide("b", FakeFitter())),
    lambda source: iter(source.read, None),
)


def look():
    has_ended = "ended" in live.window.status_text
    if has_ended and live.window.canvas.n_painted and compare.window.canvas.n_painted:
        timer.stop()
        say(live.window.canvas)
        say(compare.window.canvas)
        live.window.resize(700, 500)
        live.window.close()
        compare.window.close()


timer = QTimer()
timer.timeout.connect(look)
timer.start(20)
live.start(Request("fake", "Fake"))
compare.start()
code = application.exec()
raise SystemExit(code if live.stopped_clean and compare.stopped_clean else 9)
"""


@pytest.mark.gui
@pytest.mark.gl
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11 alone has two ways")
@pytest.mark.parametrize("integration", ["xcb_glx", "xcb_egl"])
@pytest.mark.parametrize(("way", "surface"), [("card", "GlSurface"), ("memory", "ImageSurface")])
def test_live_and_compare_draw(integration: str, way: str, surface: str):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, way],
        cwd=ROOT,
        env={
            **os.environ,
            "QT_QPA_PLATFORM": "xcb",
            "QT_XCB_GL_INTEGRATION": integration,
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    for line in lines:
        *numbers, name = line.split()
        middle, beside = [int(n) for n in numbers[:3]], [int(n) for n in numbers[3:]]
        assert name == surface
        assert all(abs(n - 128) <= 1 for n in beside)  # the photo
        assert max(abs(n - 128) for n in middle) > 10  # the head on it; the photo is even
