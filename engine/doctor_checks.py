"""What `n2f doctor` looks at: each check gets what was found and says what it means.

Nothing here touches the machine, so that every outcome can be tested on any machine.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from packaging.requirements import Requirement

from engine.errors import AssetError, ProviderError

if TYPE_CHECKING:
    from engine.io.assets import Asset
    from engine.io.camera import CameraInfo

__all__ = [
    "Check",
    "Status",
    "check_assets",
    "check_cameras",
    "check_disk",
    "check_display",
    "check_encoder",
    "check_gl",
    "check_normals",
    "check_onnx",
    "check_opencv",
    "check_packages",
    "check_python",
    "check_qt_libraries",
    "check_sending",
]

Status = Literal["ok", "warn", "fail"]

FREE_WARN_BYTES: Final = 2_000_000_000
FREE_FAIL_BYTES: Final = 200_000_000
_MOST_GROWN_MB: Final = 64.0  # over some runs of a warm network, which need nothing new
XCB_PACKAGES: Final = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
}
"""What Qt's window plugin loads, and the Debian package it is in."""


_OPENCV: Final = (
    "opencv-python",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    status: Status
    found: str
    fix: str = ""  # what to do; empty when ok

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise ValueError(f"status {self.status!r}, expected one of {get_args(Status)}")


def check_python(version: tuple[int, ...]) -> Check:
    """Args: version: major, minor, patch."""
    found = ".".join(map(str, version))
    if (3, 11) <= version[:2] < (3, 13):
        return Check("Python", "ok", f"{found}, {sys.executable}")
    return Check("Python", "fail", found, "use Python 3.11 (or 3.12); `make demo` sets it up")


def check_packages(
    requirements: Sequence[Requirement], installed: Callable[[str], str | None]
) -> Check:
    """Compare what is installed with what the program asks for."""
    wrong = []
    for wanted in requirements:
        version = installed(wanted.name)
        if version is None:
            wrong.append(f"{wanted.name} is missing")
        elif not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"{wanted.name} {version} instead of {wanted.specifier}")
    if not requirements:
        wrong = ["n2fnet itself is not installed"]
    if wrong:
        fix = "run `pip install` on n2fnet's wheel or folder again, or `make demo`"
        return Check("Packages", "fail", "; ".join(wrong), fix)
    return Check("Packages", "ok", f"all {len(requirements)} as asked for")


def check_opencv(installed: Callable[[str], str | None]) -> Check:
    """Two wheels of OpenCV overwrite each other's files."""
    there = {name: v for name in _OPENCV if (v := installed(name))}
    found = ", ".join(f"{name} {version}" for name, version in there.items())
    if len(there) == 1:
        return Check("OpenCV", "ok", found)
    again = "pip install --force-reinstall --no-deps opencv-contrib-python==4.11.0.86"
    if not there:
        return Check("OpenCV", "fail", "not installed", f"run `{again}`")
    return Check(
        "OpenCV",
        "fail",
        f"{len(there)} wheels that overwrite each other: {found}",
        f"run `pip uninstall -y {' '.join(there)}`, then `{again}`",
    )


def check_onnx(
    installed: Callable[[str], str | None], providers: Callable[[], list[str]], has_nvidia: bool
) -> Check:
    """Exactly one wheel of ONNX Runtime, fitting the graphics card."""
    cpu, gpu = installed("onnxruntime"), installed("onnxruntime-gpu")
    name = "ONNX Runtime"
    if cpu and gpu:
        return Check(
            name,
            "fail",
            f"onnxruntime {cpu} and onnxruntime-gpu {gpu}, which overwrite each other",
            "run `pip uninstall -y onnxruntime onnxruntime-gpu`, then `pip install onnxruntime` "
            "or, with an NVIDIA card, `pip install onnxruntime-gpu`",
        )
    if not cpu and not gpu:
        return Check(
            name,
            "warn",
            "not installed; --method landmarks works without",
            "run `pip install onnxruntime` or, with an NVIDIA card, `pip install onnxruntime-gpu`",
        )
    found = providers()
    shown = f"{cpu or gpu}, {', '.join(p.removesuffix('ExecutionProvider') for p in found)}"
    if gpu and "CUDAExecutionProvider" not in found:
        return Check(name, "warn", shown, "CUDA is missing: update the NVIDIA driver")
    if cpu and has_nvidia:
        return Check(
            name,
            "warn",
            f"{shown}; the NVIDIA card is not used",
            "run `pip uninstall -y onnxruntime`, then `pip install onnxruntime-gpu`",
        )
    return Check(name, "ok", shown)


def check_normals(measure: Callable[[], Mapping[str, str | float]]) -> Check:
    """Whether the shipped normal network is as recorded, and how fast it runs here.

    Args:
        measure: as `engine.normal_speed.measure_shipped`; raises ProviderError if it does not run.
    """
    name = "Normal network"
    try:
        found = measure()
    except ProviderError as error:
        fix = "take a fresh copy of the project, see ONNX Runtime above, or use --normals none"
        return Check(name, "fail", str(error), fix)
    if not found["file"]:
        return Check(name, "ok", "none is shipped; --method landmarks works without")
    shown = f"{found['file']} as recorded, {found['ms']:.1f} ms per face on {found['provider']}"
    if "n2fnet_ms" in found:
        shown += f"; N2FNet {found['n2fnet_ms']:.1f} ms"
    if (grown := float(found.get("grown_mb", 0.0))) > _MOST_GROWN_MB:
        fix = "update the graphics driver and onnxruntime-gpu, or use onnxruntime on the CPU"
        return Check(name, "warn", f"{shown}; each run keeps memory, {grown:.0f} MB by now", fix)
    if found["fallback"]:
        fix = "mend or remove what it asks for, or see ONNX Runtime above"
        return Check(name, "warn", f"{shown}; {found['fallback']}", fix)
    return Check(name, "ok", shown)


def check_qt_libraries(load: Callable[[str], object], system: str) -> Check:
    """The libraries that Qt's window plugin needs; Qt would abort the program without them."""
    if system != "Linux":
        return Check("Qt libraries", "ok", f"none needed on {system}")
    missing = []
    for library in XCB_PACKAGES:
        try:
            load(library)
        except OSError:
            missing.append(library)
    if not missing:
        return Check("Qt libraries", "ok", f"all {len(XCB_PACKAGES)}, libxcb-cursor among them")
    packages = " ".join(XCB_PACKAGES[library] for library in missing)
    return Check(
        "Qt libraries",
        "fail",
        f"missing: {', '.join(missing)}",
        f"run `sudo apt-get install -y {packages}` (names on Debian and Ubuntu)",
    )


def check_display(environment: Mapping[str, str], system: str) -> Check:
    """Whether a window can be opened."""
    if system != "Linux":
        return Check("Display", "ok", f"{system}'s own")
    found = [f"{k}={environment[k]}" for k in ("WAYLAND_DISPLAY", "DISPLAY") if environment.get(k)]
    if found:
        return Check("Display", "ok", ", ".join(found))
    return Check(
        "Display",
        "warn",
        "none: no window can be opened",
        "use `n2f demo --headless --out DIR` or `n2f fit`, or start it from a desktop",
    )


def check_gl(describe: Callable[[], Mapping[str, str]]) -> Check:
    """Whether pictures can be drawn, and by what.

    Args:
        describe: as `engine.render.drawing_check.try_drawing`.
    """
    try:
        found = describe()
    except ProviderError as error:
        return Check(
            "OpenGL",
            "fail",
            str(error),
            "install the graphics driver, or run "
            "`sudo apt-get install -y libegl1 libgl1-mesa-dri` (names on Debian and Ubuntu)",
        )
    shown = f"{found['renderer']}, {found['version']}"
    if found.get("trouble"):
        fix = "update the graphics driver, or draw by the processor: LIBGL_ALWAYS_SOFTWARE=1"
        return Check("OpenGL", "fail", f"{shown}; {found['trouble']}", fix)
    if any(name in found["renderer"].lower() for name in ("llvmpipe", "softpipe", "swrast")):
        fix = "drawn by the processor, which costs it time; a graphics driver would be faster"
        return Check("OpenGL", "warn", shown, fix)
    return Check("OpenGL", "ok", shown)


def check_cameras(cameras: "Sequence[CameraInfo]", may_use: Callable[[str], bool]) -> Check:
    """Which cameras there are, and whether this account may use them."""
    if not cameras:
        fix = "plug one in, or use a file: `n2f live --source FILE`"
        return Check("Cameras", "warn", "none found", fix)
    shown = ", ".join(f"webcam:{camera.index} {camera.name}" for camera in cameras)
    barred = [camera.path for camera in cameras if camera.path and not may_use(camera.path)]
    if barred:
        return Check(
            "Cameras",
            "warn",
            f"{shown}; no permission for {', '.join(barred)}",
            "run `sudo usermod -aG video $USER` and log in again",
        )
    return Check("Cameras", "ok", shown)


def check_assets(load: "Callable[[], Sequence[Asset]]") -> Check:
    """Every file of ours against its hash."""
    try:
        states = [(asset, asset.check()) for asset in load()]
    except AssetError as error:
        return Check("Assets", "fail", str(error), "take a fresh copy of the project")
    if bad := [(asset, state) for asset, state in states if state != "ok"]:
        found = ", ".join(f"{asset.file} is {state}" for asset, state in bad)
        commands = "; ".join(f"`{asset.command}`" for asset, _ in bad)
        return Check(
            "Assets", "fail", found, f"take a fresh copy of the project, or run {commands}"
        )
    found = ", ".join(f"{asset.file} {asset.sha256[:8]}" for asset, _ in states)
    return Check("Assets", "ok", found or "none listed")


def check_encoder(there: bool, version: str | None) -> Check:
    """Whether videos can be recorded.

    Args:
        there: libx264 is part of PyAV.
        version: PyAV's.
    """
    if there:
        return Check("Video encoder", "ok", f"libx264 in PyAV {version}")
    fix = "run `pip install --force-reinstall av`, whose own wheel has it"
    return Check("Video encoder", "fail", "PyAV without libx264", fix)


def check_sending(osc_version: str | None, camera_lacks: str) -> Check:
    """What other programs can be sent; Live Link Face needs nothing.

    Args:
        osc_version: python-osc's, None without it.
        camera_lacks: what a virtual camera lacks and how to get it; empty where one can be opened.
    """
    ready = ["Live Link Face"]
    ready += ["VMC"] if osc_version else []
    ready += [] if camera_lacks else ["virtual camera"]
    fixes = [] if osc_version else ["for VMC run `pip install 'n2fnet[stream]'`"]
    fixes += [camera_lacks] if camera_lacks else []
    return Check("Sending", "ok", ", ".join(ready), "; ".join(fixes))  # nothing here is needed


def check_disk(free_bytes: int) -> Check:
    """Space in the folder where output would go."""
    found = f"{free_bytes / 1e9:.1f} GB free here"
    if free_bytes >= FREE_WARN_BYTES:
        return Check("Disk", "ok", found)
    status: Status = "warn" if free_bytes >= FREE_FAIL_BYTES else "fail"
    return Check("Disk", status, found, "free some space, or choose another folder with --out")
