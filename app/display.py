"""Whether a window can be opened, found out before Qt, which would abort the program."""

import ctypes
import os
import sys

from engine.errors import ProviderError

__all__ = ["check_display", "has_display"]


def has_display() -> bool:
    """Whether this session says that it has a display."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return not sys.platform.startswith("linux") or any(os.environ.get(name) for name in names)


def check_display() -> None:
    """Raises: ProviderError: if there is no display, it does not answer, or a library lacks."""
    if not has_display():
        raise ProviderError(
            "there is no display to open a window on (DISPLAY and WAYLAND_DISPLAY are not set). "
            "`n2f demo --headless --out DIR` and `n2f fit` need none"
        )
    on_x11 = sys.platform.startswith("linux") and os.environ.get("DISPLAY")
    if on_x11 and not os.environ.get("WAYLAND_DISPLAY") and not os.environ.get("QT_QPA_PLATFORM"):
        _check_x11()


def _check_x11() -> None:
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
        ctypes.CDLL("libxcb-cursor.so.0")
    except OSError as error:
        raise ProviderError(
            f"Qt needs a system library that is missing ({error}). On Debian and Ubuntu: "
            "sudo apt-get install -y libxcb-cursor0"
        ) from error
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    failed = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    if failed:
        raise ProviderError(
            f"the display {os.environ['DISPLAY']} does not answer. Is it running, and may this "
            "user use it? `n2f demo --headless --out DIR` and `n2f fit` need no display"
        )
