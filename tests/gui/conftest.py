"""One Qt application for all window tests, with the GL format and the look of the real one."""

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
