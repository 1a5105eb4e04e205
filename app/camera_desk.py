"""Which cameras there are, which picture formats they offer, and which one was chosen for each."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from app.qt import media_devices, pixel_format_code
from app.settings import Settings, SettingsStore
from engine.io.camera import CameraInfo, list_cameras
from engine.io.camera_format import AUTOMATIC, USUAL, CameraFormat

__all__ = [
    "CameraDesk",
    "camera_named",
    "chosen_format",
    "formats_of",
    "number_of",
    "uniquely_named",
]

_CODES_FIRST = ("MJPG", "H264")
"""Of two formats that differ in their coding alone, the one that a cable carries more easily."""


def uniquely_named(cameras: Iterable[CameraInfo]) -> list[CameraInfo]:
    """The same cameras; where two have one name, as a laptop's for colour and for infrared, the
    second is "NAME (2)"."""
    cameras, named = list(cameras), list[CameraInfo]()
    taken = {camera.name for camera in cameras}
    for camera in cameras:
        name, number = camera.name, 1
        if any(other.name == name for other in named):
            while name in taken:
                number += 1
                name = f"{camera.name} ({number})"
        taken.add(name)
        named.append(replace(camera, name=name))
    return named


def _plain(name: str) -> str:
    """Without the number of `uniquely_named`."""
    return re.sub(r" \(\d+\)$", "", name)


def number_of(spec: str) -> int | None:
    """The camera's number in a spec such as webcam:2; None: it is none of a camera."""
    kind, _, number = spec.partition(":")
    return int(number) if kind == "webcam" and number.isdecimal() else None


def camera_named(
    name: str, cameras: Iterable[CameraInfo], number: int | None = None
) -> CameraInfo | None:
    """The camera of this name, as `uniquely_named` gives it.

    Args:
        number: that it had; another one since it was plugged in again, unless the camera there
            has the name still.
    """
    cameras = list(cameras)
    for camera, named in zip(cameras, uniquely_named(cameras), strict=True):
        if camera.index == number and name in (named.name, camera.name):
            return named
        if camera.index == number and _plain(name) == camera.name:
            return named  # it was the second, and the first has gone
    return next((camera for camera in uniquely_named(cameras) if camera.name == name), None)


def chosen_format(settings: Settings) -> CameraFormat:
    """What the camera that is opened now is asked for."""
    return CameraFormat.parse(settings.camera_formats.get(settings.source_title, "")) or AUTOMATIC


def formats_of(devices: Any, camera: CameraInfo) -> list[CameraFormat]:  # noqa: ANN401  (Qt's)
    """What Qt says that a camera offers, largest first; empty where it does not know the camera.

    Args:
        devices: QMediaDevices or the like; None: Qt cannot tell.
    """
    for device in _devices_of(devices, camera) if devices is not None else ():
        found = set()
        for offered in device.videoFormats():
            size, code = offered.resolution(), pixel_format_code(offered.pixelFormat())
            found.add(CameraFormat(size.width(), size.height(), offered.maxFrameRate(), code))
        return sorted(found, key=_order)
    return []


def _devices_of(devices: Any, camera: CameraInfo) -> list[Any]:  # noqa: ANN401  (Qt's)
    """By the device file, which is one camera's alone, else by the name."""
    known = list(devices.videoInputs())
    paths = [bytes(device.id()).decode(errors="replace") for device in known]
    if camera.path and camera.path in paths:
        return [known[paths.index(camera.path)]]
    return [device for device in known if device.description() == camera.name]


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
