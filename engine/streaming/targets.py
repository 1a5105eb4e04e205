"""Where to send, as people write it: "vmc:127.0.0.1:39539", "livelink:HOST:PORT", "camera"."""

from dataclasses import dataclass
from typing import Final

__all__ = ["SendTarget", "parse_target"]

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
