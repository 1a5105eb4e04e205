"""What sends to a target: sinks for live shots, and a pattern that moves every channel."""

import time
from collections.abc import Callable

from engine.flame.arkit import ArkitSolver
from engine.flame.model import HeadModel
from engine.recording.pictures import ShotPainter
from engine.recording.shot import Content, Look
from engine.streaming.face_signal import PATTERN_STEP_NS, SignalMaker, channel_pattern
from engine.streaming.live_link import LiveLinkEncoder
from engine.streaming.sink import Sink
from engine.streaming.targets import SendTarget
from engine.streaming.udp import DatagramEncoder, UdpSender, UdpSink
from engine.streaming.virtual_camera import VirtualCameraSink
from engine.streaming.vmc import VmcEncoder

__all__ = ["make_sink", "send_pattern"]


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
