"""Where to send, as people write it: "vmc:127.0.0.1:39539", "livelink:HOST:PORT", "camera"."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.flame.arkit import ArkitSolver
from engine.flame.model import HeadModel
from engine.recording.pictures import ShotPainter
from engine.recording.shot import Content, Look
from engine.streaming.face_signal import PATTERN_STEP_NS, SignalMaker, channel_pattern
from engine.streaming.live_link import LiveLinkEncoder
from engine.streaming.sink import Sink
from engine.streaming.udp import DatagramEncoder, UdpSender, UdpSink
from engine.streaming.virtual_camera import VirtualCameraSink
from engine.streaming.vmc import VmcEncoder

__all__ = ["SendTarget", "make_sink", "parse_target", "send_pattern"]

_PORTS: Final = {"vmc": 39539, "livelink": 11111}
"""Where receivers listen if nobody told them otherwise."""
_USAGE: Final = "vmc:HOST:PORT, livelink:HOST:PORT or camera"


@dataclass(frozen=True, slots=True)
class SendTarget:
    """One receiver."""

    kind: str  # "vmc", "livelink" or "camera"
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}:{host}:{self.port}" if self.host else self.kind


def parse_target(text: str) -> SendTarget:
    """Host and port may be left out: this machine, and the usual port.

    Raises: ValueError: if it is none of the forms.
    """
    kind, _, rest = text.strip().partition(":")
    kind = kind.lower()
    if kind == "camera" and not rest:
        return SendTarget("camera")
    if kind not in _PORTS:
        raise ValueError(f"{text!r}: expected {_USAGE}")
    host, port = _split(rest)
    if not port:
        return SendTarget(kind, host or "127.0.0.1", _PORTS[kind])
    if not (port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"{text!r}: port {port!r}, expected 1..65535")
    return SendTarget(kind, host or "127.0.0.1", int(port))


def _split(rest: str) -> tuple[str, str]:
    """Host and port; an IPv6 host stands in brackets."""
    if rest.startswith("["):
        host, _, port = rest[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = rest.partition(":")
    return host, port


def make_sink(
    target: SendTarget,
    model: HeadModel,
    solver: Callable[[], ArkitSolver],
    look: Callable[[], Look],
    content: Content = Content.AVATAR,
) -> Sink:
    """Set the sink up, on the thread that will use it.

    Args:
        solver: makes one of the model's; asked for where strengths are sent.
        look, content: of what a virtual camera shows.
    Raises: ProviderError: if something that it needs is not there.
    """
    if target.kind == "camera":
        return VirtualCameraSink(ShotPainter(model, live=True), content, look)
    encoder, maker = _encoder(target), SignalMaker(solver())
    return UdpSink(UdpSender(target.host, target.port), encoder, maker)


def _encoder(target: SendTarget) -> DatagramEncoder:
    return VmcEncoder() if target.kind == "vmc" else LiveLinkEncoder()


def send_pattern(
    target: SendTarget,
    on_channel: Callable[[str], None] = lambda name: None,
    wait: Callable[[float], object] | None = None,
) -> None:
    """Wiggle every channel of a receiver, one after the other: half a minute.

    Args:
        on_channel: told the name of each.
        wait: seconds between two datagrams; None: in real time.
    Raises: ValueError: for a camera, which has no channels. ProviderError: as `UdpSender`.
    """
    if target.kind == "camera":
        raise ValueError("a virtual camera has no channels to test")
    wait = wait or time.sleep
    encoder, sender, last = _encoder(target), UdpSender(target.host, target.port), ""
    try:
        for name, signal in channel_pattern():
            if name != last:
                on_channel(name)
                last = name
            sender.send(encoder.encode(signal))
            wait(PATTERN_STEP_NS / 1e9)
    finally:
        sender.close()
