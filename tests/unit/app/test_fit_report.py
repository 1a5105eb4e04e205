"""Ctrl-C while faces are optimised, and while all frames of a video are together."""

import os
import signal
from pathlib import Path

import pytest

from app.cli.fit_report import FitReport
from engine.batch import Outcome
from engine.fitting.curve import CurvePoint
from engine.io.results import SummaryRow

POINT = CurvePoint(0, 0.0, 1.0, {})


def test_ctrl_c_ends_the_stage_and_then_the_batch() -> None:
    before = signal.getsignal(signal.SIGINT)
    with FitReport(2) as report:
        report.begin(Path("clip.mp4"))
        assert report.joint(POINT, 10)
        os.kill(os.getpid(), signal.SIGINT)
        assert not report.joint(POINT, 10)
        assert not report.optimising(POINT, 10)  # no further frame of a long video is begun
        report.count_frame(301)
        report.end(Outcome(SummaryRow("clip.mp4", "ok")))
        assert report.asked_to_stop
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_ends_the_fit_of_a_picture() -> None:
    with FitReport(1) as report:
        report.begin(Path("a.jpg"))
        assert report.optimising(POINT, 800)
        os.kill(os.getpid(), signal.SIGINT)
        assert report.asked_to_stop
        assert not report.optimising(POINT, 800)


def test_ctrl_c_twice_ends_at_once() -> None:
    with FitReport(1) as report:
        report.joint(POINT, 10)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
