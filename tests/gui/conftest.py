"""One Qt application for all window tests, with the GL format and the look of the real one."""

import ctypes
import ctypes.util
import os
import sys

import pytest

from app.qt import QApplication
from app.session import make_application

if sys.platform.startswith("linux") and os.environ.get("DISPLAY"):
    # A Wayland socket beside the virtual display would take the windows to the user's desktop.
    os.environ.setdefault("QT_QPA_PLATFORM", "xcb")


@pytest.fixture(scope="session")
def qapp() -> QApplication:
    return QApplication.instance() or make_application()


@pytest.fixture(autouse=True)
def _no_egl_context_is_current() -> None:
    """Qt uses GLX, which fails in a thread where a headless test left its EGL context current."""
    if name := ctypes.util.find_library("EGL"):
        ctypes.CDLL(name).eglReleaseThread()
