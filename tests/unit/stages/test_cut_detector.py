"""Cuts are noticed, movement is not."""

import numpy as np
import pytest

from engine.io.assets import asset_path
from engine.io.video import VideoSource
from engine.stages.cut_detector import CutDetector


@pytest.mark.assets
def test_the_only_cut_of_the_sample_clip_is_found() -> None:
    source, detector, cuts = VideoSource(asset_path("sample.mp4")), CutDetector(), []
    while (frame := source.read()) is not None:
        if detector.is_cut(frame.image):
            cuts.append(frame.index)
    source.close()
    assert cuts == [180]


def test_another_size_is_a_cut() -> None:
    detector = CutDetector()
    assert not detector.is_cut(np.zeros((48, 64, 3), np.uint8))
    assert detector.is_cut(np.zeros((64, 48, 3), np.uint8))


def test_slow_fades_are_no_cuts() -> None:
    detector = CutDetector()
    fade = [np.full((48, 64, 3), grey, np.uint8) for grey in range(0, 250, 20)]
    assert not any(detector.is_cut(image) for image in fade)
