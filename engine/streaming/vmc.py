"""VMC protocol: OSC messages for avatar programs such as VSeeFace, VNyan or Warudo.

Source: protocol.vmc.info (messages and ports); VRM 0's preset names for programs without ARKit's.
"""

from typing import Any, Final

import numpy as np
from scipy.spatial.transform import Rotation

from engine.errors import ProviderError
from engine.flame.arkit import ARKIT_NAMES
from engine.streaming.face_signal import FaceSignal
from engine.types import F64

__all__ = ["VmcEncoder"]

_MOST_BYTES: Final = 1400
"""Of a bundle, so that it fits one Ethernet packet."""
_LOADED, _CALIBRATED, _NORMAL_MODE = 1, 3, 0
_BONES: Final = ("Head", "LeftEye", "RightEye")
_PRESETS: Final = {"Blink_L": "eyeBlinkLeft", "Blink_R": "eyeBlinkRight", "A": "jawOpen"}
"""VRM 0's presets that follow from one of ARKit's shapes."""


class VmcEncoder:
    """Signals to datagrams. Unity's frame there: left-handed, +x the avatar's right."""

    def __init__(self) -> None:
        """Raises: ProviderError: without python-osc."""
        try:
            from pythonosc import osc_bundle_builder, osc_message_builder
        except ImportError as error:
            raise ProviderError(
                "VMC needs python-osc: install it with pip install 'n2fnet[stream]'"
            ) from error
        self._bundles: Any = osc_bundle_builder
        self._messages: Any = osc_message_builder

    def encode(self, signal: FaceSignal) -> list[bytes]:
        """Datagrams for one moment, to be sent in this order."""
        status = (_LOADED, _CALIBRATED, _NORMAL_MODE, 0 if signal.low else 1)
        messages = [self._message("/VMC/Ext/OK", *status)]
        messages.append(self._message("/VMC/Ext/T", signal.t_ns / 1e9))
        for bone, angles in zip(_BONES, signal.rotations.reshape(3, 3), strict=True):
            values = (0.0, 0.0, 0.0, *_unity_quaternion(angles))
            messages.append(self._message("/VMC/Ext/Bone/Pos", bone, *values))
        for name, weight in _blend_values(signal).items():
            messages.append(self._message("/VMC/Ext/Blend/Val", name, weight))
        messages.append(self._message("/VMC/Ext/Blend/Apply"))
        return self._bundled(messages)

    def _message(self, address: str, *values: str | float) -> Any:  # noqa: ANN401  (OscMessage)
        builder = self._messages.OscMessageBuilder(address=address)
        for value in values:
            builder.add_arg(value, _osc_type(value))
        return builder.build()

    def _bundled(self, messages: list[Any]) -> list[bytes]:
        datagrams, builder, size = [], None, 0
        for message in messages:
            grown = size + 4 + message.size
            if builder is None or grown > _MOST_BYTES:
                if builder is not None:
                    datagrams.append(builder.build().dgram)
                builder = self._bundles.OscBundleBuilder(self._bundles.IMMEDIATELY)
                grown = 16 + 4 + message.size
            builder.add_content(message)
            size = grown
        if builder is not None:
            datagrams.append(builder.build().dgram)
        return datagrams


def _osc_type(value: str | float) -> str:
    return "s" if isinstance(value, str) else "i" if isinstance(value, int) else "f"


def _blend_values(signal: FaceSignal) -> dict[str, float]:
    """By name: ARKit's as "Perfect Sync" avatars have them, then VRM 0's presets."""
    weights = dict(zip(ARKIT_NAMES, signal.weights.tolist(), strict=True))
    named = {name[0].upper() + name[1:]: weight for name, weight in weights.items()}
    return named | {preset: weights[name] for preset, name in _PRESETS.items()}


def _unity_quaternion(angles: F64) -> tuple[float, float, float, float]:
    """Yaw, pitch, roll in our frame -> x, y, z, w in Unity's, whose x is ours turned over."""
    x, y, z, w = Rotation.from_euler("YXZ", np.asarray(angles)).as_quat(canonical=True)
    return float(x), float(-y), float(-z), float(w)
