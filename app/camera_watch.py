"""Notices cameras that are plugged in or out while the program runs."""

import sys
from collections.abc import Callable

from app.qt import QObject, QTimer
from engine.io.camera import CameraInfo, list_cameras

__all__ = ["CameraWatch", "camera_named"]

_EVERY_MS = 1500


def camera_named(name: str, cameras: list[CameraInfo]) -> CameraInfo | None:
    """The camera of this name; its number may be another one since it was plugged in again."""
    return next((camera for camera in cameras if camera.name == name), None)


class CameraWatch(QObject):
    """Calls back when the list of cameras has changed.

    On Linux the system's list is read, which opens no device. Elsewhere Qt Multimedia tells, where
    it can be imported; without it nothing is noticed, and `Try again` remains.
    """

    def __init__(
        self,
        changed: Callable[[list[CameraInfo]], None],
        list_them: Callable[[], list[CameraInfo]] = list_cameras,
        every_ms: int = _EVERY_MS,
    ) -> None:
        super().__init__()
        self._changed, self._list = changed, list_them
        self._known = list_them() if sys.platform.startswith("linux") else []
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        self._devices: QObject | None = None
        if sys.platform.startswith("linux"):
            self._timer.start(every_ms)
        else:
            self._devices = _qt_devices(self._tell)

    def look(self) -> None:
        """Compare the list with what it was."""
        cameras = self._list()
        if cameras != self._known:
            self._known = cameras
            self._changed(cameras)

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()

    def _tell(self) -> None:
        self._known = self._list()
        self._changed(self._known)


def _qt_devices(tell: Callable[[], None]) -> QObject | None:
    """Qt's own list, or None where its part for media lacks a library."""
    from app.qt import media_devices

    devices = media_devices()
    if devices is not None:
        devices.videoInputsChanged.connect(tell)
    return devices
