"""The picture of the window: taken once, after so many fitted frames, and never an abort of Qt."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from app.live import Photographer
from app.view import State, View
from engine.errors import CaptureError
from tests.live_fakes import grey_frame, triangle_head


class FakeWindow:
    def __init__(self) -> None:
        self.n_closed = 0

    def picture(self) -> np.ndarray:
        return np.full((4, 6, 3), 77, np.uint8)

    def close(self) -> None:
        self.n_closed += 1


def fitted_view() -> View:
    frame = grey_frame(0)
    return View(State.PLAYING, "x", frame, (triangle_head(frame),))


def test_the_picture_is_taken_after_so_many_fitted_frames(tmp_path: Path):
    window, path = FakeWindow(), tmp_path / "window.png"
    photographer = Photographer(SimpleNamespace(window=window, on_view=None), path, after=2)
    photographer(View(State.OPENING, "x"))
    photographer(fitted_view())
    assert (window.n_closed, path.exists()) == (0, False)
    photographer(fitted_view())
    assert window.n_closed == 1
    assert photographer.problem is None
    assert np.asarray(Image.open(path)).tolist() == window.picture().tolist()


def test_a_picture_that_cannot_be_written_closes_the_window_and_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    window, path = FakeWindow(), tmp_path / "file" / "window.png"
    photographer = Photographer(SimpleNamespace(window=window, on_view=None), path, after=1)
    photographer(fitted_view())
    assert window.n_closed == 1
    assert "window.png cannot be written" in str(photographer.problem)


def test_a_source_that_fails_is_the_problem_and_its_banner_in_the_picture(tmp_path: Path):
    window, path = FakeWindow(), tmp_path / "window.png"
    photographer = Photographer(SimpleNamespace(window=window, on_view=None), path, after=1)
    photographer(View(State.FAILED, "x", problem="x does not exist; check it"))
    assert (window.n_closed, path.exists()) == (1, True)
    assert isinstance(photographer.problem, CaptureError)
    assert str(photographer.problem) == "x does not exist; check it"
