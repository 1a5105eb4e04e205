"""Fitting a video in steps on threads of their own: as one frame after the other, only sooner."""

import threading

import numpy as np
import pytest

from engine.errors import CaptureError
from engine.flame.model import HeadModel
from engine.io.assets import asset_path
from engine.io.video import VideoSource
from engine.normal_choice import choose_normals
from engine.pipeline import Reconstructor
from engine.types import Frame
from engine.video_fit import fit_video

pytestmark = pytest.mark.assets
N = 8


class OneByOne:
    """A reconstructor whose steps are not known."""

    def __init__(self, fitter: Reconstructor) -> None:
        self.run_all, self.use = fitter.run_all, fitter.use
        self.reset, self.close = fitter.reset, fitter.close
        self.n_seen = 0


class BrokenAt(VideoSource):
    """A film that cannot be read from a frame on."""

    broken_at = 5

    def read(self) -> Frame | None:
        frame = super().read()
        if frame is not None and frame.index == self.broken_at:
            raise CaptureError("the film tore; mend it")
        return frame


@pytest.fixture
def fitter(openhead: HeadModel):
    made = Reconstructor(openhead, method="n2fnet-refined", normals=choose_normals(None).load())
    yield made
    made.close()


def clip() -> VideoSource:
    return VideoSource(asset_path("sample.mp4"))


def no_thread_is_left() -> bool:
    return not any(t.name == "n2f-ahead" for t in threading.enumerate())


def test_fits_are_those_of_one_frame_after_the_other(openhead: HeadModel, fitter: Reconstructor):
    in_steps = fit_video(clip(), fitter, openhead, max_frames=N)
    one_by_one = fit_video(clip(), OneByOne(fitter), openhead, max_frames=N)
    assert in_steps.times == one_by_one.times
    assert in_steps.n_found == N
    a, b = (
        video.sequences[next(iter(video.sequences))].arrays() for video in (in_steps, one_by_one)
    )
    assert a.keys() == b.keys()
    for name, values in a.items():
        np.testing.assert_array_equal(values, b[name], err_msg=name)
    assert no_thread_is_left()


def test_what_was_read_before_an_error_is_fitted(openhead: HeadModel, fitter: Reconstructor):
    done: list[int] = []
    with pytest.raises(CaptureError, match="the film tore"):
        fit_video(BrokenAt(asset_path("sample.mp4")), fitter, openhead, on_frame=done.append)
    assert done == [1, 2, 3, 4, 5]
    assert no_thread_is_left()


def test_ctrl_c_ends_all_threads_and_closes_the_film(openhead: HeadModel, fitter: Reconstructor):
    source, closed = clip(), []
    close = source.close
    source.close = lambda: (closed.append(threading.current_thread().name), close())

    def interrupt(n: int) -> None:
        if n == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_video(source, fitter, openhead, on_frame=interrupt)
    assert closed[0] == "n2f-ahead"  # by its reader
    assert no_thread_is_left()
