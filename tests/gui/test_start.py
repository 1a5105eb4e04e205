"""How soon the window is there: processor time, which other programs do not change."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import time
from app import live, main_window
from app.qt import QTimer

class Timed(main_window.MainWindow):
    def showEvent(self, event):
        super().showEvent(event)
        print(time.process_time(), flush=True)
        QTimer.singleShot(0, self.close)

import app.session
app.session.MainWindow = Timed
raise SystemExit(live.run_window(live.LiveSettings(source="sample", safe=True)))
"""


@pytest.mark.gui
@pytest.mark.gl
def test_the_first_window_is_there_within_two_seconds_and_quitting_while_loading_is_clean():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[0]) < 2.0
