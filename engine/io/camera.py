"""Webcams. The only module that uses cv2's camera part."""

import errno
import os
import platform
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from engine.errors import CaptureError
from engine.io.camera_format import AUTOMATIC, CODES, CameraFormat
from engine.io.live import Device, LiveReader, LiveSource
from engine.types import U8

_QT_VARIABLES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")
_before = {name: os.environ.get(name) for name in _QT_VARIABLES}
import cv2  # noqa: E402  (the lines around it undo what it does to Qt)

for _name, _value in _before.items():
    # cv2 points Qt to the plugins of its own Qt 5, with which our Qt 6 cannot start.
    if _value is None:
        os.environ.pop(_name, None)
    else:
        os.environ[_name] = _value

__all__ = ["CameraInfo", "CameraSource", "Capture", "list_cameras", "negotiated"]

SYS_VIDEO: Final = Path("/sys/class/video4linux")
N_PROBED: Final = 6
"""Where the system has no list, camera numbers 0..5 are tried."""
MAX_FAILED_READS: Final = 5
"""A USB camera may lose single pictures; as many in a row mean that it is gone."""


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera that the system knows."""

    index: int  # what CameraSource takes
    name: str  # as a person knows it
    path: str  # device file; empty where the system has none


class CameraSource(LiveSource):
    """A webcam as a `Source`: always the newest picture, older ones are dropped and counted."""

    def __init__(
        self,
        index: int,
        *,
        wanted: CameraFormat = AUTOMATIC,
        timeout_s: float = 5.0,
        open_device: Callable[[], Device] | None = None,
    ) -> None:
        """Open a camera and wait for its first picture.

        Args:
            index: its number, see `list_cameras`.
            wanted: format asked for; the camera may choose another, see `taken_format`.
            timeout_s: longest wait for opening and for each picture, seconds.
            open_device: opens another device in place of the camera (tests, other drivers).
        Raises: CaptureError: if there is no such camera, it is in use, not permitted or silent.
        """
        self.name = f"webcam:{index}"
        self.taken_format: CameraFormat | None = None
        """What the camera took of what was asked for; its rate is a promise, see `measured_fps`."""

        def open_camera() -> Device:
            device = _CvCamera(index, wanted)
            self.taken_format = device.taken
            return device

        opener = open_device or open_camera
        super().__init__(LiveReader(self.name, opener, timeout_s=timeout_s))


class _CvCamera:
    """OpenCV's view of a camera, opened for a compressed format where there is one."""

    def __init__(self, index: int, wanted: CameraFormat) -> None:
        self._name = f"webcam:{index}"
        if problem := _linux_problem(index):
            raise CaptureError(problem)
        self._capture: Any = _open_capture(index)
        if self._capture is None:
            raise CaptureError(
                f"{self._name} does not open: another program probably uses it, or the system "
                "does not permit it; close other camera programs and allow camera access"
            )
        self.taken = negotiated(self._capture, wanted)

    def read(self) -> U8:
        for _ in range(MAX_FAILED_READS):
            ok, bgr = self._capture.read()
            if ok:
                rgb: U8 = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
                return rgb
        raise CaptureError(f"{self._name} stopped giving pictures; check its cable and start again")

    def close(self) -> None:
        self._capture.release()


class Capture(Protocol):
    """What is used of cv2.VideoCapture here."""

    def set(self, key: int, value: float, /) -> bool: ...
    def get(self, key: int, /) -> float: ...


def negotiated(capture: Capture, wanted: CameraFormat) -> CameraFormat:
    """Ask an open camera for a format.

    The coding comes first, as many drivers offer other sizes and rates with another one: the one
    that is wanted, then MJPG, then raw.

    Returns: what it says that it took; where it says nothing, what was asked for.
    """
    for code in dict.fromkeys(filter(None, (wanted.code, *CODES))):
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*code))
        if _code_of(capture) in (code, ""):
            break
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, wanted.width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, wanted.height)
    capture.set(cv2.CAP_PROP_FPS, wanted.fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    width, height = (
        int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    taken = replace(wanted, code=_code_of(capture))
    if width > 0 and height > 0:
        taken = replace(taken, width=width, height=height)
    return replace(taken, fps=fps) if 0.0 < fps < 1000.0 else taken


def _code_of(capture: Capture) -> str:
    """Four letters; empty where the driver does not say."""
    number = int(capture.get(cv2.CAP_PROP_FOURCC))
    letters = bytes((number >> shift) & 0xFF for shift in (0, 8, 16, 24)) if number > 0 else b""
    text = letters.decode("latin-1")
    return text if re.fullmatch(r"\w{4}", text, re.ASCII) else ""


def _open_capture(index: int) -> Any:  # noqa: ANN401  (cv2.VideoCapture)
    """The first backend that opens the camera, or None."""
    backends = {
        "linux": [cv2.CAP_V4L2],
        "win32": [cv2.CAP_DSHOW, cv2.CAP_MSMF],  # MSMF takes up to a minute to open some cameras
        "darwin": [cv2.CAP_AVFOUNDATION],
    }.get(sys.platform, [cv2.CAP_ANY])
    # OpenCV writes to stderr what the caller gets as an error with a remedy.
    level = cv2.getLogLevel()
    cv2.setLogLevel(_SILENT)
    try:
        for backend in backends:
            capture = cv2.VideoCapture(index, backend)
            if capture.isOpened():
                return capture
            capture.release()
    finally:
        cv2.setLogLevel(level)
    return None


_SILENT: Final = 0  # cv::utils::logging::LOG_LEVEL_SILENT


def list_cameras(sys_video: Path = SYS_VIDEO) -> list[CameraInfo]:
    """The cameras there are: on Linux by name and without opening them, elsewhere by trying.

    Args:
        sys_video: where Linux lists its video devices.
    """
    if platform.system() == "Linux":
        return _list_linux(sys_video)
    found = []
    for index in range(N_PROBED):
        if (capture := _open_capture(index)) is not None:
            capture.release()
            found.append(CameraInfo(index, f"Camera {index}", ""))
    return found


def _list_linux(sys_video: Path) -> list[CameraInfo]:
    if not sys_video.is_dir():
        return []
    cameras = []
    for entry in sys_video.glob("video*"):
        number = entry.name.removeprefix("video")
        if not number.isdecimal() or _read(entry / "index", "0") not in _PICTURE_NODES:
            continue
        name = _read(entry / "name", f"Camera {number}")
        cameras.append(CameraInfo(int(number), name, f"/dev/video{number}"))
    return sorted(cameras, key=lambda camera: camera.index)


_PICTURE_NODES: Final = ("0", "2", "4", "6")
"""USB cameras have two nodes a sensor: the picture, then its metadata, which cannot be shown."""


def _read(path: Path, default: str) -> str:
    try:
        return path.read_text(errors="replace").strip() or default
    except OSError:
        return default


def _linux_problem(index: int, dev: Path = Path("/dev"), sys_video: Path = SYS_VIDEO) -> str | None:
    """Why a camera cannot be opened, and what to do; None if it can, or this is not Linux."""
    if platform.system() != "Linux":
        return None
    node = dev / f"video{index}"
    try:
        os.close(os.open(node, os.O_RDWR | os.O_NONBLOCK))
    except FileNotFoundError:
        others = ", ".join(f"webcam:{c.index} ({c.name})" for c in _list_linux(sys_video))
        remedy = f"there is {others}" if others else "no camera was found; plug one in"
        return f"webcam:{index} does not exist ({node} is missing); {remedy}"
    except PermissionError:
        return (
            f"webcam:{index} may not be used by this account ({node}: permission denied); "
            "run `sudo usermod -aG video $USER` and log in again"
        )
    except OSError as error:
        if error.errno == errno.EBUSY:
            return (
                f"webcam:{index} is in use by another program; close it "
                f"(`fuser {node}` names it) and start again"
            )
        return f"webcam:{index} cannot be opened: {error.strerror}; plug it in again"
    return None
