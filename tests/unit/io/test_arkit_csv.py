"""Live Link Face's CSV, read back by the csv module."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.flame.arkit import ARKIT_NAMES
from engine.io.arkit_csv import ROTATION_NAMES, ArkitTrack, rotations_of, write_arkit_csv
from engine.types import FlameParams

HEADER = (
    "Timecode,BlendshapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,"
    "EyeLookUpLeft,EyeSquintLeft,EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,"
    "EyeLookOutRight,EyeLookUpRight,EyeSquintRight,EyeWideRight,JawForward,JawRight,JawLeft,"
    "JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,MouthSmileLeft,"
    "MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,"
    "MouthStretchLeft,MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,"
    "MouthShrugUpper,MouthPressLeft,MouthPressRight,MouthLowerDownLeft,MouthLowerDownRight,"
    "MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,BrowOuterUpLeft,"
    "BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,"
    "TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,"
    "RightEyePitch,RightEyeRoll"
)
"""As the app's own recordings begin."""


def track(n: int = 3) -> ArkitTrack:
    rng = np.random.default_rng(0)
    return ArkitTrack(
        frame_index=np.arange(n) * 2,
        t_ns=np.array([0, 33_333_333, 3_723_500_000_000][:n]),
        weights=rng.random((n, 52)).astype(np.float32),
        rotations=rng.normal(0, 0.3, (n, 9)),
        quality=np.array([0.9, 0.2, 0.7][:n]),
    )


def test_columns_are_those_of_the_app_and_values_come_back(tmp_path: Path):
    write_arkit_csv(tmp_path / "a.csv", written := track())
    assert (tmp_path / "a.csv").read_text().splitlines()[0] == HEADER
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["BlendshapeCount"] for row in rows] == ["61"] * 3
    for row, weights, turns in zip(rows, written.weights, written.rotations, strict=True):
        for name, value in zip(ARKIT_NAMES, weights, strict=True):
            assert float(row[name[0].upper() + name[1:]]) == pytest.approx(value, abs=1e-6)
        got = [float(row[name]) for name in ROTATION_NAMES]
        np.testing.assert_allclose(got, turns, atol=1e-6)


def test_time_codes_count_sixty_frames_a_second(tmp_path: Path):
    write_arkit_csv(tmp_path / "a.csv", track())
    codes = [line.split(",")[0] for line in (tmp_path / "a.csv").read_text().splitlines()[1:]]
    # 33.3 ms are two frames; 3723.5 s are 1 h, 2 min, 3 s and 30 frames.
    assert codes == ["00:00:00:00.000", "00:00:00:02.000", "01:02:03:30.000"]


def test_doubtful_rows_are_marked_beside_the_table(tmp_path: Path):
    write_arkit_csv(tmp_path / "a.csv", track())
    notes = json.loads((tmp_path / "a.json").read_text())
    assert notes["schema"] == "n2fnet.arkit/1"
    assert [(row["frame"], row["low"]) for row in notes["rows"]] == [
        (0, False), (2, True), (4, False),
    ]  # fmt: skip


def test_rotations_are_yaw_to_the_left_pitch_down_and_neck_and_head_together():
    turned = Rotation.from_euler("YXZ", [0.3, -0.2, 0.1])
    half = Rotation.from_rotvec(turned.as_rotvec() / 2)
    params = FlameParams.neutral("a" * 64, 1, 1).with_values(
        R=half.as_matrix(),
        neck=half.as_rotvec().astype(np.float32),
        eyes=np.float32([0.1, 0, 0, 0, -0.2, 0]),  # left eye down, right eye to its right
    )
    np.testing.assert_allclose(
        rotations_of(params), [0.3, -0.2, 0.1, 0, 0.1, 0, -0.2, 0, 0], atol=1e-6
    )
