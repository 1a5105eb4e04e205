"""ARKit's 52 strengths and nine rotations over time, as CSV in Live Link Face's columns.

The order is that of the app's own recordings: JawRight stands before JawLeft and MouthRight before
MouthLeft, other than in the packets it sends. Rotations are radians; Epic documents no unit.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from engine.files import replacing
from engine.flame.arkit import ARKIT_NAMES, ArkitSolver
from engine.io.results import params_of
from engine.types import F32, F64, I64, LOW_QUALITY, FlameParams

__all__ = ["ARKIT_SCHEMA", "ROTATION_NAMES", "ArkitTrack", "arkit_track", "rotations_of",
           "write_arkit_csv"]  # fmt: skip

ARKIT_SCHEMA: Final = "n2fnet.arkit/1"
ROTATION_NAMES: Final = (
    "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll",
    "RightEyeYaw", "RightEyePitch", "RightEyeRoll",
)  # fmt: skip
TIMECODE_RATE: Final = 60
"""Frames a second of the time code: Live Link Face's own rate."""

_SWAPPED: Final = {"jawLeft": "jawRight", "mouthLeft": "mouthRight"}


@dataclass(frozen=True, slots=True, eq=False)
class ArkitTrack:
    """One face over T frames, those without a face left out."""

    frame_index: I64  # (T,)
    t_ns: I64  # (T,)
    weights: F32  # (T, 52) 0..1, in the order of ARKIT_NAMES
    rotations: F64  # (T, 9) radians, in the order of ROTATION_NAMES
    quality: F64  # (T,) 0..1


def arkit_track(
    arrays: Mapping[str, npt.NDArray[Any]], model_id: str, solver: ArkitSolver
) -> ArkitTrack:
    """Solve for every frame with a face.

    Args:
        arrays: as `FitSequence.arrays` gives them.
        solver: for the head model named model_id; it is reset.
    """
    solver.reset()
    found = np.flatnonzero(arrays["found"])
    weights = np.zeros((len(found), len(ARKIT_NAMES)), np.float32)
    rotations = np.zeros((len(found), len(ROTATION_NAMES)))
    for row, frame in enumerate(found):
        params = params_of(arrays, int(frame), model_id)
        weights[row] = solver.solve(params, int(arrays["t_ns"][frame]))
        rotations[row] = rotations_of(params)
    return ArkitTrack(
        frame_index=arrays["frame_index"][found],
        t_ns=arrays["t_ns"][found],
        weights=weights,
        rotations=rotations,
        quality=arrays["quality"][found],
    )


def rotations_of(params: FlameParams) -> F64:
    """(9,) radians: yaw, pitch, roll of head, left and right eye.

    Right-handed angles about +y, +x and +z of the model frame, in this order of turning: positive
    yaw looks to the subject's left, positive pitch down. The head's is seen by the camera, the
    neck's bend included; the eyes' is in the head.
    """
    head = params.R @ Rotation.from_rotvec(params.neck).as_matrix()
    turns = Rotation.concatenate(
        [Rotation.from_matrix(head), Rotation.from_rotvec(params.eyes.reshape(2, 3))]
    )
    angles: F64 = turns.as_euler("YXZ").ravel()
    return angles


def write_arkit_csv(path: Path, track: ArkitTrack) -> tuple[Path, Path]:
    """Write the table, and beside it a .json, which says how far each row can be trusted.

    The table has exactly Live Link Face's 63 columns, so that importers that count them work.
    Returns: both. Raises: OutputError: if they cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["Timecode", "BlendshapeCount", *_columns()])
    order = [ARKIT_NAMES.index(name) for name in _csv_order()]
    values = np.concatenate([track.weights[:, order], track.rotations], axis=1)
    for t_ns, row in zip(track.t_ns.tolist(), values, strict=True):
        writer.writerow([_timecode(t_ns), len(row), *(f"{value:.8f}" for value in row)])
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="ascii")
    _write_trust(trust := path.with_suffix(".json"), track)
    return path, trust


def _write_trust(path: Path, track: ArkitTrack) -> None:
    content = {
        "schema": ARKIT_SCHEMA,
        "units": {"strengths": "0..1", "rotations": "radians", "time": "seconds"},
        "low_below": LOW_QUALITY,
        "rows": [
            {"frame": index, "time_s": t_ns / 1e9, "quality": round(q, 4), "low": q < LOW_QUALITY}
            for index, t_ns, q in zip(
                track.frame_index.tolist(), track.t_ns.tolist(), track.quality.tolist(), strict=True
            )
        ],
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")


def _csv_order() -> list[str]:
    both = _SWAPPED | {right: left for left, right in _SWAPPED.items()}
    return [both.get(name, name) for name in ARKIT_NAMES]


def _columns() -> list[str]:
    return [name[0].upper() + name[1:] for name in _csv_order()] + list(ROTATION_NAMES)


def _timecode(t_ns: int) -> str:
    """HH:MM:SS:FF.fff, the last part thousandths of a frame."""
    thousandths = round(t_ns * TIMECODE_RATE * 1000 / 1e9)
    frames, part = divmod(thousandths, 1000)
    seconds, frame = divmod(frames, TIMECODE_RATE)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour % 24:02d}:{minute:02d}:{second:02d}:{frame:02d}.{part:03d}"
