"""Importing MediaPipe: what goes wrong is told with its cause."""

import builtins
from collections.abc import Mapping

import pytest

from engine.errors import AssetError
from engine.stages.mediapipe_graph import _solutions


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
