"""Datagrams taken apart by hand: what a receiver would find in them."""

import struct
import sys

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.errors import ProviderError
from engine.flame.arkit import ARKIT_NAMES
from engine.io.arkit_csv import ROTATION_NAMES
from engine.streaming.face_signal import FaceSignal, channel_pattern
from engine.streaming.live_link import LiveLinkEncoder
from engine.streaming.vmc import VmcEncoder

DEVICE = "01234567-89ab-cdef-0123-456789abcdef"


def signal(*, low: bool = False) -> FaceSignal:
    rng = np.random.default_rng(0)
    return FaceSignal(
        t_ns=2_008_333_333,  # 120.5 frames of a sixtieth
        weights=rng.random(52).astype(np.float32),
        rotations=rng.normal(0, 0.3, 9),
        translation=np.array([0.0, 0.0, -0.6]),
        low=low,
    )


def osc_string(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode("ascii"), at + (end - at) // 4 * 4 + 4


def osc_message(data: bytes) -> tuple[str, list[object]]:
    """Address and arguments, by the rules of OSC 1.0."""
    address, at = osc_string(data, 0)
    types, at = osc_string(data, at)
    assert types[0] == ","
    values: list[object] = []
    for kind in types[1:]:
        if kind == "s":
            value, at = osc_string(data, at)
        else:
            value, at = struct.unpack_from(f"!{kind}", data, at)[0], at + 4
        values.append(value)
    assert at == len(data)
    return address, values


def osc_bundle(data: bytes) -> list[tuple[str, list[object]]]:
    assert data[:16] == b"#bundle\0" + struct.pack("!Q", 1)  # at once
    messages, at = [], 16
    while at < len(data):
        (size,) = struct.unpack_from("!i", data, at)
        messages.append(osc_message(data[at + 4 : at + 4 + size]))
        at += 4 + size
    return messages


def test_vmc_sends_every_shape_by_name_then_applies_them():
    datagrams = VmcEncoder().encode(signal())
    assert max(map(len, datagrams)) <= 1400
    messages = [message for datagram in datagrams for message in osc_bundle(datagram)]
    assert messages[0] == ("/VMC/Ext/OK", [1, 3, 0, 1])
    assert messages[1] == ("/VMC/Ext/T", [pytest.approx(2.008333, abs=1e-5)])
    assert messages[-1] == ("/VMC/Ext/Blend/Apply", [])
    blends = dict(values for address, values in messages if address == "/VMC/Ext/Blend/Val")
    for name, weight in zip(ARKIT_NAMES, signal().weights, strict=True):
        assert blends.pop(name[0].upper() + name[1:]) == pytest.approx(weight, abs=1e-7)
    by_name = dict(zip(ARKIT_NAMES, signal().weights, strict=True))
    assert blends == {
        "Blink_L": pytest.approx(by_name["eyeBlinkLeft"]),
        "Blink_R": pytest.approx(by_name["eyeBlinkRight"]),
        "A": pytest.approx(by_name["jawOpen"]),
    }


def test_vmc_turns_bones_in_unity_s_left_handed_frame():
    messages = [m for d in VmcEncoder().encode(signal()) for m in osc_bundle(d)]
    bones = {v[0]: np.array(v[1:]) for address, v in messages if address == "/VMC/Ext/Bone/Pos"}
    assert set(bones) == {"Head", "LeftEye", "RightEye"}
    ours = Rotation.from_euler("YXZ", signal().rotations[:3])
    forward, up = ours.apply([[0, 0, 1], [0, 1, 0]])
    # Unity's x is ours turned over. Its quaternions multiply as everybody's do.
    theirs = Rotation.from_quat(bones["Head"][3:])
    np.testing.assert_allclose(theirs.apply([0, 0, 1]), forward * [-1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(theirs.apply([0, 1, 0]), up * [-1, 1, 1], atol=1e-6)
    np.testing.assert_array_equal(bones["Head"][:3], 0)


def test_vmc_tells_that_tracking_is_doubtful():
    first = osc_bundle(VmcEncoder().encode(signal(low=True))[0])[0]
    assert first == ("/VMC/Ext/OK", [1, 3, 0, 0])


def test_vmc_without_python_osc_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pythonosc", None)
    with pytest.raises(ProviderError, match=r"n2fnet\[stream\]"):
        VmcEncoder()


def test_live_link_packet_has_the_layout_that_unreal_reads():
    (packet,) = LiveLinkEncoder("me", DEVICE).encode(signal())
    # As public senders write it: version, three zeros and "$", the low byte of the id's length.
    assert packet[:5] == b"\x06\x00\x00\x00$"
    assert packet[5:41].decode() == DEVICE
    assert packet[41:47] == b"\x00\x00\x00\x02me"
    frame, part, rate, denominator, count = struct.unpack_from("!ifiiB", packet, 47)
    assert (frame, rate, denominator, count) == (120, 60, 1, 61)
    assert part == pytest.approx(0.5, abs=1e-4)
    values = struct.unpack_from("!61f", packet, 64)
    assert len(packet) == 64 + 61 * 4
    np.testing.assert_allclose(values[:52], signal().weights, atol=1e-7)
    np.testing.assert_allclose(values[52:], signal().rotations, atol=1e-7)


def test_live_link_s_order_is_that_of_unreal_s_enumeration():
    places = {"jawForward": 14, "jawLeft": 15, "jawRight": 16, "mouthLeft": 21, "mouthRight": 22,
              "browDownLeft": 41, "cheekPuff": 46, "tongueOut": 51}  # fmt: skip
    assert {name: ARKIT_NAMES.index(name) for name in places} == places
    assert len(ARKIT_NAMES) == 52


def test_the_pattern_moves_each_channel_alone():
    moved: dict[str, list[np.ndarray]] = {}
    last_ns = -1
    for name, one in channel_pattern():
        assert one.t_ns > last_ns
        last_ns = one.t_ns
        moved.setdefault(name, []).append(np.concatenate([one.weights, one.rotations]))
    assert list(moved) == [*ARKIT_NAMES, *ROTATION_NAMES]
    for channel, rows in enumerate(moved.values()):
        values = np.stack(rows)
        assert values[:, channel].max() == pytest.approx(1.0 if channel < 52 else 0.4, rel=0.02)
        assert np.delete(values, channel, axis=1).max() == 0.0
