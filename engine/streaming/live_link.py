"""Live Link Face's UDP packet, which Unreal's plug-in "Apple ARKit Face Support" listens to.

Layout, network byte order: version 6; length and text of the device's id and of the subject's name;
frame number, part of a frame, frame rate as a fraction; a count of 61, and as many float32 in the
order of EARFaceBlendShape. Read off public senders and Unreal's public headers; not tried with
Unreal itself.
"""

import struct
import uuid
from typing import Final

from engine.flame.arkit import ARKIT_NAMES
from engine.io.arkit_csv import ROTATION_NAMES
from engine.streaming.face_signal import FaceSignal

__all__ = ["LiveLinkEncoder"]

_VERSION: Final = 6
_RATE: Final = 60
_COUNT: Final = len(ARKIT_NAMES) + len(ROTATION_NAMES)


class LiveLinkEncoder:
    """Signals to datagrams, all of one subject."""

    def __init__(self, subject: str = "n2fnet", device: str | None = None) -> None:
        """Args:
        subject: what Unreal shows; ASCII.
        device: an id; None: a new one.
        """
        self._head = bytes([_VERSION]) + _text(device or str(uuid.uuid4())) + _text(subject)

    def encode(self, signal: FaceSignal) -> list[bytes]:
        """The one datagram for one moment."""
        frames = signal.t_ns * _RATE / 1e9
        number = int(frames)
        time = struct.pack("!ifii", number % 2**31, frames - number, _RATE, 1)
        values = (*signal.weights.tolist(), *signal.rotations.tolist())
        return [self._head + time + struct.pack(f"!B{_COUNT}f", _COUNT, *values)]


def _text(text: str) -> bytes:
    data = text.encode("ascii", "replace")
    return struct.pack("!i", len(data)) + data
