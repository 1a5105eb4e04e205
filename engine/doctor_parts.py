"""What `n2f doctor` tells of the parts the program is made of; as `engine.doctor_checks`."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from engine.doctor_checks import Check
from engine.errors import AssetError, OutputError

if TYPE_CHECKING:
    from engine.flame.cache import ImportedHead
    from engine.io.assets import Asset

__all__ = [
    "check_heads",
    "check_licences",
    "check_mediapipe",
    "check_processor",
    "check_qt_plugins",
    "check_recording",
]

_FACE_MODELS: Final = (
    "face_detection_short_range.tflite",
    "face_detection_full_range_sparse.tflite",
    "face_landmark_with_attention.tflite",
)
_MEDIAPIPE: Final = "0.10.21"  # the last with its face models inside
_QT_PATHS: Final = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_PLUGIN_PATH")
_MOST_TIME_ERROR_MS: Final = 1.0
_MOST_LOST_MS: Final = 1000.0


def check_processor(cores: int, all_cores: int) -> Check:
    """Whether camera, fit and window can run beside each other.

    Args:
        cores: that this process may use.
        all_cores: that the machine has.
    """
    shown = f"{cores} of {all_cores} cores may be used" if cores != all_cores else f"{cores} cores"
    if cores >= 2:
        return Check("Processor", "ok", shown)
    fix = "give it two cores, or use `--method landmarks`; frames that come too fast are left out"
    return Check("Processor", "warn", f"{shown}; live view will lag", fix)


def check_mediapipe(version: str | None, files: Sequence[str]) -> Check:
    """Whether MediaPipe has the face models inside, without which no face is found.

    Args:
        files: paths of what its wheel installed.
    """
    again = f"run `pip install mediapipe=={_MEDIAPIPE}`, the last that brings its face models"
    if version is None:
        return Check("MediaPipe", "fail", "not installed", again)
    names = {path.rpartition("/")[2] for path in files}
    if missing := [name for name in _FACE_MODELS if name not in names]:
        return Check("MediaPipe", "fail", f"{version} without {', '.join(missing)}", again)
    return Check("MediaPipe", "ok", f"{version}, face models inside")


def check_qt_plugins(environment: Mapping[str, str]) -> Check:
    """Paths that make Qt load another package's plugins, which ends in an error about xcb."""
    found = [f"{key}={environment[key]}" for key in _QT_PATHS if environment.get(key)]
    if not found:
        return Check("Qt plugins", "ok", "Qt's own")
    names = " ".join(pair.partition("=")[0] for pair in found)
    return Check(
        "Qt plugins",
        "warn",
        f"{', '.join(found)}: Qt looks there first",
        f"run `unset {names}`, unless you set it for this program",
    )


def check_recording(measure: Callable[[], Mapping[str, float]]) -> Check:
    """Whether a short recording keeps its times, also when the program is killed.

    Args:
        measure: as `engine.io.recording_check.try_recording`.
    """
    fix = "run `pip install --force-reinstall av`, and free some space in the temporary folder"
    try:
        found = measure()
    except OutputError as error:
        return Check("Recording", "fail", str(error), fix)
    error_ms, lost_ms = found["time_error_ms"], found["lost_ms"]
    shown = f"times kept to {error_ms:.2f} ms; a killed recording loses {lost_ms / 1000:.1f} s"
    if error_ms > _MOST_TIME_ERROR_MS or lost_ms > _MOST_LOST_MS:
        return Check("Recording", "warn", shown, fix)
    return Check("Recording", "ok", shown)


def check_heads(heads: "Sequence[ImportedHead]") -> Check:
    """Which head models there are besides the shipped one, and what they may be used for."""
    if not heads:
        found = "openhead; no FLAME file imported (`n2f assets import FILE`)"
        return Check("Head models", "ok", found)
    names = ", ".join(f"{head.release.name} ({head.release.licence})" for head in heads)
    return Check("Head models", "ok", f"openhead, {names}")


def check_licences(
    load: "Callable[[], Sequence[Asset]]", installed: Callable[[str], str | None]
) -> Check:
    """Under which terms the program, what comes with it, and what was added to it are."""
    try:
        kinds = sorted({asset.licence for asset in load()})
    except AssetError as error:
        return Check("Licences", "fail", str(error), "take a fresh copy of the project")
    found = f"program GPL-3.0-or-later (as PyQt6); files with it {', '.join(kinds)}"
    if installed("pyvirtualcam"):
        found += "; pyvirtualcam GPL-2.0"
    return Check("Licences", "ok", f"{found}; NOTICE has the rest")
