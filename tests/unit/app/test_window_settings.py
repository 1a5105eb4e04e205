"""What follows from a change of settings, wherever the change comes from."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.persons import Persons
from app.qt import QObject
from app.settings import SettingsStore
from app.window_settings import Follows, WindowSettings

pytestmark = pytest.mark.gui


class Followed:
    """Window settings that count what they had done."""

    def __init__(self, folder: Path) -> None:
        self.parent, self.done = QObject(), []
        follows = Follows(
            lambda settings: None,
            lambda settings: None,
            lambda: self.done.append("fitter"),
            lambda: self.done.append("person"),
        )
        store, persons = SettingsStore(folder), Persons(folder / "persons")
        self.settings = WindowSettings(self.parent, store, persons, follows)


@pytest.mark.parametrize("change", [{"pipelined": True}, {"n_faces": 3}, {"provider": "cpu"}])
def test_fitters_are_made_anew_by_what_they_are_made_of(
    change: dict[str, object], qtbot: QtBot, tmp_path: Path
):
    made = Followed(tmp_path)
    made.settings.change(mirror_cameras=False)
    assert made.done == []
    made.settings.change(**change)
    assert made.done == ["fitter"]
    made.settings.change(**change)  # nothing new
    assert made.done == ["fitter"]
    made.settings.reset()
    assert made.done == ["fitter", "fitter"]
