"""Notices cameras that are plugged in or out while the program runs."""

import sys
from collections.abc import Callable

from app.qt import QObject, QTimer, media_devices
from engine.io.camera import CameraInfo, list_cameras

__all__ = ["CameraWatch"]

_EVERY_MS = 1500


class CameraWatch(QObject):
    """Calls back when the list of cameras has changed.

    Qt Multimedia tells at once, where it can be imported. On Linux the system's list, which opens
    no device, is read now and then besides: without Qt's part that is enough. Elsewhere without it
    nothing is noticed, and `Try again` remains.
    """

    def __init__(
        self,
        changed: Callable[[list[CameraInfo]], None],
        list_them: Callable[[], list[CameraInfo]] = list_cameras,
        every_ms: int = _EVERY_MS,
        notifier: QObject | None = None,
    ) -> None:
        """notifier: has the signal videoInputsChanged; None: Qt's own list."""
        super().__init__()
        self._changed, self._list = changed, list_them
        self._is_listed = sys.platform.startswith("linux")
        self._known = list_them() if self._is_listed else []
        self._notifier: QObject | None = None
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        if self._is_listed:
            self._timer.start(every_ms)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        if notifier is not None:
            self._listen_to(notifier)
        else:  # not before the first window: it loads some libraries
            self._later.timeout.connect(lambda: self._listen_to(media_devices()))
            self._later.start(every_ms)

    def look(self) -> None:
        """Compare the list with what it was."""
        cameras = self._list()
        if cameras != self._known:
            self._known = cameras
            self._changed(cameras)

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()
        self._later.stop()
        if self._notifier is not None:
            self._notifier.videoInputsChanged.disconnect()
            self._notifier = None

    def _listen_to(self, notifier: QObject | None) -> None:
        self._notifier = notifier
        if notifier is not None:
            # Elsewhere lists have no names that would show a change: the signal is one.
            notifier.videoInputsChanged.connect(self.look if self._is_listed else self._tell)

    def _tell(self) -> None:
        self._known = self._list()
        self._changed(self._known)
