"""Which cameras there are, which picture formats they offer, and which one was chosen for each."""

from collections.abc import Callable, Iterable
from typing import Any

from app.qt import media_devices, pixel_format_code
from app.settings import Settings, SettingsStore
from engine.io.camera import CameraInfo, list_cameras
from engine.io.camera_format import AUTOMATIC, USUAL, CameraFormat

__all__ = ["CameraDesk", "camera_named", "chosen_format", "formats_of"]

_CODES_FIRST = ("MJPG", "H264")
"""Of two formats that differ in their coding alone, the one that a cable carries more easily."""


def camera_named(name: str, cameras: Iterable[CameraInfo]) -> CameraInfo | None:
    """The camera of this name; its number may be another one since it was plugged in again."""
    return next((camera for camera in cameras if camera.name == name), None)


def chosen_format(settings: Settings) -> CameraFormat:
    """What the camera that is opened now is asked for."""
    return CameraFormat.parse(settings.camera_formats.get(settings.source_title, "")) or AUTOMATIC


def formats_of(devices: Any, camera: CameraInfo) -> list[CameraFormat]:  # noqa: ANN401  (Qt's)
    """What Qt says that a camera offers, largest first; empty where it does not know the camera.

    Args:
        devices: QMediaDevices or the like; None: Qt cannot tell.
    """
    for device in devices.videoInputs() if devices is not None else ():
        path = bytes(device.id()).decode(errors="replace")
        if camera.name != device.description() and (not camera.path or camera.path != path):
            continue
        found = set()
        for offered in device.videoFormats():
            size, code = offered.resolution(), pixel_format_code(offered.pixelFormat())
            found.add(CameraFormat(size.width(), size.height(), offered.maxFrameRate(), code))
        return sorted(found, key=_order)
    return []


def _order(found: CameraFormat) -> tuple[int, float, int, str]:
    rank = _CODES_FIRST.index(found.code) if found.code in _CODES_FIRST else len(_CODES_FIRST)
    return -found.width * found.height, -found.fps, rank, found.code


class CameraDesk:
    """Of one window."""

    def __init__(
        self,
        store: SettingsStore,
        list_them: Callable[[], list[CameraInfo]] = list_cameras,
        devices: Any = None,  # noqa: ANN401  (Qt's)
    ) -> None:
        """devices: as for `formats_of`; None: Qt's own, where it can be had."""
        self._store, self.list = store, list_them
        self._devices = devices

    def offered(self, name: str) -> tuple[list[CameraFormat], bool]:
        """Formats to choose from, and whether the camera is known to have them."""
        if self._devices is None:
            self._devices = media_devices()
        camera = camera_named(name, self.list())
        known = formats_of(self._devices, camera) if camera is not None else []
        return (known, True) if known else (list(USUAL), False)

    def chosen(self, name: str) -> CameraFormat | None:
        """What a camera is asked for; None: it is left to the program."""
        return CameraFormat.parse(self._store.present.camera_formats.get(name, ""))

    def choose(self, name: str, wanted: CameraFormat | None) -> None:
        """From the next opening on; None: leave it to the program."""
        others = {n: f for n, f in self._store.present.camera_formats.items() if n != name}
        self._store.change(camera_formats=others | ({name: str(wanted)} if wanted else {}))
