"""HeadSmoother: a person's parameters over time in, the same with less trembling out.

A One-Euro filter for each group of parameters, on real time steps: slow movements are smoothed a
lot, fast ones hardly, so that lag stays small. Rotation is filtered in its tangent space, the
place of the head at its face, about which it seems to turn. The shape is averaged over the first
seconds and then stays: a person's head does not change.

Source: Casiez, Roussel, Vogel 2012, "1 Euro Filter".
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from engine.flame.model import HeadModel
from engine.types import F32, F64, FlameParams

__all__ = ["HeadSmoother", "OneEuro", "Pace", "RotationOneEuro"]

_GAP_S = 0.5
"""After a longer gap nothing is known of the movement."""
_CALIBRATION_S = 2.0
_LEAST_QUALITY = 0.5
"""Frames below teach nothing about the shape."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How quickly a filter follows."""

    cutoff_hz: float  # at rest; lower trembles less
    beta: float  # Hz that the cutoff grows by for each unit a second; higher lags less


ROTATION = Pace(1.5, 12.0)  # rad/s
PLACE = Pace(1.5, 80.0)  # m/s
EXPRESSION = Pace(1.8, 1.2)  # standard units/s
JOINTS = Pace(1.6, 5.0)  # rad/s: jaw, neck, eyes
EYELIDS = Pace(4.0, 4.0)  # closures/s: a blink must not be lost

_SPEED_HZ = 1.0  # cutoff of the speed itself, as in the paper


class OneEuro:
    """Filters a vector, each of its numbers by its own speed."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._value: F64 | None = None
        self._speed: F64 = np.zeros(0)

    def __call__(self, value: F64, dt_s: float) -> F64:
        """(n,) the filtered vector; the first is taken as it is."""
        if self._value is None:
            self._value, self._speed = value.astype(np.float64), np.zeros(len(value))
            return self._value
        speed = (value - self._value) / dt_s
        self._speed = self._speed + _share(_SPEED_HZ, dt_s) * (speed - self._speed)
        cutoff = self._pace.cutoff_hz + self._pace.beta * np.abs(self._speed)
        self._value = self._value + _share(cutoff, dt_s) * (value - self._value)
        return self._value


class RotationOneEuro:
    """Filters a rotation matrix by its angular speed."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._R: F64 | None = None
        self._speed: F64 = np.zeros(3)

    def __call__(self, R: F64, dt_s: float) -> F64:
        """(3, 3) the filtered rotation; the first is taken as it is."""
        if self._R is None:
            self._R = R
            return R
        turn = Rotation.from_matrix(self._R.T @ R).as_rotvec()
        self._speed = self._speed + _share(_SPEED_HZ, dt_s) * (turn / dt_s - self._speed)
        cutoff = self._pace.cutoff_hz + self._pace.beta * float(np.linalg.norm(self._speed))
        part = Rotation.from_rotvec(_share(cutoff, dt_s) * turn).as_matrix()
        self._R = self._R @ part
        return self._R


class HeadSmoother:
    """Follows one face."""

    def __init__(self, model: HeadModel, shape: F32 | None = None) -> None:
        """shape: (n_shape,) of a person who is known; None: learned in the first seconds."""
        self._centre = model.v_template[model.regions["face"]].mean(axis=0).astype(np.float64)
        self._known = shape
        self.reset()

    def reset(self) -> None:
        """Forget the person, unless the shape was given."""
        self.shape: F32 | None = self._known
        """(n_shape,) as it is now locked; None while it is learned."""
        self._sum: F64 | None = None
        self._weight = self._learned_s = 0.0
        self._t_ns: int | None = None
        self._start()

    def _start(self) -> None:
        self._rotation, self._place = RotationOneEuro(ROTATION), OneEuro(PLACE)
        self._expr, self._eyelids = OneEuro(EXPRESSION), OneEuro(EYELIDS)
        self._joints = OneEuro(JOINTS)

    def run(self, params: FlameParams, t_ns: int, quality: float = 1.0) -> FlameParams:
        """The parameters of one frame, filtered.

        Args:
            t_ns: its time; after a gap, or going back, the filters start anew.
            quality: 0..1; bad fits teach nothing about the shape.
        """
        dt_s = 0.0 if self._t_ns is None else (t_ns - self._t_ns) / 1e9
        if not 0.0 < dt_s <= _GAP_S:
            self._start()
            dt_s = 0.0 if dt_s == 0.0 else 1.0 / 30.0
        self._t_ns = t_ns
        dt_s = dt_s or 1.0 / 30.0  # the first frame is taken as it is
        R = self._rotation(params.R, dt_s)
        place = self._place(params.R @ self._centre + params.t, dt_s)
        joints = np.concatenate([params.jaw, params.neck, params.eyes]).astype(np.float64)
        joints = self._joints(joints, dt_s).astype(np.float32)
        return params.with_values(
            shape=self._locked_shape(params.shape, dt_s, quality),
            expr=self._expr(params.expr.astype(np.float64), dt_s).astype(np.float32),
            jaw=joints[:3],
            neck=joints[3:6],
            eyes=joints[6:],
            eyelids=self._eyelids(params.eyelids.astype(np.float64), dt_s).astype(np.float32),
            R=R,
            t=place - R @ self._centre,
        )

    def _locked_shape(self, shape: F32, dt_s: float, quality: float) -> F32:
        if self.shape is not None:
            return self.shape
        if quality < _LEAST_QUALITY:
            return shape
        added = quality * shape.astype(np.float64)
        self._sum = added if self._sum is None else self._sum + added
        self._weight += quality
        self._learned_s += dt_s
        mean: F32 = (self._sum / self._weight).astype(np.float32)
        if self._learned_s >= _CALIBRATION_S:
            self.shape = mean
        return mean


def _share(cutoff_hz: F64 | float, dt_s: float) -> F64:
    """How far an exponential filter of this cutoff goes towards a new value."""
    turn = 2.0 * np.pi * np.asarray(cutoff_hz, np.float64) * dt_s
    share: F64 = turn / (1.0 + turn)
    return share
