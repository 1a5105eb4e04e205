"""A camera that other programs can choose, through pyvirtualcam, where the system has a driver."""

import sys
from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np

from engine.errors import ProviderError
from engine.recording.pictures import ShotPainter
from engine.recording.shot import Content, Look, Shot
from engine.types import U8

__all__ = ["VirtualCameraSink", "boxed", "missing_for_virtual_camera"]

_RATE: Final = 30  # frames a second that other programs are told; pictures come when they come
_DRIVERS: Final = {
    "linux": "load v4l2loopback: sudo modprobe v4l2loopback devices=1 exclusive_caps=1 "
    "card_label=n2fnet (Debian, Ubuntu: apt-get install v4l2loopback-dkms)",
    "darwin": "install OBS 30 or newer and start its virtual camera once",
    "win32": "install OBS, which brings the driver",
}


def missing_for_virtual_camera() -> str:
    """What is missing, and how to get it; empty where a camera can be opened.

    The camera is opened for a moment to find out.
    """
    try:
        _open_camera(640, 480).close()
    except ProviderError as error:
        return str(error)
    return ""


def _open_camera(width: int, height: int) -> Any:  # noqa: ANN401  (pyvirtualcam.Camera)
    try:
        import pyvirtualcam
    except ImportError as error:
        raise ProviderError(
            "a virtual camera needs pyvirtualcam: pip install 'n2fnet[stream]'"
        ) from error
    try:
        return pyvirtualcam.Camera(
            width=width, height=height, fps=_RATE, fmt=pyvirtualcam.PixelFormat.RGB
        )
    except (RuntimeError, OSError, ValueError) as error:
        fix = _DRIVERS.get(sys.platform, "install OBS")
        raise ProviderError(f"no virtual camera here ({_one_line(error)}): {fix}") from error


def _one_line(error: Exception) -> str:
    """Its first sentence: drivers go on with where to read more."""
    return " ".join(str(error).split()).partition(". ")[0][:120]


class VirtualCameraSink:
    """Draws shots and shows them through the camera, whose size is that of the first."""

    def __init__(self, painter: ShotPainter, content: Content, look: Callable[[], Look]) -> None:
        """painter: closed here."""
        self._painter, self._content, self._look = painter, content, look
        self._camera: Any = None

    def send(self, shot: Shot) -> bool:
        picture = self._painter.picture(shot, self._content, self._look())
        if self._camera is None:
            height, width = picture.shape[:2]
            # Drivers keep two pixels' colours together.
            self._camera = _open_camera(width + width % 2, height + height % 2)
        self._camera.send(boxed(picture, self._camera.width, self._camera.height))
        return True

    def close(self) -> None:
        self._painter.close()
        if self._camera is not None:
            self._camera.close()


def boxed(picture: U8, width: int, height: int) -> U8:
    """(height, width, 3): the picture as large as it fits, in the middle of black."""
    rows, columns = picture.shape[:2]
    if (rows, columns) == (height, width):
        return np.ascontiguousarray(picture)
    scale = min(width / columns, height / rows)
    size = (max(1, min(width, round(columns * scale))), max(1, min(height, round(rows * scale))))
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    fitted = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else 1)
    canvas[top : top + size[1], left : left + size[0]] = fitted
    return canvas
