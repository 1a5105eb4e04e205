"""The settings file: round trip, older and newer forms, nonsense, profiles."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from app.live import LiveSettings, session_overrides
from app.settings import VERSION, Settings, SettingsStore, settings_from


def test_what_is_saved_is_there_the_next_time(tmp_path: Path):
    store = SettingsStore(tmp_path)
    store.change(theme="light", opacity=40, source="webcam:2", source_title="Desk camera")
    store.save()
    again = SettingsStore(tmp_path)
    assert again.present == Settings(
        theme="light", opacity=40, source="webcam:2", source_title="Desk camera"
    )
    assert again.told == []
    assert json.loads((tmp_path / "settings.json").read_text())["version"] == VERSION


def test_a_file_of_the_first_form_is_carried_over():
    settings, told = settings_from({"version": 1, "smoothing": False, "dark": False, "hud": True})
    assert (settings.steady, settings.theme, settings.hud) == (False, "light", True)
    assert told == []


def test_unknown_and_wrong_values_are_told_and_defaults_take_their_place():
    stored = {"version": VERSION, "opacity": 400, "hud": "yes", "colour": 3, "turns": 2}
    settings, told = settings_from(stored)
    assert (settings.opacity, settings.hud, settings.turns) == (85, False, 2)
    assert len(told) == 3
    assert any("'colour' is unknown" in line for line in told)
    assert any("opacity is 400" in line for line in told)


def test_a_newer_form_is_told_and_used_as_far_as_it_is_known():
    settings, told = settings_from({"version": VERSION + 1, "hud": True})
    assert settings.hud
    assert "newer n2fnet" in told[0]


def test_true_is_no_number():
    assert settings_from({"turns": True})[0].turns == 0


def test_a_damaged_file_is_told_and_set_aside(tmp_path: Path):
    path, aside = tmp_path / "settings.json", tmp_path / "settings.json.damaged"
    path.write_text("{ no json")
    store = SettingsStore(tmp_path)
    assert store.present == Settings()
    (told,) = store.told
    assert "cannot be read" in told
    assert "; defaults are used, and it is kept as settings.json.damaged beside it" in told
    store.save()
    assert not path.exists()
    store.change(hud=True)
    store.save()
    assert aside.read_text() == "{ no json"
    again = SettingsStore(tmp_path)
    assert (again.told, again.present.hud) == ([], True)


def test_safe_neither_reads_nor_writes(tmp_path: Path):
    kept = SettingsStore(tmp_path)
    kept.change(theme="light")
    kept.save()
    safe = SettingsStore(tmp_path, safe=True)
    assert safe.present == Settings()
    safe.change(hud=True)
    safe.save()
    assert SettingsStore(tmp_path).present == Settings(theme="light")


def test_a_folder_that_cannot_be_written_does_not_stop_anything(tmp_path: Path):
    (tmp_path / "file").touch()
    store = SettingsStore(tmp_path / "file")
    store.change(hud=True)
    store.save()
    assert store.present.hud


def test_profiles_are_named_copies_and_reset_brings_the_defaults(tmp_path: Path):
    store = SettingsStore(tmp_path)
    store.change(mode="wireframe", steady=False)
    store.save_profile("On stage")
    store.reset()
    assert store.present == Settings()
    assert store.profiles() == ["On stage"]
    store.use_profile("On stage")
    assert asdict(store.present) == asdict(Settings(mode="wireframe", steady=False))


def test_profiles_and_reset_leave_the_source_as_it_is_shown(tmp_path: Path):
    store = SettingsStore(tmp_path)
    store.change(source="webcam:3", source_title="Desk camera", method="landmarks")
    store.save_profile("Desk")
    store.change(source="clip.mp4", source_title="clip.mp4", method="n2fnet")
    store.use_profile("Desk")
    assert store.present == Settings(source="clip.mp4", source_title="clip.mp4", method="landmarks")
    store.reset()
    assert store.present == Settings(source="clip.mp4", source_title="clip.mp4")


def test_what_is_asked_for_this_time_is_in_force_and_not_stored(tmp_path: Path):
    stored = SettingsStore(tmp_path)
    stored.change(n_faces=3)
    stored.save()
    store = SettingsStore(tmp_path)
    settings = LiveSettings(private=True, pipelined=True, n_faces=2)
    store.override(**session_overrides(settings))
    assert store.present == Settings(private=True, pipelined=True, n_faces=2)
    store.change(hud=True)
    store.save()
    assert SettingsStore(tmp_path).present == Settings(n_faces=3, hud=True)
    store.change(n_faces=2)  # by a person now, who wants to keep it
    store.change(private=False)
    store.save()
    assert SettingsStore(tmp_path).present == Settings(n_faces=2, hud=True)
    assert store.present == Settings(pipelined=True, n_faces=2, hud=True)


def test_nothing_is_asked_for_by_default():
    assert session_overrides(LiveSettings()) == {}


def test_a_profile_holds_what_is_in_force_and_ends_what_was_asked_for(tmp_path: Path):
    store = SettingsStore(tmp_path)
    store.override(n_faces=2)
    store.save_profile("Two")
    store.change(n_faces=4)
    store.use_profile("Two")
    store.save()
    assert SettingsStore(tmp_path).present == Settings(n_faces=2)


@pytest.mark.parametrize("name", ["", "  ", "../etc", "a/b", ".hidden", "a:b"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ValueError, match="cannot be a profile's name"):
        SettingsStore(tmp_path).save_profile(name)
