"""Sends faces as datagrams: the part that VMC and Live Link Face have in common."""

import socket
from typing import Any, Protocol

from engine.errors import ProviderError
from engine.recording.shot import Shot
from engine.streaming.face_signal import FaceSignal, SignalMaker

__all__ = ["DatagramEncoder", "UdpSender", "UdpSink"]


class DatagramEncoder(Protocol):
    """Signals to datagrams."""

    def encode(self, signal: FaceSignal) -> list[bytes]: ...


class UdpSender:
    """One receiver's address, found once."""

    def __init__(self, host: str, port: int) -> None:
        """Raises: ProviderError: if the host is not known."""
        self._where = f"{host}:{port}"
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ProviderError(
                f"{self._where}: {reason}; check the name, or give its number"
            ) from error
        self._address: Any = found[4]
        self._socket = socket.socket(found[0], found[1])

    def send(self, datagrams: list[bytes]) -> None:
        """Raises: ProviderError: if the system refuses; that nobody listens is not noticed."""
        try:
            for datagram in datagrams:
                self._socket.sendto(datagram, self._address)
        except OSError as error:
            raise ProviderError(
                f"cannot send to {self._where}: {error.strerror or error}; check the network"
            ) from error

    def close(self) -> None:
        self._socket.close()


class UdpSink:
    """Solves, encodes, sends."""

    def __init__(self, sender: UdpSender, encoder: DatagramEncoder, maker: SignalMaker) -> None:
        """sender: closed here."""
        self._sender, self._encoder, self._maker = sender, encoder, maker

    def send(self, shot: Shot) -> bool:
        """Nothing is sent where there is no face: receivers keep the last, or fall asleep."""
        signal = self._maker.signal(shot)
        if signal is not None:
            self._sender.send(self._encoder.encode(signal))
        return signal is not None

    def close(self) -> None:
        self._sender.close()
