"""What the window remembers: one typed file with a version, and named copies of it."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from engine.errors import OutputError
from engine.files import delete, replacing

__all__ = ["VERSION", "Settings", "SettingsStore", "settings_from", "user_settings_dir"]

logger = logging.getLogger(__name__)

VERSION = 2
"""Of the file's form. 1 had `smoothing` in place of `steady`, and `dark` in place of `theme`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything with its default; what a person never touched is never surprising."""

    source: str = ""  # as for --source; empty: the first camera, else the sample clip
    source_title: str = ""  # a camera's name, by which it is found again in another socket
    method: str = ""  # as for --method; empty: the best that can be used
    mode: str = "shaded"  # RenderMode or PredictionMode
    opacity: int = 85  # percent, 0..100
    mirror_cameras: bool = True
    turns: int = 0  # quarter turns against the clock, 0..3
    theme: str = "dark"  # or "light"
    steady: bool = True
    pipelined: bool = False
    every_frame: bool = True  # of files; False: they keep their pace and drop
    provider: str = "auto"  # as in engine.stages.onnx_session, or "fastest": by provider_ms
    provider_ms: Mapping[str, float] = field(default_factory=dict)  # measured, by provider
    provider_ms_of: str = ""  # versions and networks that provider_ms belongs to
    hud: bool = False
    avatar: bool = False
    backdrop: str = "#1f6f50"  # behind the avatar: a colour, or "transparent"
    fade_by_trust: bool = True
    record_content: str = "overlay"  # engine.recording.shot.Content
    record_suffix: str = ".mp4"  # or ".mkv"
    record_folder: str = ""  # empty: "n2fnet" among the user's videos
    private: bool = False  # parameters alone are kept, no pictures
    keep_replay: bool = False  # the last ten seconds, at hand to be saved
    n_faces: int = 1  # to follow, 1..8
    by_turns: bool = True  # faces beside the first are fitted as time allows, not in every frame
    against: str = ""  # a second method beside `method`; empty: none
    last_against: str = ""  # the one of the last time
    beside: bool = False  # two methods next to each other; False: with a line to drag
    person: str = ""  # name of a saved person; empty: learned in the first seconds
    camera_formats: Mapping[str, str] = field(
        default_factory=dict
    )  # by name, as CameraFormat's str


_OF_SOURCE = ("source", "source_title")

_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "theme": ("dark", "light"),
    "turns": (0, 1, 2, 3),
    "n_faces": tuple(range(1, 9)),
    "opacity": tuple(range(101)),
    "record_content": ("video", "overlay", "avatar", "side-by-side"),
    "record_suffix": (".mp4", ".mkv"),
}


def user_settings_dir() -> Path:
    """Where this user's settings are kept."""
    import platformdirs

    return platformdirs.user_config_path("n2fnet")


def settings_from(stored: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    """Settings as a file has them, of any version.

    Returns: them, and what was not understood, a line each for people; defaults take its place.
    """
    values, told = _migrated(dict(stored)), []
    version = values.pop("version", VERSION)
    if isinstance(version, int) and version > VERSION:
        told.append(
            f"the settings are of a newer n2fnet (form {version}); what it added is ignored"
        )
    known = {f.name: getattr(Settings(), f.name) for f in fields(Settings)}
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            told.append(f"setting {name!r} is unknown and ignored")
            continue
        if _is_right(name, value, known[name]):
            kept[name] = value
        else:
            told.append(f"setting {name} is {value!r}, which it cannot be; its default is used")
    return Settings(**kept), told


def _is_right(name: str, value: object, default: object) -> bool:
    """Whether a setting can be this. A table holds what the window itself wrote into it."""
    if isinstance(default, dict):
        return isinstance(value, dict) and all(isinstance(v, (str, float)) for v in value.values())
    return type(value) is type(default) and value in _CHOICES.get(name, (value,))


def _migrated(values: dict[str, Any]) -> dict[str, Any]:
    """The values of an older form under their names of today."""
    if values.get("version") == 1:
        if "smoothing" in values:
            values["steady"] = values.pop("smoothing")
        if "dark" in values:
            values["theme"] = "dark" if values.pop("dark") else "light"
        values["version"] = VERSION
    return values


def _set_aside(path: Path) -> str:
    """Rename a damaged file. Returns: what was done, for people."""
    kept = path.with_name(f"{path.name}.damaged")
    try:
        path.replace(kept)
    except OSError:
        return ""  # nor can it be overwritten then
    return f", and it is kept as {kept.name} beside it, to be mended"


class SettingsStore:
    """The settings file, and profiles beside it. A settings file that is damaged is told, and set
    aside before it would be overwritten."""

    def __init__(self, folder: Path | None, *, safe: bool = False) -> None:
        """Args:
        folder: holds settings.json and profiles/; None: nothing is kept.
        safe: begin with defaults, whatever is stored, and store nothing.
        """
        self._folder = None if safe else folder
        self._is_stored = True
        self._kept_instead: dict[str, Any] = {}  # of settings that are overridden
        self.told: list[str] = []
        """What was wrong with the file, a line each."""
        self.present = self._load(self._file) if self._file is not None else Settings()

    @property
    def _file(self) -> Path | None:
        return self._folder / "settings.json" if self._folder is not None else None

    def change(self, **changes: Any) -> None:  # noqa: ANN401  (fields' own types)
        """Change some settings; `save` stores them."""
        before = self._kept
        self.present = replace(self.present, **changes)
        self._kept_instead = {n: v for n, v in self._kept_instead.items() if n not in changes}
        self._is_stored = self._is_stored and self._kept == before

    def override(self, **changes: Any) -> None:  # noqa: ANN401  (fields' own types)
        """Have settings in force this time alone: `save` leaves out those not changed again."""
        kept = self._kept
        self._kept_instead |= {name: getattr(kept, name) for name in changes}
        self.present = replace(self.present, **changes)

    @property
    def _kept(self) -> Settings:
        """What is stored."""
        return replace(self.present, **self._kept_instead)

    def save(self) -> None:
        """Store what has changed; a disk that is full is logged, not raised."""
        if self._file is None or self._is_stored:
            return
        self._is_stored = True
        try:
            self._store(self._file, self._kept)
        except OutputError as error:
            logger.warning("settings are not kept: %s", error)

    def reset(self) -> None:
        """Everything as it is on a fresh machine; the source stays."""
        self._take(Settings())

    def profiles(self) -> list[str]:
        """Names of the profiles there are."""
        if self._folder is None:
            return []
        return sorted(path.stem for path in (self._folder / "profiles").glob("*.json"))

    def save_profile(self, name: str) -> None:
        """Keep the present settings under a name. Raises: OutputError, ValueError."""
        if (path := self._profile(name)) is not None:
            self._store(path, self.present)

    def delete_profile(self, name: str) -> None:
        """Raises: OutputError: if it cannot be deleted. ValueError: if the name is no file name."""
        if (path := self._profile(name)) is not None:
            delete(path)

    def use_profile(self, name: str) -> None:
        """Take a profile's settings; the source stays.

        Raises: ValueError: if the name is no file name.
        """
        if (path := self._profile(name)) is not None:
            self._take(self._load(path))

    def _take(self, settings: Settings) -> None:
        """All but the source: it is known by the settings while it is shown."""
        taken = asdict(settings)
        self.change(**{name: value for name, value in taken.items() if name not in _OF_SOURCE})

    def _profile(self, name: str) -> Path | None:
        if not name.strip() or any(c in name for c in '/\\:*?"<>|') or name.startswith("."):
            raise ValueError(f"{name!r} cannot be a profile's name; use letters, digits and spaces")
        return self._folder / "profiles" / f"{name}.json" if self._folder is not None else None

    def _load(self, path: Path) -> Settings:
        try:
            stored = json.loads(path.read_text("utf-8"))
            if not isinstance(stored, dict):
                raise ValueError("it holds no table")
        except FileNotFoundError:
            return Settings()
        except (OSError, ValueError) as error:
            aside = _set_aside(path) if path == self._file else ""
            self.told.append(f"{path} cannot be read ({error}); defaults are used{aside}")
            return Settings()
        settings, told = settings_from(stored)
        self.told += told
        return settings

    def _store(self, path: Path, settings: Settings) -> None:
        text = json.dumps({"version": VERSION, **asdict(settings)}, indent=2)
        with replacing(path) as temporary:
            temporary.write_text(text + "\n", "utf-8")
