"""Importing MediaPipe: what goes wrong is told with its cause; and reading its records."""

import builtins
from collections.abc import Mapping

import numpy as np
import pytest

from engine.errors import AssetError
from engine.stages.mediapipe_graph import _solutions, landmark_places


def break_import(monkeypatch: pytest.MonkeyPatch, cause: BaseException) -> None:
    """Importing MediaPipe fails as its native parts do when `cause` is raised while they load."""
    real = builtins.__import__

    def fails(name: str, *args: Mapping[str, object]) -> object:
        if name != "mediapipe":
            return real(name, *args)
        raise ImportError("initialization failed") from cause

    monkeypatch.setattr(builtins, "__import__", fails)


def test_ctrl_c_while_it_loads_is_an_interruption(monkeypatch: pytest.MonkeyPatch):
    break_import(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        _solutions()


def test_a_part_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch):
    break_import(monkeypatch, OSError("libGL.so.1 is missing"))
    with pytest.raises(AssetError, match=r"initialization failed.*pip install mediapipe"):
        _solutions()


@pytest.mark.parametrize("visibility", [None, 0.5])
def test_places_of_landmarks_are_those_of_the_record(visibility: float | None):
    """With visibilities records are longer, and read number by number."""
    from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList

    wanted = np.random.default_rng(0).normal(0.5, 0.3, (478, 3)).astype(np.float32)
    record = NormalizedLandmarkList()
    for x, y, z in wanted:
        record.landmark.add(x=x, y=y, z=z, visibility=visibility)
    np.testing.assert_array_equal(landmark_places(record), wanted)
