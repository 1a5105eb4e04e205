"""A face as avatars take it: ARKit's strengths, rotations, place; and a test pattern of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.flame.arkit import ARKIT_NAMES, ArkitSolver
from engine.io.arkit_csv import ROTATION_NAMES, rotations_of
from engine.recording.shot import Shot
from engine.types import F32, F64

__all__ = ["FaceSignal", "SignalMaker", "channel_pattern"]

PATTERN_STEP_NS: Final = 33_333_333
_STEPS_A_CHANNEL: Final = 15  # half a second
_PATTERN_TURN_RAD: Final = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class FaceSignal:
    """One face at one moment."""

    t_ns: int
    weights: F32  # (52,) 0..1, in the order of ARKIT_NAMES
    rotations: F64  # (9,) radians, in the order of ROTATION_NAMES
    translation: F64  # (3,) metres, view frame
    low: bool  # fitted doubtfully


class SignalMaker:
    """Solves for the first face of shots, one after the other, on one thread."""

    def __init__(self, solver: ArkitSolver) -> None:
        self._solver = solver

    def signal(self, shot: Shot) -> FaceSignal | None:
        """None where there is no face."""
        if not shot.faces:
            self._solver.reset()
            return None
        params = shot.faces[0].params
        return FaceSignal(
            shot.t_ns,
            self._solver.solve(params, shot.t_ns),
            rotations_of(params),
            params.t,
            shot.low,
        )


def channel_pattern() -> Iterator[tuple[str, FaceSignal]]:
    """Every channel alone, up and down within half a second: its name, and what to send.

    A receiver that moves the wrong thing, or nothing, is found so.
    """
    n_weights = len(ARKIT_NAMES)
    step = 0
    for channel, name in enumerate((*ARKIT_NAMES, *ROTATION_NAMES)):
        for k in range(_STEPS_A_CHANNEL):
            values = np.zeros(n_weights + len(ROTATION_NAMES))
            share = np.sin(np.pi * (k + 0.5) / _STEPS_A_CHANNEL)
            values[channel] = share * (1.0 if channel < n_weights else _PATTERN_TURN_RAD)
            yield (
                name,
                FaceSignal(
                    step * PATTERN_STEP_NS,
                    values[:n_weights].astype(np.float32),
                    values[n_weights:],
                    np.array([0.0, 0.0, -0.6]),
                    low=False,
                ),
            )
            step += 1
