"""What works on this machine, what does not, and what to do about it.

Nothing here imports Qt, or opens a window or a camera. What can crash or hang (OpenGL, the runtime
of networks) is asked in another process. Packages that may be broken are imported inside the check
that needs them, so that the others still run.
"""

import ctypes
import json
import os
import platform
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

from engine.doctor_checks import (
    Check,
    check_assets,
    check_cameras,
    check_disk,
    check_display,
    check_encoder,
    check_gl,
    check_normals,
    check_onnx,
    check_opencv,
    check_packages,
    check_python,
    check_qt_libraries,
    check_sending,
)
from engine.doctor_parts import (
    check_heads,
    check_licences,
    check_mediapipe,
    check_processor,
    check_qt_plugins,
    check_recording,
)
from engine.errors import ProviderError

__all__ = ["Check", "as_json", "as_text", "has_failed", "run_checks"]

PROBE_TIMEOUT_S: Final = 30.0
TEXT_WIDTH: Final = 100


def run_checks(folder: Path | None = None) -> list[Check]:
    """Look at everything; takes some seconds.

    Args:
        folder: where output would go, for the free space; default the working folder.
    """
    # Importing cv2 sets variables that Qt looks at: what they were is read first.
    environment = dict(os.environ)
    steps: list[tuple[str, Callable[[], Check]]] = [
        ("Processor", lambda: check_processor(_usable_cores(), os.cpu_count() or 1)),
        ("Python", lambda: check_python(sys.version_info[:3])),
        ("Packages", lambda: check_packages(_requirements(), installed_version)),
        ("OpenCV", lambda: check_opencv(installed_version)),
        ("MediaPipe", lambda: check_mediapipe(installed_version("mediapipe"), _files("mediapipe"))),
        ("ONNX Runtime", lambda: check_onnx(installed_version, _onnx_providers, _has_nvidia())),
        ("Normal network", lambda: check_normals(_normals_measured)),
        ("Qt libraries", lambda: check_qt_libraries(ctypes.CDLL, platform.system())),
        ("Qt plugins", lambda: check_qt_plugins(environment)),
        ("Display", lambda: check_display(environment, platform.system())),
        ("OpenGL", lambda: check_gl(_gl_description)),
        ("Cameras", _look_for_cameras),
        ("Assets", _look_at_assets),
        ("Head models", _look_for_heads),
        ("Licences", _look_at_licences),
        ("Video encoder", _look_for_encoder),
        ("Recording", _try_recording),
        ("Sending", _look_for_receivers),
        ("Disk", lambda: check_disk(shutil.disk_usage(folder or Path.cwd()).free)),
    ]
    return [_guarded(name, step) for name, step in steps]


def has_failed(checks: Sequence[Check]) -> bool:
    """True if something needs to be mended before the program can be used."""
    return any(check.status == "fail" for check in checks)


def as_text(checks: Sequence[Check]) -> str:
    """A page of plain text, fit for pasting into a message."""
    n_fail = sum(check.status == "fail" for check in checks)
    n_warn = sum(check.status == "warn" for check in checks)
    width = max(len(check.name) for check in checks)
    indent = " " * (6 + width + 2)
    lines = [f"n2f doctor on {platform.platform()}, {os.cpu_count()} cores", ""]
    for check in checks:
        first = f"{check.status:<6}{check.name:<{width}}  "
        lines += textwrap.wrap(
            first + check.found, TEXT_WIDTH, subsequent_indent=indent, **_WHOLE_WORDS
        )
        if check.fix:
            lines += textwrap.wrap(
                f"-> {check.fix}",
                TEXT_WIDTH,
                initial_indent=indent,
                subsequent_indent=indent + "   ",
                **_WHOLE_WORDS,
            )
    summary = "everything works" if not n_fail + n_warn else f"{n_fail} failed, {n_warn} to note"
    return "\n".join([*lines, "", summary])


def as_json(checks: Sequence[Check]) -> str:
    """The same for programs: system, ok, and checks with name, status, found and fix."""
    report = {
        "system": platform.platform(),
        "ok": not has_failed(checks),
        "checks": [asdict(check) for check in checks],
    }
    return json.dumps(report, indent=2, ensure_ascii=False)


def installed_version(name: str) -> str | None:
    """Version of an installed package; None where there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


_WHOLE_WORDS: Final[dict[str, Any]] = {"break_long_words": False, "break_on_hyphens": False}
_GL_PROBE: Final = """
import json
from engine.render.drawing_check import try_drawing
print(json.dumps(try_drawing()))
"""
_ONNX_PROBE: Final = """
import json, onnxruntime
print(json.dumps(onnxruntime.get_available_providers()))
"""
_NORMALS_PROBE: Final = """
import json
from engine.normal_speed import measure_shipped
print(json.dumps(measure_shipped()))
"""


def _guarded(name: str, step: Callable[[], Check]) -> Check:
    try:
        return step()
    except Exception as error:  # noqa: BLE001  (a broken machine must not break its diagnosis)
        return Check(name, "fail", f"the check itself failed: {error!r}", "report this line")


def _look_for_cameras() -> Check:
    from engine.io.camera import list_cameras

    return check_cameras(list_cameras(), lambda path: os.access(path, os.R_OK | os.W_OK))


def _look_at_assets() -> Check:
    from engine.io.assets import load_manifest

    return check_assets(load_manifest)


def _look_for_heads() -> Check:
    from engine.flame.cache import imported_heads

    return check_heads(imported_heads())


def _look_at_licences() -> Check:
    from engine.io.assets import load_manifest

    return check_licences(load_manifest, installed_version)


def _try_recording() -> Check:
    from engine.io.recording_check import try_recording

    return check_recording(try_recording)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _files(name: str) -> list[str]:
    """Paths of what a package installed; none where there is no such package."""
    try:
        return [file.as_posix() for file in metadata.files(name) or []]
    except metadata.PackageNotFoundError:
        return []


def _look_for_encoder() -> Check:
    from engine.io.recorder import has_encoder

    return check_encoder(has_encoder(), installed_version("av"))


def _look_for_receivers() -> Check:
    from engine.streaming.virtual_camera import missing_for_virtual_camera

    return check_sending(installed_version("python-osc"), missing_for_virtual_camera())


def _requirements() -> list[Requirement]:
    """What the program needs always, without its extras."""
    try:
        lines = metadata.requires("n2fnet") or []
    except metadata.PackageNotFoundError:
        return []
    wanted = [Requirement(line) for line in lines]
    return [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]


def _probe(code: str, timeout_s: float = PROBE_TIMEOUT_S) -> Any:  # noqa: ANN401  (JSON)
    """What code prints as JSON in another process. Raises: ProviderError: if it fails or hangs."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired as error:
        raise ProviderError(f"no answer within {timeout_s:g} s") from error
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise ProviderError(f"exit code {done.returncode}: {last}")
    return json.loads(done.stdout)


def _gl_description() -> Mapping[str, str]:
    description: dict[str, str] = _probe(_GL_PROBE)
    return description


def _onnx_providers() -> list[str]:
    providers: list[str] = _probe(_ONNX_PROBE)
    return providers


def _normals_measured() -> Mapping[str, str | float]:
    measured: dict[str, str | float] = _probe(_NORMALS_PROBE)
    return measured


def _has_nvidia() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None
